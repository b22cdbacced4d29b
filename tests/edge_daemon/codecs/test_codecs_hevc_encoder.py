from __future__ import annotations

from collections.abc import Generator

import av
import numpy as np
import pytest

from edge_daemon.codecs import codec_status, hevc_encoder
from edge_daemon.codecs.hevc import PRESETS, Hevc
from edge_daemon.codecs.hevc_encoder import ENCODERS, block_side, x265_version
from edge_daemon.errors import NoEncoderError
from edge_daemon.quantiser import QuantiserMap
from support.pictures import busy_picture
from support.pyav import without_codecs


@pytest.fixture
def without_x265(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Stands in for a build of PyAV whose FFmpeg lacks x265."""

    version = hevc_encoder._version  # pyright: ignore[reportPrivateUsage]
    version.cache_clear()
    without_codecs(monkeypatch, hevc_encoder)
    yield
    version.cache_clear()


def test_the_version_is_that_of_x265() -> None:
    assert x265_version().startswith(tuple("3456789"))
    status = Hevc.status()
    assert status.version == f"{x265_version()} (PyAV {av.__version__})"
    assert not status.problem


@pytest.mark.usefixtures("without_x265")
def test_without_x265_the_status_says_so_and_encoding_is_refused_by_name() -> None:
    assert x265_version() == ""
    status = codec_status("hevc")
    assert "no x265" in status.problem
    assert (status.encoder, status.version) == ("", "")
    with pytest.raises(NoEncoderError, match="this build of PyAV has no x265"):
        Hevc(quality=3).encode(busy_picture(38, 34))


@pytest.mark.parametrize(
    ("width", "height"),
    [
        (32, 32),
        (2048, 1088),  # the most that HEVC's level 4 holds
        (2050, 1088),
        (1492, 1492),  # fewer pixels, but not when filled up to whole blocks
        (4208, 48),
        (4210, 48),  # longer than level 4 allows
        (48, 4240),
    ],
)
def test_x265_takes_every_size_with_and_without_a_map(width: int, height: int) -> None:
    """Beyond level 4 it refuses coding tree units of 16 pixels."""
    pixels = np.full((height, width, 3), 90, np.uint8)
    offsets = QuantiserMap(np.array([[0, 5]], np.float32))
    for one in (None, offsets):
        bitstream = Hevc().encode(pixels, one)
        assert Hevc().decode(bitstream, width=width, height=height).shape == pixels.shape


def test_blocks_are_small_only_where_that_is_fast_and_allowed() -> None:
    assert block_side("ultrafast", 1080, 1920) == 16
    assert block_side("ultrafast", 2160, 3840) == 32
    assert {block_side(preset, 64, 64) for preset in PRESETS[1:]} == {32}


def test_a_borrowed_encoder_is_given_to_nobody_else() -> None:
    Hevc().encode(busy_picture(32, 32))
    key = hevc_encoder.EncoderKey(32, 32, 32, "ultrafast", "420", mapped=False)
    with ENCODERS.borrow(key) as one, ENCODERS.borrow(key) as other:
        assert one is not other
    with ENCODERS.borrow(key) as again:
        assert again in {one, other}
