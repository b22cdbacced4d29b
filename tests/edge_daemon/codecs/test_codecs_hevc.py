from __future__ import annotations

import re
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from edge_daemon.codecs import hevc
from edge_daemon.codecs.hevc import Hevc
from edge_daemon.errors import BadQualityError, DecodeError, EncodeError
from support.pictures import busy_picture, psnr, smooth_picture

IDLE = hevc._ENCODERS  # pyright: ignore[reportPrivateUsage]


def nal_types(bitstream: bytes) -> list[int]:
    return [(found[1][0] >> 1) & 63 for found in re.finditer(rb"\x00\x00\x01(.)", bitstream, re.S)]


def foreign_frame(bitstream: bytes) -> av.VideoFrame:
    """The picture as a general decoder sees it."""
    decoder = av.CodecContext.create("hevc", "r")
    (frame,) = decoder.decode(av.Packet(bitstream)) + decoder.decode(None)
    return frame


def foreign_stream(pixels: np.ndarray, parameters: str, pix_fmt: str = "yuv420p") -> bytes:
    """A bitstream that another encoder might write."""
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=pix_fmt)
    encoder = av.CodecContext.create("libx265", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, pix_fmt
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"preset": "ultrafast", "x265-params": f"log-level=none:{parameters}"}
    packets: list[Any] = [*encoder.encode(frame), *encoder.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


def test_bytes_do_not_depend_on_what_was_encoded_before() -> None:
    codec = Hevc()
    pixels = busy_picture(64, 48)
    first = codec.encode(pixels)
    for seed in range(40):  # x265's count of pictures comes round after 31
        codec.encode(busy_picture(64, 48, seed))
        assert codec.encode(pixels) == first


@pytest.mark.parametrize("preset", hevc.PRESETS)
@pytest.mark.parametrize("quality", [0, 1, 12, 25, 26, 27, 32, 45, 51])
def test_bytes_are_the_same_at_any_setting(preset: str, quality: int) -> None:
    codec = Hevc(quality=quality, preset=preset)
    pixels = busy_picture(40, 40)
    assert len({codec.encode(pixels) for _ in range(6)}) == 1


@pytest.mark.parametrize("quality", [0, 10, 25, 26, 27, 32, 51])
def test_quality_is_the_quantiser_in_the_slice_header(quality: int) -> None:
    bitstream = Hevc(quality=quality).encode(busy_picture(64, 48))
    start = bitstream.index(b"\x00\x00\x01\x28\x01") + 5
    bits = "".join(f"{byte:08b}" for byte in bitstream[start : start + 6])[6:]
    zeros = bits.index("1")
    code = int(bits[zeros : 2 * zeros + 1], 2) - 1
    offset = (code + 1) // 2 * (1 if code % 2 else -1)
    assert 26 + offset == quality


def test_a_bitstream_is_parameter_sets_and_one_intra_picture() -> None:
    assert nal_types(Hevc().encode(busy_picture(64, 48))) == [32, 33, 34, 20]


def test_general_decoders_are_told_colours_and_range() -> None:
    frame = foreign_frame(Hevc().encode(busy_picture(64, 48)))
    assert int(frame.color_range) == 2  # full
    assert int(frame.colorspace) == 6  # BT.601
    assert int(frame.color_primaries) == 1  # BT.709, which are sRGB's
    assert int(frame.color_trc) == 13  # sRGB


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (20, 200, 90)])
def test_general_decoders_show_the_right_colours(colour: tuple[int, int, int]) -> None:
    pixels = np.full((48, 64, 3), colour, np.uint8)
    shown = foreign_frame(Hevc(quality=4).encode(pixels)).to_ndarray(format="rgb24")
    assert np.abs(shown.astype(int) - pixels).max() <= 4


@pytest.mark.parametrize("width", [31, 32, 33, 70, 1])
def test_the_padding_repeats_the_edge(width: int) -> None:
    frame = foreign_frame(Hevc(quality=4).encode(smooth_picture(width, 50)))
    assert (frame.width, frame.height) == (max(32, width + width % 2), 50)


def test_limited_range_is_refused_by_name() -> None:
    stream = foreign_stream(smooth_picture(64, 48), "range=limited:colormatrix=smpte170m")
    with pytest.raises(DecodeError, match=r"not 8-bit 4:2:0 in BT\.601 full range.*range 1"):
        Hevc().decode(stream, width=64, height=48)


def test_another_chroma_format_is_refused_by_name() -> None:
    parameters = "range=full:colormatrix=smpte170m"
    stream = foreign_stream(smooth_picture(64, 48), parameters, "yuv444p")
    with pytest.raises(DecodeError, match=r"yuvj?444p"):
        Hevc().decode(stream, width=64, height=48)


def test_two_pictures_are_refused() -> None:
    bitstream = Hevc().encode(smooth_picture(64, 48))
    with pytest.raises(DecodeError):
        Hevc().decode(bitstream * 2, width=64, height=48)


def test_a_picture_larger_than_announced_is_not_decoded() -> None:
    bitstream = Hevc().encode(np.zeros((1500, 1500, 3), np.uint8))
    with pytest.raises(DecodeError, match="larger than announced"):
        Hevc().decode(bitstream, width=64, height=48)


def test_idle_encoders_are_bounded() -> None:
    for size in range(32, 64, 2):
        Hevc().encode(smooth_picture(size, 32))
    assert 1 <= IDLE.idle <= IDLE.capacity


def test_an_encoder_that_failed_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = Hevc(quality=21)
    pixels = busy_picture(64, 48)
    expected = codec.encode(pixels)
    before = IDLE.idle

    def fail(*_: object) -> bytes:
        raise ValueError("out of order")

    with monkeypatch.context() as patch:
        patch.setattr("edge_daemon.codecs.hevc._Encoder.encode", fail)
        with pytest.raises(EncodeError, match=r"out of order.*64x48"):
            codec.encode(pixels)
    assert IDLE.idle == before - 1
    assert codec.encode(pixels) == expected


def test_encoder_and_decoder_are_silent(capfd: pytest.CaptureFixture[str]) -> None:
    bitstream = Hevc(quality=22).encode(busy_picture(70, 50))
    Hevc().decode(bitstream, width=70, height=50)
    for damaged in (bitstream[:60], bitstream[:-10], bitstream[60:]):
        with suppress(DecodeError):
            Hevc().decode(damaged, width=70, height=50)
    assert capfd.readouterr() == ("", "")


def test_a_slower_preset_is_at_least_as_faithful() -> None:
    pixels = busy_picture(96, 64)
    fidelity: dict[str, float] = {}
    for preset in ("ultrafast", "medium"):
        codec = Hevc(quality=30, preset=preset)
        decoded = codec.decode(codec.encode(pixels), width=96, height=64)
        fidelity[preset] = psnr(decoded, pixels)
    assert fidelity["medium"] >= fidelity["ultrafast"] - 0.1


def test_an_unknown_preset_lists_the_known() -> None:
    with pytest.raises(BadQualityError, match=r"placebo.*ultrafast, superfast"):
        Hevc(preset="placebo")
