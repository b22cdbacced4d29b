"""Which tasks the settings ask for."""

from __future__ import annotations

from pathlib import Path

from edge_daemon.cloud.follow_up.jobs import Task
from edge_daemon.pictures import PictureLimits
from edge_daemon.settings import Settings


def tasks_of(settings: Settings) -> list[Task]:
    """The tasks of a cloud.

    Args:
        settings: `cloud` and `limits` are used.

    Raises:
        SettingsError: A key or a directory of drawings is missing.
    """
    # Only who uses them pays for loading them.
    tasks: list[Task] = []
    cloud, directory = settings.cloud, Path(settings.cloud.directory)
    semantic = cloud.semantic
    if semantic.generator != "none":
        from edge_daemon.cloud.follow_up.regeneration import Regeneration  # noqa: PLC0415
        from edge_daemon.semantic.generators import make_generator  # noqa: PLC0415

        generator = make_generator(semantic.generator, semantic.drawing, semantic.drawings)
        assert generator is not None
        limits = PictureLimits(settings.limits.max_payload_bytes, settings.limits.max_pixels)
        timeout_s = semantic.drawing.attempts * semantic.drawing.timeout_s
        tasks.append(Regeneration(generator, directory, limits, timeout_s))
    if cloud.vlm is not None:
        from edge_daemon.cloud.follow_up.asking import Asking  # noqa: PLC0415

        tasks.append(Asking(cloud.vlm, directory))
    return tasks
