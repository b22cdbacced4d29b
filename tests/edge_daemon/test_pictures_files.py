"""Files that can be opened, and what comes out of them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from edge_daemon.pictures import PictureLimits, open_picture, save_picture, to_png
from support.picture_files import png, png_chunk, saved, saved_deep, tiff_grey
from support.pictures import busy_picture, psnr

RGB = busy_picture(60, 40)
GREY = np.ascontiguousarray(RGB[..., 1])
GREY_RGB = np.repeat(GREY[..., None], 3, axis=2)
ALPHA = np.tile(np.linspace(0, 255, 60).astype(np.uint8), (40, 1))
DEEP = (
    (RGB.astype(np.int32) * 257 + np.random.default_rng(1).integers(-128, 129, RGB.shape))
    .clip(0, 65535)
    .astype(np.uint16)
)
DEEP_ALPHA = ALPHA.astype(np.uint16) * 257

NOTE_ALPHA = "alpha composited over white"
NOTE_DEEP = "16-bit samples scaled to 8 bits"
NOTE_FRAMES = "several frames: the first one taken"


def over_white(colour: NDArray[np.uint8]) -> NDArray[np.uint8]:
    share = ALPHA[..., None] / 255
    return np.round(colour * share + 255 * (1 - share)).astype(np.uint8)


def check(data: bytes, kind: str, expected: NDArray[np.uint8], *notes: str) -> None:
    """Exactly the expected pixels, format and notes."""
    picture = open_picture(data)
    assert picture.source_format == kind
    assert picture.notes == notes
    assert picture.pixels.flags.c_contiguous
    assert picture.pixels.dtype == np.uint8
    np.testing.assert_array_equal(picture.pixels, expected)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_formats_are_exact(kind: str) -> None:
    check(saved(RGB, kind), {"WEBP": "WebP"}.get(kind, kind), RGB)
    check(saved(GREY, kind), {"WEBP": "WebP"}.get(kind, kind), GREY_RGB)


@pytest.mark.parametrize("kind", ["JPEG", "AVIF", "HEIF"])
def test_lossy_formats_are_close(kind: str) -> None:
    picture = open_picture(saved(RGB, kind))
    assert (picture.source_format, picture.notes) == (kind, ())
    assert psnr(picture.pixels, RGB) > 33
    assert psnr(open_picture(saved(GREY, kind)).pixels, GREY_RGB) > 33


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1)])
@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "JPEG", "AVIF", "HEIF", "GIF"])
def test_tiny_pictures(kind: str, size: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), (200, 40, 90), np.uint8)
    opened = open_picture(saved(pixels, kind)).pixels
    assert opened.shape == pixels.shape
    assert np.abs(opened.astype(int) - pixels).max() <= 4


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_alpha_is_composited_over_white(kind: str) -> None:
    name = {"WEBP": "WebP"}.get(kind, kind)
    check(saved(np.dstack([RGB, ALPHA]), kind), name, over_white(RGB), NOTE_ALPHA)
    if kind != "WEBP":
        grey_alpha = Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(ALPHA)])
        check(saved(grey_alpha, kind), name, over_white(GREY_RGB), NOTE_ALPHA)


def test_palettes_with_and_without_a_transparent_colour() -> None:
    palette = Image.fromarray(RGB).quantize(16)
    colours = np.asarray(palette.convert("RGB"), np.uint8)
    check(saved(palette, "PNG"), "PNG", colours)
    check(saved(palette, "GIF"), "GIF", colours)
    holes = np.array(colours)
    holes[np.asarray(palette, np.uint8) == 3] = 255
    check(saved(palette, "PNG", transparency=3), "PNG", holes, NOTE_ALPHA)
    check(saved(palette, "GIF", transparency=3), "GIF", holes, NOTE_ALPHA)


def test_a_transparent_colour_of_rgb_and_of_two_levels() -> None:
    colour = tuple(int(c) for c in RGB[5, 5])
    holes = np.array(RGB)
    holes[(RGB[5, 5] == RGB).all(axis=2)] = 255
    check(saved(RGB, "PNG", transparency=colour), "PNG", holes, NOTE_ALPHA)
    two = Image.fromarray(GREY).convert("1")
    check(saved(two, "PNG"), "PNG", np.asarray(two.convert("RGB"), np.uint8))
    check(saved(two, "PNG", transparency=0), "PNG", np.full_like(RGB, 255), NOTE_ALPHA)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bit_colour_is_rounded_not_cut(suffix: str) -> None:
    kind = suffix[1:].upper()
    check(saved_deep(DEEP, suffix), kind, RGB, NOTE_DEEP)
    with_alpha = np.dstack([DEEP, DEEP_ALPHA])
    check(saved_deep(with_alpha, suffix), kind, over_white(RGB), NOTE_DEEP, NOTE_ALPHA)


def test_sixteen_bit_grey_is_rounded_not_cut() -> None:
    grey = np.ascontiguousarray(DEEP[..., 1])
    check(saved(Image.fromarray(grey), "PNG"), "PNG", GREY_RGB, NOTE_DEEP)
    for byte_order in "<>":
        check(tiff_grey(grey, byte_order=byte_order), "TIFF", GREY_RGB, NOTE_DEEP)
    check(tiff_grey(65535 - grey, photometric=0), "TIFF", GREY_RGB, NOTE_DEEP)
    samples = np.dstack([grey, DEEP_ALPHA]).astype(">u2")
    rows = b"".join(b"\x00" + row.tobytes() for row in samples)
    grey_alpha = png(60, 40, rows, depth=16, colour=4)
    check(grey_alpha, "PNG", over_white(GREY_RGB), NOTE_DEEP, NOTE_ALPHA)


def test_cmyk_is_converted() -> None:
    note = "CMYK converted without a colour profile"
    check(saved(Image.fromarray(RGB).convert("CMYK"), "TIFF"), "TIFF", RGB, note)
    jpeg = open_picture(saved(Image.fromarray(RGB).convert("CMYK"), "JPEG"))
    assert jpeg.notes == (note,)
    assert psnr(jpeg.pixels, RGB) > 33


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF"])
def test_orientation_is_applied(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(RGB)
    data = saved(stored, kind, exif=exif.tobytes())
    stored.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(stored), np.uint8)
    opened = open_picture(data).pixels
    assert opened.shape == expected.shape
    assert opened.flags.c_contiguous
    assert psnr(opened, expected) > 33


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_unreadable_exif_block_does_not_cost_the_picture() -> None:
    data = saved(RGB, "PNG", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff")
    np.testing.assert_array_equal(open_picture(data).pixels, RGB)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
def test_the_first_of_several_frames_is_taken(kind: str) -> None:
    first, second = np.zeros((20, 30, 3), np.uint8), np.full((20, 30, 3), 255, np.uint8)
    more = [Image.fromarray(second)] * 2
    picture = open_picture(saved(first, kind, save_all=True, append_images=more))
    assert picture.notes[:1] == (NOTE_FRAMES,)
    assert picture.pixels.max() <= 3


def test_the_first_picture_of_a_multi_picture_jpeg_is_taken() -> None:
    more = [Image.fromarray(np.zeros_like(RGB))]
    file = io.BytesIO()
    Image.fromarray(RGB).save(file, "MPO", save_all=True, append_images=more, quality=95)
    picture = open_picture(file.getvalue())
    assert picture.notes == (NOTE_FRAMES,)
    assert psnr(picture.pixels, RGB) > 33


def test_a_colour_profile_is_noted_unless_it_is_srgb() -> None:
    note = "colour profile ignored, taken as sRGB"
    check(saved(RGB, "PNG", icc_profile=b"some profile of Display P3"), "PNG", RGB, note)
    check(saved(RGB, "PNG", icc_profile=b"some profile of sRGB"), "PNG", RGB)


def test_pixels_are_writable_and_own_their_memory() -> None:
    for kind in ("PNG", "JPEG", "HEIF"):
        pixels = open_picture(saved(RGB, kind)).pixels
        pixels[0, 0] = 7
        assert (pixels[0, 0] == 7).all()


def test_the_limit_on_pixels_is_inclusive() -> None:
    limits = PictureLimits(max_pixels=60 * 40)
    assert open_picture(saved(RGB, "PNG"), limits).pixels.shape == RGB.shape


def test_harmless_metadata_is_ignored() -> None:
    text = png_chunk(b"tEXt", b"Comment\x00" + b"x" * 100_000)
    rows = b"".join(b"\x00" + row.tobytes() for row in RGB)
    check(png(60, 40, rows, extra=text), "PNG", RGB)


def test_saved_pictures_come_back(tmp_path: Path) -> None:
    path = tmp_path / "out é.png"
    save_picture(RGB, path)
    assert path.read_bytes() == to_png(RGB)
    check(path.read_bytes(), "PNG", RGB)
