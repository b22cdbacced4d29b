"""Picture files of every kind, made in memory."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image


def saved(image: Image.Image | NDArray[np.uint8], kind: str, **options: Any) -> bytes:
    """A file of `kind`, one of Pillow's format names or HEIF, lossless or at high quality."""
    if kind == "HEIF":
        pillow_heif.register_heif_opener()
    if kind == "WEBP":
        options = {"lossless": True, **options}
    elif kind in {"JPEG", "AVIF", "HEIF"}:
        options = {"quality": 95, **options}
    file = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(file, kind, **options)
    return file.getvalue()


def saved_deep(samples: NDArray[np.uint16], suffix: str) -> bytes:
    """A 16-bit RGB(A) PNG or TIFF."""
    order = [2, 1, 0, 3][: samples.shape[2]]
    return cv2.imencode(suffix, samples[..., order])[1].tobytes()


def png_chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def png(
    width: int,
    height: int,
    rows: bytes = b"",
    *,
    depth: int = 8,
    colour: int = 2,
    extra: bytes = b"",
) -> bytes:
    """A PNG as its parts: the header may say what the rows do not hold.

    Args:
        width: As announced.
        height: As announced.
        rows: Filter byte and samples of every row.
        depth: Bits per sample.
        colour: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha.
        extra: Chunks between header and data.
    """
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + extra
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


def tiff_grey(
    samples: NDArray[Any],
    *,
    byte_order: str = "<",
    bits: int = 16,
    photometric: int = 1,
    sample_format: int = 1,
    more_tags: dict[int, int] | None = None,
) -> bytes:
    """An uncompressed single-strip grey TIFF."""
    data = samples.astype(f"{byte_order}{samples.dtype.str[1:]}").tobytes()
    height, width = samples.shape
    tags = {
        256: width,
        257: height,
        258: bits,
        259: 1,
        262: photometric,
        273: 8,
        277: 1,
        278: height,
        279: len(data),
        339: sample_format,
        **(more_tags or {}),
    }
    header = (b"II*\x00" if byte_order == "<" else b"MM\x00*") + struct.pack(
        byte_order + "I", 8 + len(data)
    )
    entries = [
        struct.pack(byte_order + "HHII", tag, 4, 1, value) for tag, value in sorted(tags.items())
    ]
    directory = struct.pack(byte_order + "H", len(entries)) + b"".join(entries) + bytes(4)
    return header + data + directory


def scans_upon_scans(count: int) -> bytes:
    """A flawless progressive JPEG, 16x16 and grey, of one scan for the means and `count` others.

    Each takes twelve bytes, however many pixels the picture has: coefficient by coefficient, first
    the highest bit and then one bit after the other, all of them zero.
    """

    def segment(kind: int, body: list[int]) -> bytes:
        return bytes([0xFF, kind, *(len(body) + 2).to_bytes(2, "big"), *body])

    def scan(first: int, last: int, bits: int, data: int) -> bytes:
        return segment(0xDA, [1, 1, 0, first, last, bits]) + bytes([data])

    one_code = [1] + [0] * 15
    parts = [
        b"\xff\xd8",
        segment(0xDB, [0] + [1] * 64),
        segment(0xC2, [8, 0, 16, 0, 16, 1, 1, 0x11, 0]),
        segment(0xC4, [0x00, *one_code, 0x00]),  # "0": no difference
        segment(0xC4, [0x10, *one_code, 0x20]),  # "0", then two bits: so many blocks end here
        scan(0, 0, 0, 0b0000_1111),
    ]
    bits_of_each = [0x0D] + [low + 1 << 4 | low for low in reversed(range(13))]
    steps: list[Any] = [(k, bits) for k in range(1, 64) for bits in bits_of_each]
    parts += [scan(k, k, bits, 0b0001_1111) for k, bits in steps[:count]]
    return b"".join([*parts, b"\xff\xd9"])
