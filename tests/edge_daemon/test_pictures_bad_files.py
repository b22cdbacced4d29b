"""Files that must be refused: by type, with the value, and without decoding them."""

from __future__ import annotations

import resource
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from edge_daemon.errors import (
    DamagedImageError,
    EdgeError,
    NotAnImageError,
    PayloadTooLargeError,
    TooManyPixelsError,
)
from edge_daemon.pictures import PictureLimits, open_picture
from support.picture_files import (
    png,
    png_chunk,
    saved,
    saved_deep,
    scans_upon_scans,
    tiff_grey,
)
from support.pictures import busy_picture

RGB = busy_picture(60, 40)
KINDS = ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "AVIF", "HEIF"]


def peak_mebibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_the_limits_that_are_documented() -> None:
    assert PictureLimits() == PictureLimits(max_bytes=67_108_864, max_pixels=50_000_000)


def test_an_empty_payload() -> None:
    with pytest.raises(NotAnImageError, match="payload is empty"):
        open_picture(b"")


@pytest.mark.parametrize(
    "data", [b"hello", b"%PDF-1.7", b"GIF", b"\xff\xd8", b"RIFFxxxxAVI ", b"\x00" * 64, b"{}"]
)
def test_something_else_lists_the_formats(data: bytes) -> None:
    with pytest.raises(NotAnImageError, match=r"JPEG, PNG.*HEIF") as caught:
        open_picture(data)
    assert caught.value.value == repr(data[:16])


def test_an_mp4_is_not_a_picture() -> None:
    with pytest.raises(NotAnImageError):
        open_picture(b"\x00\x00\x00\x14ftypisom\x00\x00\x00\x00mp42" + bytes(100))


def test_too_many_bytes_are_not_parsed() -> None:
    with pytest.raises(PayloadTooLargeError, match=r"limit of 67108864 bytes.*100000000 bytes"):
        open_picture(bytes(100_000_000))
    with pytest.raises(PayloadTooLargeError, match="limit of 10 bytes"):
        open_picture(saved(RGB, "PNG"), PictureLimits(max_bytes=10))


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_pixels_for_a_limit(kind: str) -> None:
    with pytest.raises(TooManyPixelsError, match=r"limit of 2399 pixels.*60x40"):
        open_picture(saved(RGB, kind), PictureLimits(max_pixels=2399))


def test_a_bomb_is_seen_in_the_header() -> None:
    before = peak_mebibytes()
    rows = zlib.compress(bytes(1000))
    assert len(rows) < 100
    with pytest.raises(TooManyPixelsError, match="60000x60000"):
        open_picture(png(60_000, 60_000, bytes(1000)))
    plain = saved(RGB, "JPEG")
    at = plain.index(b"\xff\xc0") + 5
    with pytest.raises(TooManyPixelsError, match="65000x64000"):
        open_picture(plain[:at] + struct.pack(">HH", 64_000, 65_000) + plain[at + 4 :])
    moving = saved(RGB, "WEBP", save_all=True, append_images=[Image.fromarray(255 - RGB)])
    at = moving.index(b"VP8X") + 12
    huge = (16_382).to_bytes(3, "little") * 2
    with pytest.raises(TooManyPixelsError):
        open_picture(moving[:at] + huge + moving[at + 6 :])
    assert peak_mebibytes() < before + 100


def test_a_small_tiff_of_huge_tiles() -> None:
    data = tiff_grey(RGB[..., 0].astype(np.uint16), more_tags={322: 60_000, 323: 50_000})
    with pytest.raises(TooManyPixelsError, match="60000x50000"):
        open_picture(data)


def test_pillows_own_limit_plays_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_picture(saved(RGB, "PNG")).pixels.shape == (40, 60, 3)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_no_pixels_at_all(size: tuple[int, int]) -> None:
    with pytest.raises(DamagedImageError):
        open_picture(png(*size))
    bitmap = bytearray(saved(RGB, "BMP"))
    bitmap[18:26] = struct.pack("<ii", *size)
    with pytest.raises(DamagedImageError):
        open_picture(bytes(bitmap))


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("kind", KINDS)
def test_truncated_files(kind: str, kept: float) -> None:
    data = saved(RGB, kind)
    with pytest.raises((DamagedImageError, NotAnImageError)):
        open_picture(data[: int(len(data) * kept)])


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_truncated_sixteen_bit_files(suffix: str) -> None:
    data = saved_deep(RGB.astype(np.uint16) * 257, suffix)
    for kept in (0.4, 0.8):
        with pytest.raises(DamagedImageError):
            open_picture(data[: int(len(data) * kept)])


def test_truncated_files_are_not_completed_even_if_pillow_was_told_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """JPEG, the camera's format, does not depend on Pillow's global switch."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = saved(RGB, "JPEG")
    with pytest.raises(DamagedImageError):
        open_picture(data[: len(data) // 2])


def test_a_png_chunk_that_claims_to_be_longer_than_the_file() -> None:
    data = saved_deep(RGB.astype(np.uint16) * 257, ".png")
    at = data.index(b"IDAT") - 4
    longer = b"\x7f" + data[at + 1 :]
    with pytest.raises(DamagedImageError, match="longer than the file"):
        open_picture(data[:at] + longer)


def test_a_wrong_checksum_in_a_png() -> None:
    data = bytearray(saved(RGB, "PNG"))
    data[data.index(b"IDAT") + 40] ^= 0xFF
    with pytest.raises(DamagedImageError):
        open_picture(bytes(data))


@pytest.mark.parametrize("name", [b"zTXt", b"iCCP", b"iTXt"])
def test_a_bomb_in_the_metadata(name: bytes) -> None:
    before = peak_mebibytes()
    packed = zlib.compress(bytes(100_000_000), 9)
    prefix = {b"zTXt": b"a\x00\x00", b"iCCP": b"a\x00\x00", b"iTXt": b"a\x00\x01\x00\x00\x00"}
    with pytest.raises(DamagedImageError, match="too large"):
        open_picture(png(4, 4, bytes(52), extra=png_chunk(name, prefix[name] + packed)))
    assert peak_mebibytes() < before + 200


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (tiff_grey(RGB[..., 0].astype(np.float32), bits=32, sample_format=3), "'F'"),
        (tiff_grey(RGB[..., 0].astype(np.uint32), bits=32), "'I'"),
        (tiff_grey(RGB[..., 0].astype(np.int16), sample_format=2), "'I'"),
        (saved(Image.fromarray(RGB).convert("LAB"), "TIFF"), "'LAB'"),
    ],
)
def test_kinds_of_samples_that_are_refused_by_name(data: bytes, shown: str) -> None:
    with pytest.raises(NotAnImageError, match=shown):
        open_picture(data)


def test_a_flood_of_scans_is_refused_before_it_is_decoded() -> None:
    assert open_picture(scans_upon_scans(90)).pixels.shape == (16, 16, 3)
    with pytest.raises(DamagedImageError, match="more than 100 scans"):
        open_picture(scans_upon_scans(800))


def test_two_parsers_that_disagree_about_the_size() -> None:
    """A second frame header after the first must not smuggle a larger picture past the limit."""
    data = saved(RGB, "JPEG")
    at = data.index(b"\xff\xc0")
    length = struct.unpack(">H", data[at + 2 : at + 4])[0] + 2
    small = bytearray(data[at : at + length])
    small[5:9] = struct.pack(">HH", 8, 8)
    with pytest.raises(EdgeError):
        open_picture(
            data[: at + length] + bytes(small) + data[at + length :],
            PictureLimits(max_pixels=64),
        )


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_pictures_or_typed_errors(kind: str) -> None:
    good = saved(RGB, kind)
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(150):
        damaged = bytearray(good)
        # most bytes of a file are samples: aim at the structures at its beginning as well
        reach = len(damaged) if rng.random() < 0.5 else min(len(damaged), 200)
        for at in rng.integers(4, reach, rng.integers(1, 6)):
            damaged[at] ^= 1 << int(rng.integers(8))
        if rng.random() < 0.2:
            del damaged[int(rng.integers(1, len(damaged))) :]
        try:
            picture = open_picture(bytes(damaged), PictureLimits(max_pixels=1_000_000))
        except EdgeError:
            refused += 1
        else:
            assert picture.pixels.ndim == 3
            assert picture.pixels.shape[0] * picture.pixels.shape[1] <= 1_000_000
    assert refused > 0


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(
    prefix=st.sampled_from(
        [
            b"",
            b"\xff\xd8\xff\xe0",
            b"\x89PNG\r\n\x1a\n",
            b"BM",
            b"II*\x00",
            b"GIF89a",
            b"RIFF\x00\x01\x00\x00WEBPVP8 ",
            b"\x00\x00\x00\x18ftypheic",
            b"\x00\x00\x00\x18ftypavif",
        ]
    ),
    data=st.binary(max_size=200),
)
@settings(deadline=None, max_examples=200)
def test_arbitrary_bytes_are_refused(prefix: bytes, data: bytes) -> None:
    with pytest.raises((NotAnImageError, DamagedImageError, TooManyPixelsError)):
        open_picture(prefix + data)
