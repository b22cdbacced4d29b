from __future__ import annotations

import re
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import av
import numpy as np
import pytest

from edge_daemon.codecs import annex_b, check_encoder, vvc, vvc_ffmpeg, vvc_library
from edge_daemon.codecs.abc import CodecStatus
from edge_daemon.codecs.vvc import Vvc
from edge_daemon.codecs.vvc_ffmpeg import FfmpegEncoder, find_ffmpeg, run_killable
from edge_daemon.codecs.vvc_planes import rgb_to_planes
from edge_daemon.errors import BadQualityError, DecodeError, NoEncoderError
from support.pictures import busy_picture, psnr, smooth_picture
from support.pyav import without_codecs

PARAMETERS = vvc._PARAMETERS  # pyright: ignore[reportPrivateUsage]
choose = vvc._choose  # pyright: ignore[reportPrivateUsage]
Pace = vvc._Pace  # pyright: ignore[reportPrivateUsage]

needs_encoder = pytest.mark.skipif(
    bool(Vvc.status().problem), reason="no libvvenc: pip install 'edge-daemon[vvc]'"
)
IDR, SPS, PPS, PREFIX_APS = 8, 15, 16, 17


@pytest.fixture
def program() -> FfmpegEncoder:
    """The FFmpeg with libvvenc, whichever encoder the codec chose."""
    try:
        return find_ffmpeg()
    except NoEncoderError as error:
        pytest.skip(error.problem)


@pytest.fixture
def undecided() -> Generator[None]:
    """The choice of the encoder is made anew, in the test and after it."""
    choose.cache_clear()
    yield
    choose.cache_clear()


def parameters(**other: object) -> dict[str, object]:
    return {**PARAMETERS, "qp": 32, **other}


def nal_types(bitstream: bytes) -> list[int]:
    return [found[1][1] >> 3 for found in re.finditer(rb"\x00\x00\x01(..)", bitstream, re.S)]


def foreign_frame(bitstream: bytes) -> av.VideoFrame:
    """The picture as a general decoder sees it."""
    decoder = av.CodecContext.create("vvc", "r")
    (frame,) = decoder.decode(av.Packet(bitstream)) + decoder.decode(None)
    return frame


@needs_encoder
def test_a_bitstream_is_parameter_sets_and_one_intra_picture() -> None:
    types = nal_types(Vvc().encode(busy_picture(64, 48)))
    assert [one for one in types if one != PREFIX_APS] == [SPS, PPS, IDR]


@needs_encoder
def test_general_decoders_are_told_colours_and_range() -> None:
    frame = foreign_frame(Vvc().encode(busy_picture(64, 48)))
    assert frame.format.name == "yuv420p10le"
    assert int(frame.color_range) == 2  # full
    assert int(frame.colorspace) == 6  # BT.601
    assert int(frame.color_primaries) == 1  # BT.709, which are sRGB's
    assert int(frame.color_trc) == 13  # sRGB


@needs_encoder
@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 0, 255), (20, 200, 90)])
def test_general_decoders_show_the_right_colours(colour: tuple[int, int, int]) -> None:
    pixels = np.full((48, 64, 3), colour, np.uint8)
    shown = foreign_frame(Vvc(quality=4).encode(pixels)).to_ndarray(format="rgb24")
    assert np.abs(shown.astype(int) - pixels).max() <= 4


@needs_encoder
@pytest.mark.parametrize("width", [31, 33, 70, 1])
def test_the_padding_is_part_of_the_bitstream(width: int) -> None:
    frame = foreign_frame(Vvc(quality=20).encode(smooth_picture(width, 50)))
    assert (frame.width, frame.height) == (max(32, width + width % 2), 50)


@needs_encoder
@pytest.mark.parametrize("size", [(64, 48), (70, 50), (33, 90)])
def test_noise_that_takes_more_than_one_byte_per_pixel_survives(size: tuple[int, int]) -> None:
    """FFmpeg's wrapper drops such a picture unless it is enlarged."""
    width, height = size
    noise = np.random.default_rng(1).integers(0, 256, (height, width, 1), dtype=np.uint8)
    pixels = np.repeat(noise, 3, axis=2)
    bitstream = Vvc(quality=0).encode(pixels)
    assert len(bitstream) > width * height
    assert psnr(Vvc().decode(bitstream, width=width, height=height), pixels) > 55
    frame = foreign_frame(bitstream)
    assert (frame.width, frame.height) == (width + width % 2, height)


@pytest.mark.parametrize("quality", [0, 17, 26, 32, 63])
def test_quality_is_the_quantiser_in_the_slice_header(quality: int, program: FfmpegEncoder) -> None:
    planes = rgb_to_planes(smooth_picture(64, 48))
    bitstream = program.encode(planes, "faster", parameters(qp=quality))
    trace = run_killable(
        [
            *(program.program, "-hide_banner", "-nostdin", "-f", "vvc", "-i", "pipe:0"),
            *("-c", "copy", "-bsf:v", "trace_headers", "-f", "null", "-"),
        ],
        bitstream,
        60.0,
    ).stderr.decode()
    found = dict(re.findall(r"(pps_init_qp_minus26|sh_qp_delta)\s+[01]+ = (-?\d+)", trace))
    assert 26 + int(found["pps_init_qp_minus26"]) + int(found["sh_qp_delta"]) == quality


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"range": "limited"}, "range 1"),
        ({"matrixcoefficients": "bt709"}, "matrix 1"),
        ({"internalbitdepth": 8}, "yuvj?420p,"),
    ],
)
def test_other_conventions_are_refused_by_name(
    other: dict[str, object], told: str, program: FfmpegEncoder
) -> None:
    planes = rgb_to_planes(smooth_picture(64, 48))
    bitstream = program.encode(planes, "faster", parameters(**other))
    with pytest.raises(DecodeError, match=rf"not 10-bit 4:2:0 in BT\.601 full range.*{told}"):
        Vvc().decode(bitstream, width=64, height=48)


@needs_encoder
def test_two_pictures_are_refused() -> None:
    bitstream = Vvc().encode(smooth_picture(64, 48))
    with pytest.raises(DecodeError):
        Vvc().decode(bitstream * 2, width=64, height=48)


@needs_encoder
def test_a_picture_larger_than_announced_is_not_decoded() -> None:
    bitstream = Vvc(quality=63).encode(np.zeros((1400, 1400, 3), np.uint8))
    with pytest.raises(DecodeError, match="larger than announced"):
        Vvc().decode(bitstream, width=64, height=48)


@needs_encoder
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.8])
def test_truncation_is_refused(kept: float) -> None:
    bitstream = Vvc(quality=22).encode(busy_picture(120, 90))
    with pytest.raises(DecodeError, match="VVC bitstream"):
        Vvc().decode(bitstream[: int(len(bitstream) * kept)], width=120, height=90)


@needs_encoder
def test_encoder_and_decoder_are_silent(capfd: pytest.CaptureFixture[str]) -> None:
    bitstream = Vvc(quality=22).encode(busy_picture(70, 50))
    Vvc().decode(bitstream, width=70, height=50)
    for damaged in (bitstream[:60], bitstream[:-10], bitstream[60:]):
        with suppress(DecodeError):
            Vvc().decode(damaged, width=70, height=50)
    assert capfd.readouterr() == ("", "")


@needs_encoder
def test_a_slower_preset_is_at_least_as_faithful() -> None:
    pixels = busy_picture(96, 64)
    fidelity: dict[str, float] = {}
    for preset in ("faster", "fast"):
        codec = Vvc(quality=30, preset=preset)
        decoded = codec.decode(codec.encode(pixels), width=96, height=64)
        fidelity[preset] = psnr(decoded, pixels)
    assert fidelity["fast"] >= fidelity["faster"] - 0.1


def test_an_unknown_preset_lists_the_known() -> None:
    with pytest.raises(BadQualityError, match=r"placebo.*faster, fast, medium"):
        Vvc(preset="placebo")


class Nothing:
    """Stands in for a search that finds no encoder, and counts how often it is asked."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        self.calls = 0

    def __call__(self) -> Any:
        self.calls += 1
        raise NoEncoderError(self.problem, remedy="install the thing")


@pytest.mark.usefixtures("undecided")
def test_without_an_encoder_the_status_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vvc_library, "find_library", Nothing("no library here"))
    monkeypatch.setattr(vvc_ffmpeg, "_programs", list)
    problem = Vvc.status().problem
    assert "no library here" in problem
    assert "there is no ffmpeg program" in problem
    assert "pip install 'edge-daemon[vvc]'" in problem
    with pytest.raises(NoEncoderError, match=r"pip install 'edge-daemon\[vvc\]'"):
        Vvc().encode(smooth_picture(64, 48))
    with pytest.raises(NoEncoderError, match="no library here"):
        check_encoder(Vvc())


@pytest.mark.usefixtures("undecided")
def test_the_encoder_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    library, ffmpeg = Nothing("no library"), Nothing("no program")
    monkeypatch.setattr(vvc_library, "find_library", library)
    monkeypatch.setattr(vvc_ffmpeg, "find_ffmpeg", ffmpeg)

    def status(_: int) -> CodecStatus:
        return Vvc.status()

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(status, range(32)))
    assert len(found) == 1
    assert (library.calls, ffmpeg.calls) == (1, 1)


def test_a_pyav_without_the_decoder_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    without_codecs(monkeypatch, annex_b)
    with pytest.raises(DecodeError, match=r"no VVC decoder.*install av 17\.1"):
        Vvc().decode(b"\x00\x00\x01", width=64, height=48)


def test_expected_seconds_follow_the_size_and_what_encoding_took() -> None:
    pace = Pace()
    small, large = (pace.expected_s("faster", 32, pixels) for pixels in (300_000, 2_000_000))
    assert 0 < small < large
    assert pace.expected_s("medium", 32, 300_000) > small
    assert pace.expected_s("faster", 20, 300_000) > small
    for _ in range(50):
        pace.took("faster", 32, 2_000_000, 40.0)
    assert pace.expected_s("faster", 32, 2_000_000) == pytest.approx(40.0, rel=0.01)
    assert pace.expected_s("fast", 32, 2_000_000) == Pace().expected_s("fast", 32, 2_000_000)
    learnt = pace.expected_s("faster", 32, 300_000)
    pace.took("faster", 32, 1024, 40.0)  # tells of the start, not of the pace
    assert pace.expected_s("faster", 32, 300_000) == learnt


@needs_encoder
def test_encoding_is_what_the_expectation_learns_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vvc, "_PACE", Pace())
    before = Vvc().expected_encode_s(1920, 1080)
    Vvc().encode(smooth_picture(400, 300))
    assert Vvc().expected_encode_s(1920, 1080) != before
