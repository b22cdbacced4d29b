from __future__ import annotations

import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_daemon.codecs.hevc import PRESETS, SUBSAMPLINGS, Hevc
from edge_daemon.codecs.hevc_encoder import ENCODERS
from edge_daemon.errors import BadQualityError, DecodeError, EncodeError, UnsupportedError
from edge_daemon.quantiser import MAX_OFFSET, QuantiserMap
from support.pictures import busy_picture, psnr, smooth_picture


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


def slice_quantiser(bitstream: bytes) -> int:
    """The QP in the slice header."""
    start = bitstream.index(b"\x00\x00\x01\x28\x01") + 5
    bits = "".join(f"{byte:08b}" for byte in bitstream[start : start + 6])[6:]
    zeros = bits.index("1")
    code = int(bits[zeros : 2 * zeros + 1], 2) - 1
    return 26 + (code + 1) // 2 * (1 if code % 2 else -1)


def uniform(offset: float) -> QuantiserMap:
    return QuantiserMap(np.full((1, 1), offset, np.float32))


def decoded(codec: Hevc, bitstream: bytes, like: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = like.shape[:2]
    return codec.decode(bitstream, width=width, height=height)


# 8 x 12 cells: sharp in the middle, a slope around it, coarse at the border
BUMP = QuantiserMap(
    np.asarray(
        np.clip(np.hypot(*np.mgrid[-3.5:4, -5.5:6]) * 5 - 12, 0, 12),
        np.float32,
    )
)
both_subsamplings = pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
every_preset = pytest.mark.parametrize("preset", PRESETS)


def test_a_map_has_as_much_room_as_is_left_of_the_scale() -> None:
    codec, pixels = Hevc(quality=39), busy_picture(256, 256)
    assert codec.quantiser.room == 12.0
    within, at_the_end, beyond = (len(codec.encode(pixels, uniform(o))) for o in (6, 12, 24))
    assert within < 0.8 * len(codec.encode(pixels))
    assert at_the_end < 0.9 * within
    # x265 weighs its choices a little differently there, but its step grows no further.
    assert beyond == pytest.approx(at_the_end, rel=0.05)


@both_subsamplings
@pytest.mark.parametrize("offsets", [None, BUMP], ids=["plain", "mapped"])
def test_bytes_do_not_depend_on_what_was_encoded_before(
    subsampling: str, offsets: QuantiserMap | None
) -> None:
    codec = Hevc(subsampling=subsampling)
    pixels = busy_picture(96, 64)
    first = codec.encode(pixels, offsets)
    others = (None, BUMP, uniform(4))
    for seed in range(40):  # x265's count of pictures comes round after 31
        codec.encode(busy_picture(96, 64, seed), others[seed % 3])
        assert codec.encode(pixels, offsets) == first
    for size in range(32, 64, 4):  # as many other encoders as push this one out
        codec.encode(smooth_picture(size, 32))
    assert codec.encode(pixels, offsets) == first


@every_preset
@pytest.mark.parametrize("quality", [0, 1, 12, 25, 26, 27, 32, 45, 51])
def test_bytes_are_the_same_at_any_setting(preset: str, quality: int) -> None:
    for subsampling, offsets in itertools.product(SUBSAMPLINGS, (None, uniform(3))):
        codec = Hevc(quality=quality, preset=preset, subsampling=subsampling)
        pixels = busy_picture(40, 40)
        assert len({codec.encode(pixels, offsets) for _ in range(4)}) == 1


@both_subsamplings
@pytest.mark.parametrize("quality", [0, 10, 25, 26, 27, 32, 51])
def test_quality_is_the_quantiser_in_the_slice_header(quality: int, subsampling: str) -> None:
    codec = Hevc(quality=quality, subsampling=subsampling)
    pixels = busy_picture(64, 48)
    assert slice_quantiser(codec.encode(pixels)) == quality
    assert slice_quantiser(codec.encode(pixels, BUMP)) == quality


@both_subsamplings
@every_preset
def test_a_map_counts_at_every_preset(preset: str, subsampling: str) -> None:
    """x265 ignores regions in silence where its adaptive quantisation is off."""
    codec = Hevc(quality=26, preset=preset, subsampling=subsampling)
    pixels = busy_picture(256, 192)
    plain, mapped = codec.encode(pixels), codec.encode(pixels, BUMP)
    assert len(mapped) < 0.75 * len(plain)
    before, after = (decoded(codec, one, pixels) for one in (plain, mapped))
    middle = np.s_[80:112, 112:144]
    assert psnr(after[middle], pixels[middle]) > psnr(before[middle], pixels[middle]) - 0.3
    border = np.s_[:32]
    assert psnr(after[border], pixels[border]) < psnr(before[border], pixels[border]) - 2


@both_subsamplings
@pytest.mark.parametrize("preset", ["ultrafast", "superfast", "medium"])
@pytest.mark.parametrize("quality", [0, 12, 20])
def test_an_offset_is_counted_in_steps_of_the_quality(
    quality: int, preset: str, subsampling: str
) -> None:
    pixels = busy_picture(256, 192)
    codec = Hevc(quality, preset, subsampling)
    mapped = codec.encode(pixels, uniform(6.9))  # rounded down
    coarser = Hevc(quality + 6, preset, subsampling).encode(pixels)
    assert len(mapped) == pytest.approx(len(coarser), rel=0.03)
    fidelities = [psnr(decoded(codec, one, pixels), pixels) for one in (mapped, coarser)]
    assert fidelities[0] == pytest.approx(fidelities[1], abs=0.15)


@pytest.mark.parametrize("offset", [0, 0.99])
def test_a_map_that_coarsens_nothing_gives_the_bytes_of_no_map(offset: float) -> None:
    pixels = busy_picture(70, 50)
    assert Hevc().encode(pixels, uniform(offset)) == Hevc().encode(pixels)


@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    cells=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    codec=st.builds(
        Hevc,
        quality=st.integers(0, 51),
        preset=st.sampled_from(PRESETS),
        subsampling=st.sampled_from(SUBSAMPLINGS),
    ),
    seed=st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=60)
def test_any_map_at_any_size_gives_a_picture(
    width: int, height: int, cells: tuple[int, int], codec: Hevc, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    offsets = QuantiserMap((rng.random(cells) * MAX_OFFSET).astype(np.float32))
    pixels = busy_picture(width, height, seed)
    bitstream = codec.encode(pixels, offsets)
    assert codec.encode(pixels, offsets) == bitstream
    assert decoded(codec, bitstream, pixels).shape == pixels.shape


@both_subsamplings
@pytest.mark.parametrize(("width", "height"), [(1, 1), (31, 33), (101, 67)])
def test_odd_and_tiny_pictures_take_a_map(width: int, height: int, subsampling: str) -> None:
    codec = Hevc(quality=12, subsampling=subsampling)
    pixels = busy_picture(width, height)
    mapped = codec.encode(pixels, uniform(20))
    assert len(mapped) <= len(codec.encode(pixels))
    assert psnr(decoded(codec, mapped, pixels), pixels) > 25
    sharp = decoded(codec, codec.encode(pixels, uniform(0)), pixels)
    assert psnr(sharp, pixels) > 35 or subsampling == "420"


def test_threads_share_mapped_and_plain_encoders() -> None:
    work = [(busy_picture(64, 48, n), (None, BUMP, uniform(n))[n % 3]) for n in range(12)]
    expected = [Hevc().encode(*one) for one in work]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(Hevc().encode, *zip(*work * 2, strict=True))) == expected * 2


def test_without_the_filter_a_map_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for a build of FFmpeg without `addroi`."""
    assert Hevc.takes_map()
    monkeypatch.setattr("edge_daemon.codecs.hevc_regions.filters_available", {"scale"})
    assert not Hevc.takes_map()
    with pytest.raises(UnsupportedError, match="hevc takes no quantiser map"):
        Hevc().encode(busy_picture(32, 32), BUMP)


def test_a_bitstream_is_parameter_sets_and_one_intra_picture() -> None:
    for offsets in (None, BUMP):
        assert nal_types(Hevc().encode(busy_picture(64, 48), offsets)) == [32, 33, 34, 20]


@both_subsamplings
@pytest.mark.parametrize("offsets", [None, BUMP], ids=["plain", "mapped"])
def test_general_decoders_are_told_colours_and_range(
    offsets: QuantiserMap | None, subsampling: str
) -> None:
    frame = foreign_frame(Hevc(subsampling=subsampling).encode(busy_picture(64, 48), offsets))
    assert int(frame.color_range) == 2  # full
    assert int(frame.colorspace) == 6  # BT.601
    assert int(frame.color_primaries) == 1  # BT.709, which are sRGB's
    assert int(frame.color_trc) == 13  # sRGB


@both_subsamplings
@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (20, 200, 90)])
def test_general_decoders_show_the_right_colours(
    colour: tuple[int, int, int], subsampling: str
) -> None:
    pixels = np.full((48, 64, 3), colour, np.uint8)
    codec = Hevc(quality=4, subsampling=subsampling)
    shown = foreign_frame(codec.encode(pixels)).to_ndarray(format="rgb24")
    assert np.abs(shown.astype(int) - pixels).max() <= 4


@pytest.mark.parametrize("width", [31, 32, 33, 70, 1])
def test_the_padding_repeats_the_edge(width: int) -> None:
    frame = foreign_frame(Hevc(quality=4).encode(smooth_picture(width, 50)))
    assert (frame.width, frame.height) == (max(32, width + width % 2), 50)
    full = foreign_frame(Hevc(quality=4, subsampling="444").encode(smooth_picture(width, 51)))
    assert (full.width, full.height) == (max(32, width), 51)


@every_preset
def test_full_colour_resolution_keeps_finer_colour(preset: str) -> None:
    """At every preset: x265 coarsens 4:4:4 colour by six steps where it may."""
    small = np.random.default_rng(5).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    pixels = np.asarray(cv2.resize(small, (192, 144), interpolation=cv2.INTER_CUBIC), np.uint8)
    errors: dict[str, float] = {}
    for subsampling in SUBSAMPLINGS:
        codec = Hevc(quality=24, preset=preset, subsampling=subsampling)
        shown = decoded(codec, codec.encode(pixels), pixels)
        chroma = [
            cv2.cvtColor(one, cv2.COLOR_RGB2YCrCb)[..., 1:].astype(float) for one in (shown, pixels)
        ]
        errors[subsampling] = float(np.mean((chroma[0] - chroma[1]) ** 2))
    assert errors["444"] < 0.6 * errors["420"]


def test_a_configuration_without_subsampling_means_420() -> None:
    config = {"id": "hevc", "quality": 34, "preset": "medium"}
    assert Hevc.from_config(config) == Hevc(34, "medium", "420")


def test_the_other_subsampling_is_refused() -> None:
    pixels = busy_picture(64, 48)
    with pytest.raises(DecodeError, match=r"not 8-bit 4:4:4.*yuvj?420p"):
        decoded(Hevc(subsampling="444"), Hevc().encode(pixels), pixels)
    with pytest.raises(DecodeError, match=r"not 8-bit 4:2:0.*yuvj?444p"):
        decoded(Hevc(), Hevc(subsampling="444").encode(pixels), pixels)


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
        Hevc().encode(smooth_picture(size, 32), BUMP)
    assert 1 <= ENCODERS.idle <= ENCODERS.capacity


def test_an_encoder_that_failed_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = Hevc(quality=21)
    pixels = busy_picture(64, 48)
    expected = codec.encode(pixels)
    before = ENCODERS.idle

    def fail(*_: object) -> bytes:
        raise ValueError("out of order")

    with monkeypatch.context() as patch:
        patch.setattr("edge_daemon.codecs.hevc_encoder.Encoder.encode", fail)
        with pytest.raises(EncodeError, match=r"out of order.*64x48"):
            codec.encode(pixels)
    assert ENCODERS.idle == before - 1
    assert codec.encode(pixels) == expected


def test_encoder_and_decoder_are_silent(capfd: pytest.CaptureFixture[str]) -> None:
    Hevc(quality=22).encode(busy_picture(70, 50), BUMP)
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


def test_an_unknown_subsampling_lists_the_known() -> None:
    with pytest.raises(BadQualityError, match=r"422.*420, 444"):
        Hevc(subsampling="422")
