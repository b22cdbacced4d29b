from __future__ import annotations

import pytest

from edge_daemon.cloud.escalation import check_score
from edge_daemon.errors import EscalateError
from edge_daemon.settings import CloudSemanticSettings
from edge_daemon.wire import EnvelopeHeader, unpack_envelope
from support.sealed import sealed, sealed_text


def header(text: float, image: float | None, *, pixels_kept: bool = True) -> EnvelopeHeader:
    sent = sealed_text(1, scores=(text, image), pixels_kept=pixels_kept)
    return unpack_envelope(sent).header


@pytest.mark.parametrize(
    ("text", "image", "text_below", "image_below", "wanted"),
    [
        (0.19, None, 0.2, None, "gives text and picture 0.190, which is below 0.2"),
        (0.2, None, 0.2, None, None),
        (0.21, None, 0.2, None, None),
        (-1.0, None, None, None, None),
        (-1.0, None, None, 0.7, None),  # nothing was drawn, and texts have no bound
        (0.1, None, 0.2, 0.7, "text and picture 0.100"),
        (0.1, 0.8, 0.2, 0.7, None),  # the drawing decides
        (0.3, 0.6, 0.2, 0.7, "gives drawing and picture 0.600, which is below 0.7"),
        (0.1, 0.9, 0.2, None, "text and picture 0.100"),  # drawings have no bound
        (0.3, 0.0, 0.2, None, None),
    ],
)
def test_which_score_decides(
    text: float,
    image: float | None,
    text_below: float | None,
    image_below: float | None,
    wanted: str | None,
) -> None:
    settings = CloudSemanticSettings(
        escalate_text_below=text_below, escalate_image_below=image_below
    )
    if wanted is None:
        check_score(header(text, image), settings)
        return
    with pytest.raises(EscalateError, match=wanted) as caught:
        check_score(header(text, image), settings)
    assert "'tiny'" in caught.value.problem
    assert caught.value.retry_after_s is None


def test_nothing_is_asked_for_that_cannot_be_had() -> None:
    settings = CloudSemanticSettings(escalate_text_below=1.0, escalate_image_below=1.0)
    check_score(header(0.0, 0.0, pixels_kept=False), settings)
    check_score(unpack_envelope(sealed_text(1, semantic=None)).header, settings)
    check_score(unpack_envelope(sealed(1)).header, settings)
