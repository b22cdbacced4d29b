from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.cloud import decode_envelope, decode_text
from edge_daemon.codecs import get_codec
from edge_daemon.errors import DecodeError, TooManyPixelsError, UnsupportedError
from edge_daemon.pictures import PictureLimits
from edge_daemon.wire import Envelope, seal
from support.pictures import psnr, smooth_picture


def envelope(pixels: NDArray[np.uint8], **facts: Any) -> Envelope:
    codec = get_codec({"id": "jpeg", "quality": 95})
    return sealed(
        codec.encode(pixels),
        codec=codec.get_config(),
        width=pixels.shape[1],
        height=pixels.shape[0],
        **facts,
    )


def sealed(bitstream: bytes, **facts: Any) -> Envelope:
    shared: dict[str, Any] = {
        "client": "cam",
        "sequence": 1,
        "mode": "plain",
        "prompts": [""],
        "source_bytes": 3,
        "relevance": None,
        "timings_ms": {},
    }
    return seal(bitstream, **{**shared, **facts})


@pytest.mark.parametrize(("width", "height"), [(101, 67), (53, 41), (31, 60)])
def test_a_picture_that_was_sent_smaller_or_larger_has_its_source_size_again(
    width: int, height: int
) -> None:
    source = smooth_picture(width, height)
    for sent in (smooth_picture(width, height), smooth_picture(64, 48)):
        decoded = decode_envelope(envelope(sent, source_width=width, source_height=height))
        assert decoded.shape == (height, width, 3)
        assert psnr(decoded, source) > 30


def test_the_source_size_is_bounded_before_it_is_allocated() -> None:
    huge = envelope(smooth_picture(8, 8), source_width=100_000, source_height=100_000)
    with pytest.raises(TooManyPixelsError):
        decode_envelope(huge, PictureLimits(max_pixels=10**6))


def test_text_is_read_as_text_and_not_as_a_picture() -> None:
    text = sealed(
        "Où est l'éléphant ?".encode(), mode="semantic", codec={"id": "text"}, width=4, height=3
    )
    read = decode_text(text)
    assert (read.text, read.side) == ("Où est l'éléphant ?", None)
    with pytest.raises(UnsupportedError, match="text in the picture's place"):
        decode_envelope(text)
    with pytest.raises(UnsupportedError, match="a picture, not text"):
        decode_text(envelope(smooth_picture(8, 8)))


def test_text_that_is_none_is_refused() -> None:
    with pytest.raises(DecodeError, match="not UTF-8"):
        decode_text(
            sealed(b"\xff\xfe\x00", mode="semantic", codec={"id": "text"}, width=4, height=3)
        )
