from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge_daemon.codecs import Codec, get_codec, jpeg_blocks
from edge_daemon.codecs.jpeg import Jpeg
from edge_daemon.errors import BadQualityError, DecodeError, EncodeError, UnsupportedError
from edge_daemon.quantiser import QuantiserMap
from support.picture_files import scans_upon_scans
from support.pictures import busy_picture, psnr

BUILT = jpeg_blocks.status() == jpeg_blocks.AVAILABLE
CODINGS = [(False, False), (True, False), (True, True), (False, True)]
"""Optimised or not, progressive or not."""

needs_library = pytest.mark.skipif(not BUILT, reason=jpeg_blocks.status())


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where the library could not be built."""

    def load() -> None:
        raise jpeg_blocks.LibraryError("the JPEG library was not built: install libjpeg-dev")

    monkeypatch.setattr(jpeg_blocks, "load", load)


def coded(coding: tuple[bool, bool], quality: int = 80, subsampling: str = "420") -> Jpeg:
    optimise, progressive = coding
    return Jpeg(quality, subsampling, optimise, progressive)


def decoded(codec: Codec, bitstream: bytes, pixels: np.ndarray) -> np.ndarray:
    return codec.decode(bitstream, width=pixels.shape[1], height=pixels.shape[0])


def test_444_keeps_colour_detail_that_420_loses() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, ::2, 0] = 255
    fidelity = {
        subsampling: psnr(decoded(codec, codec.encode(pixels), pixels), pixels)
        for subsampling in ("420", "444")
        for codec in [Jpeg(quality=95, subsampling=subsampling)]
    }
    assert fidelity["444"] > fidelity["420"] + 10


@pytest.mark.parametrize("subsampling", ["422", 420, ["444"]])
def test_subsampling_is_one_of_two(subsampling: str) -> None:
    with pytest.raises(BadQualityError, match=r"420, 444.*got"):
        Jpeg(subsampling=subsampling)


@pytest.mark.parametrize("option", ["optimise", "progressive"])
@pytest.mark.parametrize("value", [0, 1, None, "true", 1.0, np.True_, [True]])
def test_flags_are_true_or_false_and_nothing_else(option: str, value: object) -> None:
    with pytest.raises(BadQualityError, match=rf"jpeg {option} must be true or false"):
        get_codec({"id": "jpeg", option: value})


@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    quality=st.integers(1, 100),
    subsampling=st.sampled_from(["420", "444"]),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=60)
def test_the_picture_is_the_same_however_it_is_coded(
    width: int, height: int, quality: int, subsampling: str, seed: int
) -> None:
    pixels = busy_picture(width, height, seed)
    codecs = [coded(coding, quality, subsampling) for coding in CODINGS]
    pictures = [decoded(codec, codec.encode(pixels), pixels) for codec in codecs]
    for picture in pictures[1:]:
        assert np.array_equal(picture, pictures[0])


def test_each_coding_is_the_one_asked_for_and_smaller_than_the_fixed_tables() -> None:
    pixels = busy_picture(300, 200)
    bitstreams = [coded(coding, 40).encode(pixels) for coding in CODINGS]
    assert [b"\xff\xc2" in bitstream[:700] for bitstream in bitstreams] == [
        False,
        False,
        True,
        True,
    ]
    fixed, optimised, progressive, also_progressive = map(len, bitstreams)
    assert optimised < fixed
    assert progressive < fixed
    assert also_progressive == progressive


@pytest.mark.parametrize("coding", CODINGS)
def test_pillow_sees_the_same_picture(coding: tuple[bool, bool]) -> None:
    pixels = busy_picture(53, 37)
    bitstream = coded(coding).encode(pixels)
    image = Image.open(io.BytesIO(bitstream))
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (53, 37))
    assert psnr(np.asarray(image, np.uint8), decoded(Jpeg(), bitstream, pixels)) > 45


def test_noise_at_the_best_quality_is_no_smaller_than_its_pixels_and_still_encodes() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    for coding in CODINGS:
        bitstream = coded(coding, 100, "444").encode(noise)
        assert len(bitstream) > noise.size / 2
        assert psnr(decoded(Jpeg(), bitstream, noise), noise) > 45


def test_a_side_beyond_the_format_is_refused_by_name() -> None:
    for coding in CODINGS:
        with pytest.raises(EncodeError, match=r"65500.*65501x1"):
            coded(coding).encode(np.zeros((1, 65_501, 3), np.uint8))


@pytest.mark.parametrize(("width", "height"), [(65_500, 1), (1, 65_500)])
def test_the_longest_side_of_the_format_works(width: int, height: int) -> None:
    pixels = np.full((height, width, 3), 77, np.uint8)
    for coding in CODINGS:
        codec = coded(coding, 95)
        assert np.abs(decoded(codec, codec.encode(pixels), pixels).astype(int) - 77).max() <= 1


# --- Without the library ----------------------------------------------------------------------


@pytest.mark.usefixtures("no_library")
def test_without_the_library_the_status_says_what_is_missing_and_what_helps() -> None:
    status = Jpeg.status()
    assert "libjpeg-turbo" in status.encoder
    assert status.version[0].isdigit()
    assert not status.problem
    assert "no quantiser map" in status.note
    assert "install libjpeg-dev" in status.note


@pytest.mark.usefixtures("no_library")
def test_without_the_library_a_map_is_refused_by_name() -> None:
    assert not Jpeg.takes_map()
    flat = QuantiserMap(np.zeros((1, 1), np.float32))
    with pytest.raises(UnsupportedError, match=r"jpeg takes no quantiser map"):
        Jpeg().encode(busy_picture(16, 16), flat)


@needs_library
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("subsampling", ["420", "444"])
@pytest.mark.parametrize("quality", [1, 50, 95, 96, 100])
def test_without_the_library_the_pixels_are_the_same(
    quality: int, subsampling: str, coding: tuple[bool, bool], request: pytest.FixtureRequest
) -> None:
    codec = coded(coding, quality, subsampling)
    pictures = [busy_picture(1, 1), busy_picture(53, 37), busy_picture(160, 120)]
    here = [codec.encode(pixels) for pixels in pictures]
    request.getfixturevalue("no_library")
    for pixels, bitstream in zip(pictures, here, strict=True):
        without = codec.encode(pixels)
        assert np.array_equal(decoded(codec, without, pixels), decoded(codec, bitstream, pixels))
        if not codec.optimise or codec.progressive:
            assert without == bitstream


def test_a_library_that_cannot_serve_says_why(tmp_path: Path) -> None:
    with pytest.raises(jpeg_blocks.LibraryError, match=r"not built.*libjpeg-dev"):
        jpeg_blocks.load(tmp_path / "absent.so")
    damaged = tmp_path / "damaged.so"
    damaged.write_bytes(b"no library")
    with pytest.raises(jpeg_blocks.LibraryError, match=r"cannot be loaded.*reinstall"):
        jpeg_blocks.load(damaged)


@needs_library
def test_with_the_library_the_status_names_its_libjpeg() -> None:
    status = Jpeg.status()
    assert (status.encoder, status.problem, status.note) == ("libjpeg-turbo", "", "")
    assert status.version == jpeg_blocks.version()
    assert int(status.version.split(".")[0]) >= 1


# --- What others write ------------------------------------------------------------------------


def test_a_grey_jpeg_decodes_to_rgb() -> None:
    file = io.BytesIO()
    Image.fromarray(busy_picture(40, 30)[..., 0]).save(file, "JPEG", quality=95)
    picture = Jpeg().decode(file.getvalue(), width=40, height=30)
    assert picture.shape == (30, 40, 3)
    assert np.array_equal(picture[..., 0], picture[..., 2])


def test_a_cmyk_jpeg_decodes_to_its_colours() -> None:
    pixels = busy_picture(40, 30)
    file = io.BytesIO()
    Image.fromarray(pixels).convert("CMYK").save(file, "JPEG", quality=95)
    assert psnr(decoded(Jpeg(), file.getvalue(), pixels), pixels) > 35


@pytest.mark.parametrize("kind", [0xC0, 0xC1, 0xC3, 0xC9])
def test_a_jpeg_of_12_bits_is_refused(kind: int) -> None:
    bitstream = bytearray(Jpeg(optimise=False).encode(busy_picture(40, 30)))
    at = bitstream.index(b"\xff\xc0")
    bitstream[at + 1] = kind
    bitstream[at + 4] = 12
    with pytest.raises(DecodeError):
        Jpeg().decode(bytes(bitstream), width=40, height=30)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_truncation_is_never_filled_in(kept: float, coding: tuple[bool, bool]) -> None:
    bitstream = coded(coding).encode(busy_picture(120, 90))
    with pytest.raises(DecodeError):
        Jpeg().decode(bitstream[: int(len(bitstream) * kept)], width=120, height=90)


def test_a_flood_of_scans_is_refused_before_it_is_decoded() -> None:
    few = Jpeg().decode(scans_upon_scans(90), width=16, height=16)
    assert np.all(few == 128)
    many = scans_upon_scans(800)
    assert len(many) < 10_000
    with pytest.raises(DecodeError, match="more than 100 scans"):
        Jpeg().decode(many, width=16, height=16)
