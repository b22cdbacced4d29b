"""Picture files to pixels.

The format is recognised by its first bytes and only that format's parser is run. Sizes come from
the header, and are checked before pixels are decoded. Ordinary JPEGs are decoded by libjpeg-turbo
in its strict mode; everything else by Pillow, which refuses truncated data.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import cv2
import numpy as np
import simplejpeg
from PIL import Image, ImageFile
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile
from pillow_heif import HeifImageFile

from edge_daemon.errors import DamagedImageError, EdgeError, NotAnImageError, TooManyPixelsError
from edge_daemon.pictures.convert import NOTE_SIXTEEN, Pixels, sixteen_to_eight, to_rgb, upright
from edge_daemon.pictures.picture import Picture, PictureLimits

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)
_HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"}

# The parsers are called by class, not through Image.open, whose own limit on pixels is a global and
# a warning; ours is neither.
_PARSERS: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "WebP": WebPImageFile,
    "AVIF": AvifImageFile,
    "HEIF": HeifImageFile,
}

_START_OF_SCAN = b"\xff\xda"
_MOST_SCANS = 100  # progressive pictures have about 10, previews in the metadata a few more
_ORIENTATION = 0x0112
_BITS_PER_SAMPLE = 258
_PHOTOMETRIC = 262
_WHITE_IS_ZERO = 0
_PLANAR = 284
_SEPARATE_PLANES = 2
_TILE_WIDTH = 322
_TILE_HEIGHT = 323

# What Pillow's modes are converted to before alpha is composited; modes not listed are refused.
_ALPHA_AS = {
    "LA": "LA",
    "La": "LA",
    "RGBA": "RGBA",
    "RGBa": "RGBA",
    **dict.fromkeys(("1", "L", "P", "PA", "RGB"), "RGBA"),  # with a transparent colour
}
_OPAQUE_AS = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB", "RGBX": "RGB", "YCbCr": "RGB"}

Notes = tuple[str, ...]


def open_picture(data: bytes, limits: PictureLimits | None = None) -> Picture:
    """Decode a picture file.

    JPEG, PNG, GIF, BMP, TIFF, WebP, AVIF and HEIC are read. Pixels come out upright (EXIF
    orientation applied), 16-bit samples scaled to 8, alpha composited over white, CMYK converted;
    of several frames the first (or primary) is taken. Embedded colour profiles are not applied. All
    this is noted in the picture, the orientation apart.

    Args:
        data: The whole file.
        limits: Bounds on bytes and pixels.

    Raises:
        PayloadTooLargeError: More bytes than allowed; nothing was parsed.
        NotAnImageError: Empty, of no supported format, or of a kind refused by name (32-bit or
            floating-point samples, CIE Lab and the like).
        TooManyPixelsError: The header announces more pixels than allowed; nothing was decoded.
        DamagedImageError: Truncated or corrupt. Some formats (WebP, AVIF, HEIC, BMP) have no way of
            telling that pixels are wrong as long as they can be decoded.
    """
    limits = limits or PictureLimits()
    limits.check_bytes(len(data))
    kind = _recognise(data)
    try:
        file = _PARSERS[kind](io.BytesIO(data))
        limits.check_size(*file.size)
        if isinstance(file, TiffImageFile) and _TILE_WIDTH in file.tag_v2:
            # a small picture may announce huge tiles, and they are decoded whole
            limits.check_size(file.tag_v2[_TILE_WIDTH], file.tag_v2[_TILE_HEIGHT])
        return _decode(file, kind, data, limits)
    except (EdgeError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooManyPixelsError(  # Pillow's WebP parser has a limit of its own
            f"the {kind} parser refuses so many pixels: {error}",
            value=f"{len(data)} bytes",
            remedy="send a smaller picture",
        ) from error
    except Exception as error:  # parsers meet hostile bytes with exceptions of every type
        raise DamagedImageError(
            f"the {kind} data is truncated, corrupt or of a kind that is not supported: "
            f"{error or type(error).__name__}",
            value=f"{len(data)} bytes",
            remedy="send the file again, or save it anew without metadata",
        ) from error


def _recognise(data: bytes) -> str:
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        end = min(int.from_bytes(data[:4], "big"), len(data), 256)
        brands = {data[at : at + 4] for at in (8, *range(16, end, 4))}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        if brands & _HEIF_BRANDS:
            return "HEIF"
    raise NotAnImageError(
        "the payload is in no supported picture format" if data else "the payload is empty",
        value=bytes(data[:16]),
        remedy=f"send one of: {', '.join(_PARSERS)}",
    )


def _decode(file: ImageFile.ImageFile, kind: str, data: bytes, limits: PictureLimits) -> Picture:
    notes = _header_notes(file)
    bits = _sample_bits(file)
    if kind == "JPEG" and data.count(_START_OF_SCAN) > _MOST_SCANS:
        # A scan may be a few bytes and still pass over the whole picture.
        raise DamagedImageError(
            f"the JPEG has more than {_MOST_SCANS} scans",
            value=f"{len(data)} bytes",
            remedy="save the picture again, in fewer scans",
        )
    if kind == "JPEG" and file.mode in {"L", "RGB"}:
        height, width = simplejpeg.decode_jpeg_header(data)[:2]
        limits.check_size(int(width), int(height))  # two parsers may be made to disagree
        pixels, more = simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True), ()
    else:
        file.load()
        if file.mode.startswith("I;16"):
            pixels, more = _grey_sixteen(file, bits)
        elif bits == 16 and file.mode in {"RGB", "RGBA", "LA"}:
            pixels, more = _colour_sixteen(file, data)
        else:
            pixels, more = _eight(file)
    if kind not in {"TIFF", "HEIF"}:  # these two are turned upright by their decoders
        try:
            pixels = upright(pixels, int(file.getexif().get(_ORIENTATION, 1)))
        except Exception:  # the pixels are whole, whatever state the EXIF block is in
            notes += ("unreadable EXIF ignored",)
    return Picture(pixels, kind, notes + more)


def _header_notes(file: ImageFile.ImageFile) -> Notes:
    notes: Notes = ()
    if getattr(file, "is_animated", False) or "mp" in file.info:
        notes += ("several frames: the first one taken",)
    profile = file.info.get("icc_profile") or b""
    if profile and not any(name in profile for name in (b"sRGB", "sRGB".encode("utf-16-be"))):
        notes += ("colour profile ignored, taken as sRGB",)
    return notes


def _sample_bits(file: ImageFile.ImageFile) -> int:
    """Bits per sample as stored, asked before loading; Pillow's modes hide some of them."""
    if isinstance(file, TiffImageFile):
        bits: tuple[int, ...] = file.tag_v2.get(_BITS_PER_SAMPLE, (1,))
        return max(bits)
    return 16 if file.tile and ";16" in str(file.tile[0].args) else 8


def _colour_sixteen(file: ImageFile.ImageFile, data: bytes) -> tuple[Pixels, Notes]:
    """16-bit colour, which Pillow cuts to 8 bits, read again by OpenCV.

    Only what Pillow has loaded without complaint comes here, since OpenCV says nothing about
    truncated data.
    """
    if isinstance(file, PngImageFile):
        _check_png_chunks(data)
    planar = isinstance(file, TiffImageFile) and file.tag_v2.get(_PLANAR) == _SEPARATE_PLANES
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if planar or decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 3:
        raise NotAnImageError(
            "16-bit colour of this kind is not supported",
            value="separate planes" if planar else None,
            remedy="convert the picture to 8 bits, or to interleaved 16-bit RGB",
        )
    order = [2, 1, 0, 3][: decoded.shape[2]]  # OpenCV has blue first
    if not file.has_transparency_data:
        order = order[:3]  # a fourth sample that is no alpha
    pixels, notes = to_rgb(sixteen_to_eight(decoded[..., order].astype(np.uint16)))
    return pixels, (NOTE_SIXTEEN, *notes)


def _check_png_chunks(data: bytes) -> None:
    """Raise ValueError if a chunk claims to reach beyond the file.

    Pillow stops reading when it has all pixels, but OpenCV spends half a minute on such a chunk.
    """
    at, name = 8, b""
    while name != b"IEND":
        name = data[at + 4 : at + 8]
        at += int.from_bytes(data[at : at + 4], "big") + 12  # length, name, content, checksum
        if at > len(data):
            raise ValueError("a PNG chunk is longer than the file")


def _grey_sixteen(file: ImageFile.ImageFile, bits: int) -> tuple[Pixels, Notes]:
    if bits != 16:
        raise NotAnImageError(
            "grey pictures have 8 or 16 bits per sample",
            value=f"{bits} bits",
            remedy="convert the picture to 8 or 16 bits",
        )
    grey = sixteen_to_eight(np.asarray(file, np.uint16))
    if isinstance(file, TiffImageFile) and file.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 255 - grey  # Pillow inverts such files at 8 bits only
    return to_rgb(grey)[0], (NOTE_SIXTEEN,)


def _eight(file: ImageFile.ImageFile) -> tuple[Pixels, Notes]:
    if file.mode == "CMYK":
        return _array(file.convert("RGB")), ("CMYK converted without a colour profile",)
    target = (_ALPHA_AS if file.has_transparency_data else _OPAQUE_AS).get(file.mode)
    if target is None:
        raise NotAnImageError(
            "pictures with samples of this kind are not supported",
            value=file.mode,
            remedy="convert the picture to 8-bit or 16-bit grey or RGB",
        )
    return to_rgb(_array(file if file.mode == target else file.convert(target)))


def _array(image: Image.Image) -> Pixels:
    return np.array(image, dtype=np.uint8)
