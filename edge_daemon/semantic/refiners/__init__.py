"""What proposes texts: `phrases` without a language model, `openai` with one."""

from __future__ import annotations

from edge_daemon.semantic.refiners.abc import Refiner
from edge_daemon.settings import SemanticSettings


def make_refiner(settings: SemanticSettings, phrases: Refiner) -> Refiner:
    """The refiner that the settings name.

    Args:
        settings: Names it, and the language model that it may ask.
        phrases: The one that asks nobody.

    Raises:
        SettingsError: The language model's key is missing, open to other users or none.
    """
    if settings.refiner == "phrases":
        return phrases
    # Only who asks a language model needs the HTTP client.
    from edge_daemon.semantic.refiners.openai import OpenAIRefiner  # noqa: PLC0415

    return OpenAIRefiner(settings.chat, phrases)
