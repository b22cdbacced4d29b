"""When a text is not good enough, and the picture is wanted instead."""

from __future__ import annotations

from edge_daemon.errors import EscalateError
from edge_daemon.settings import CloudSemanticSettings
from edge_daemon.wire import EnvelopeHeader


def check_score(header: EnvelopeHeader, settings: CloudSemanticSettings) -> None:
    """Lets a text pass, unless its score is too low and its picture can still be had.

    The score of a drawing decides where there is one and a bound for it, else that of the text.

    Args:
        header: Of any envelope; pictures pass.
        settings: The bounds.

    Raises:
        EscalateError: The picture is wanted instead, under the same number.
    """
    facts = header.semantic
    if header.mode != "semantic" or facts is None or not facts.pixels_kept:
        return
    if facts.image_score is not None and settings.escalate_image_below is not None:
        what, score, bound = "drawing", facts.image_score, settings.escalate_image_below
    else:
        what, score, bound = "text", facts.text_score, settings.escalate_text_below
    if bound is not None and score < bound:
        raise EscalateError(
            f"{facts.critic!r} gives {what} and picture {score:.3f}, which is below {bound:g}",
            value=score,
            remedy="send the picture under the same number, or the text again with `insist`",
        )
