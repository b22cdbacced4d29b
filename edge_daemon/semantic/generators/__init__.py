"""What draws pictures of texts: a paid or local endpoint, or a directory of drawn ones."""

from __future__ import annotations

from edge_daemon.semantic.generators.abc import Generator
from edge_daemon.semantic.generators.directory import DirectoryGenerator
from edge_daemon.settings import ImagesSettings
from edge_daemon.settings.semantic import GeneratorName


def make_generator(name: GeneratorName, drawing: ImagesSettings, drawings: str) -> Generator | None:
    """The generator of that name; `None` for "none".

    Args:
        name: As in the settings.
        drawing: The endpoint of "openai-images".
        drawings: The directory of "directory".

    Raises:
        SettingsError: The endpoint's key is missing, open to other users or none.
    """
    if name == "openai-images":
        # Only who asks an endpoint needs the HTTP client.
        from edge_daemon.semantic.generators.openai_images import (  # noqa: PLC0415
            OpenAIImagesGenerator,
        )

        return OpenAIImagesGenerator(drawing)
    if name == "directory":
        return DirectoryGenerator(drawings)
    return None
