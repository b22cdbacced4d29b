"""JPEG through libjpeg-turbo.

Encoding is the installation's own library's (`jpeg_blocks`), or OpenCV's where that could not be
built: slower, without a quantiser map, and with the same pixels. simplejpeg decodes. It does not
encode, because below quality 96 it only knows libjpeg's inexact transform, which costs 0.5 dB at
quality 95.
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass
from typing import ClassVar

import cv2
import simplejpeg

from edge_daemon.codecs import jpeg_blocks
from edge_daemon.codecs.abc import (
    Codec,
    CodecStatus,
    Pixels,
    check_choice,
    check_flag,
    check_whole,
    size_mismatch,
)
from edge_daemon.codecs.failures import check_room, damaged, encoder_failed
from edge_daemon.codecs.jpeg_blocks import Coding
from edge_daemon.errors import DecodeError
from edge_daemon.quantiser import QuantiserMap

_LONGEST_SIDE = 65_500  # libjpeg's JPEG_MAX_DIMENSION
_MOST_THREADS = 4
_PIXELS_PER_THREAD = 2**18  # about a millisecond's work; waking a thread costs a tenth of that
_START_OF_SCAN = b"\xff\xda"
_MOST_SCANS = 100  # libjpeg's own progressive pictures have 10
_OPENCV_SUBSAMPLING = {
    "420": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    "444": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
}


@dataclass(frozen=True)
class Jpeg(Codec):
    """An ordinary JPEG (JFIF), which everything opens.

    The picture is the same whichever way its coefficients are coded. Against the standard's own
    Huffman tables, on photographs and on one thread:

    |               | bytes saved at quality 30, 50, 75, 90 | times the time to encode |
    |---------------|---------------------------------------|--------------------------|
    | `optimise`    | 7 %, 4 %, 2 %, 2 %                    | 1.4 to 1.7               |
    | `progressive` | 6 %, 4 %, 4 %, 6 %                    | 5 to 8                   |

    With a quantiser map, an offset D coarsens a block by a step of 2^(D / 6): its mean stays, and
    any other coefficient is lowered where that saves more than it costs (`csrc/blocks.h`). A block
    takes the least offset of the pixels that it covers, which are 16x16 for colour at 4:2:0. What
    is written is an ordinary JPEG. Encoding takes 1.1 to 1.5 times as long as without a map, or up
    to 2.2 times with the standard's tables; and `optimise` saves more with a map: 12 to 18 % where
    most blocks have an offset of 6.

    Pictures of half a megapixel and more are encoded by several threads where there are several
    cores, to the same bytes; only with the standard's tables and without a map by one. Two take 0.6
    to 0.65 of one's time, or 0.8 to 0.9 with `progressive`, most of which is writing.

    Args:
        quality: libjpeg's quality, 1 (smallest) to 100 (best).
        subsampling: "420" halves the colour resolution in both directions, "444" keeps it.
        optimise: Whether the picture gets Huffman tables of its own.
        progressive: Whether the picture is written in several scans, from coarse to fine, each with
            tables of its own whatever `optimise` says. Decoding takes longer too.
    """

    quality: int = 80
    subsampling: str = "420"
    optimise: bool = True
    progressive: bool = False

    codec_id: ClassVar[str] = "jpeg"
    media_type: ClassVar[str] = "image/jpeg"
    file_suffix: ClassVar[str] = ".jpg"
    qualities: ClassVar[tuple[int, int]] = (1, 100)

    @classmethod
    def status(cls) -> CodecStatus:
        """There is always a libjpeg-turbo, as OpenCV brings one; the map needs the system's."""
        if cls.takes_map():
            return CodecStatus("libjpeg-turbo", jpeg_blocks.version())
        note = f"takes no quantiser map, and is slower: {jpeg_blocks.status()}"
        return CodecStatus("libjpeg-turbo (OpenCV)", _opencv_version(), note=note)

    @classmethod
    def takes_map(cls) -> bool:
        """Where the JPEG library was built and loads."""
        return jpeg_blocks.status() == jpeg_blocks.AVAILABLE

    @property
    def coarseness(self) -> float:
        """The tables are scaled by 50 / quality below 50, by 2 - quality / 50 above.

        The step is that of coarse detail in brightness, 16 levels at quality 50.
        """
        scale = 50 / self.quality if self.quality < 50 else 2 - self.quality / 50
        return math.log2(16 * max(scale, 0.01))

    def __post_init__(self) -> None:
        check_whole("jpeg quality", self.quality, 1, 100, "libjpeg's scale, higher is better")
        check_choice("jpeg subsampling", self.subsampling, ("420", "444"), "colour resolution")
        check_flag("jpeg optimise", self.optimise, "Huffman tables for each picture")
        check_flag("jpeg progressive", self.progressive, "several scans, from coarse to fine")

    def _encode(self, pixels: Pixels) -> bytes:
        check_room("a JPEG", pixels, _LONGEST_SIDE)
        if self.takes_map():
            return self._encode_here(pixels, None)
        return self._encode_opencv(pixels)

    def _encode_mapped(self, pixels: Pixels, offsets: QuantiserMap) -> bytes:
        check_room("a JPEG", pixels, _LONGEST_SIDE)
        return self._encode_here(pixels, offsets)

    def _encode_here(self, pixels: Pixels, offsets: QuantiserMap | None) -> bytes:
        coding = Coding.OPTIMISED if self.optimise else Coding.FIXED
        return jpeg_blocks.encode(
            pixels,
            quality=self.quality,
            halved=self.subsampling == "420",
            coding=Coding.PROGRESSIVE if self.progressive else coding,
            offsets=offsets,
            threads=threads_for(pixels),
        )

    def _encode_opencv(self, pixels: Pixels) -> bytes:
        options = {
            cv2.IMWRITE_JPEG_QUALITY: self.quality,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR: _OPENCV_SUBSAMPLING[self.subsampling],
            cv2.IMWRITE_JPEG_OPTIMIZE: int(self.optimise),
            cv2.IMWRITE_JPEG_PROGRESSIVE: int(self.progressive),
        }
        flat = [number for option in options.items() for number in option]
        encoded, bitstream = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), flat)
        if not encoded:
            raise encoder_failed("OpenCV", pixels, "it says no more")
        return bitstream.tobytes()

    def _decode(self, bitstream: bytes, width: int, height: int) -> Pixels:
        # A scan may be a few bytes and still pass over the whole picture.
        if bitstream.count(_START_OF_SCAN) > _MOST_SCANS:
            raise DecodeError(
                f"the JPEG bitstream has more than {_MOST_SCANS} scans",
                value=f"{len(bitstream)} bytes",
                remedy="encode the picture again, in fewer scans",
            )
        try:
            found_height, found_width = simplejpeg.decode_jpeg_header(bitstream)[:2]
            if (found_height, found_width) != (height, width):
                raise size_mismatch("jpeg", int(found_width), int(found_height), width, height)
            # strict: libjpeg's "recoverable" errors leave grey or shifted blocks
            return simplejpeg.decode_jpeg(bitstream, colorspace="RGB", strict=True)
        except ValueError as error:
            raise damaged("JPEG bitstream", error, bitstream) from error


def threads_for(pixels: Pixels) -> int:
    """How many threads encode a picture: as many as pay, up to 4.

    Never more than OpenCV's, which are the cores that this process may run on, or what the process
    has set: one where many processes share the machine.
    """
    worth = pixels.shape[0] * pixels.shape[1] // _PIXELS_PER_THREAD
    return max(1, min(_MOST_THREADS, cv2.getNumThreads(), worth))


@functools.cache
def _opencv_version() -> str:
    """The version of OpenCV's libjpeg-turbo, or else OpenCV's own."""
    found = re.search(r"JPEG:.*turbo \(ver ([\d.]+)", cv2.getBuildInformation())
    return found[1] if found else f"OpenCV {cv2.__version__}"
