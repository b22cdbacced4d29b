"""VVC (H.266) through vvenc, one picture at a time.

A bitstream is one intra access unit in Annex B form with its parameter sets (profile Main 10,
4:2:0, BT.601 full range with sRGB primaries and transfer, all signalled). vvenc codes 10 bits, so
the 8-bit RGB is converted straight to 10-bit YCbCr: any flat colour comes back exactly, where 8-bit
YCbCr rounds.

Two implementations of the encoder are known: a shared libvvenc in this process, and an FFmpeg
program with libvvenc, started for every picture. The first that is there is taken for as long as
the process runs. Decoding is FFmpeg's own decoder, through PyAV.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

import av
import numpy as np
from numpy.typing import NDArray

from edge_daemon.codecs import vvc_ffmpeg, vvc_library, yuv
from edge_daemon.codecs.abc import (
    Codec,
    CodecStatus,
    Pixels,
    check_choice,
    check_whole,
    size_mismatch,
)
from edge_daemon.codecs.annex_b import check_signals, only_frame
from edge_daemon.codecs.vvc_planes import planes_to_rgb, rgb_to_planes
from edge_daemon.errors import NoEncoderError

PRESETS = ("faster", "fast", "medium")
_LEAST_SIDE = 32  # FFmpeg's wrapper refuses 16 and less; one coding tree unit is 32 at least
_ALIGNMENT = 128  # a stream's coded size may exceed the cropped size by one coding tree unit

_FORMAT = "yuv420p10le"

_PARAMETERS: Final[dict[str, object]] = {
    "threads": min(4, os.cpu_count() or 1),
    # With wavefronts the bytes do not depend on the number of threads, up to 4 at least; above,
    # vvenc may turn on tiles of its own accord.
    "wavefrontsynchro": 1,
    "tiles": "1x1",
    "gopsize": 1,
    "intraperiod": 1,
    "intraqpoffset": 0,  # otherwise intra pictures get a QP 3 below the one asked for
    "qpa": 0,  # one QP everywhere
    "inputbitdepth": 10,
    "internalbitdepth": 10,
    "accessunitdelimiter": 0,
    "vuiparameterspresent": 1,
    "range": "full",  # FFmpeg's own option for it does not reach vvenc
    "colourdescriptionpresent": 1,
    "colourprimaries": "bt709",
    "transfercharacteristics": "iec61966-2-1",
    "matrixcoefficients": "smpte170m",
    "chromalocinfopresent": 1,
    "chromasampleloctype": 1,  # centre of 2x2 pixels
}


class Encoder(Protocol):
    """What turns planes into a bitstream; `vvc_library` and `vvc_ffmpeg` have one each."""

    @property
    def name(self) -> str:
        """What it is, for people."""
        ...

    @property
    def version(self) -> str:
        """Its version."""
        ...

    def encode(
        self, planes: NDArray[np.uint16], preset: str, parameters: Mapping[str, object]
    ) -> bytes:
        """One picture as a bitstream in Annex B form; raises `EncodeError`.

        Args:
            planes: As `rgb_to_planes` returns them.
            preset: One of `PRESETS`.
            parameters: vvenc's, by name; "qp" and "threads" among them.
        """
        ...


@dataclass(frozen=True)
class Vvc(Codec):
    """One VVC intra picture at a constant quantiser.

    Odd sizes and sides below 32 are padded by repeating the edge; the true size is not in the
    bitstream, and `decode` crops to the one it is given.

    Args:
        quality: The quantisation parameter of every block, 0 (best) to 63 (smallest). Six steps
            double the quantiser's step size.
        preset: vvenc's effort. On photographs "fast" saves about 10 % of the bytes over "faster"
            at equal PSNR for 4 times the time, "medium" about 16 % for 14 times. "faster" takes a
            second or so for 2 megapixels on a desktop.
    """

    quality: int = 32
    preset: str = "faster"

    codec_id: ClassVar[str] = "vvc"
    media_type: ClassVar[str] = "video/H266"
    file_suffix: ClassVar[str] = ".vvc"
    qualities: ClassVar[tuple[int, int]] = (63, 0)

    @classmethod
    def status(cls) -> CodecStatus:
        """Which of the two encoders is taken, and why not the other."""
        found = _choice()
        decodes = "vvc" in av.codecs_available
        note = "" if decodes else "this PyAV cannot decode VVC; install av 17.1 or later. "
        if found.encoder is None:
            return CodecStatus("", "", problem=found.problem, note=note.strip())
        note += f"not taken: {found.problem}" if found.problem else ""
        return CodecStatus(found.encoder.name, found.encoder.version, note=note.strip())

    @property
    def coarseness(self) -> float:
        """Six steps of the QP are an octave; at QP 4 the step is 1."""
        return (self.quality - 4) / 6

    def expected_encode_s(self, width: int, height: int) -> float:
        """From the pace of the pictures encoded before; from a desktop's at first."""
        pixels = max(width, _LEAST_SIDE) * max(height, _LEAST_SIDE)
        return _PACE.expected_s(self.preset, self.quality, pixels)

    def __post_init__(self) -> None:
        check_whole("vvc quality", self.quality, 0, 63, "the QP, lower is better")
        check_choice("vvc preset", self.preset, PRESETS, "vvenc's effort, from fast to small")

    def _encode(self, pixels: Pixels) -> bytes:
        found = _choice()
        if found.encoder is None:
            raise NoEncoderError(found.problem, value="vvc", remedy="or use another codec")
        begun = time.monotonic()
        planes = rgb_to_planes(yuv.pad_even(pixels, _LEAST_SIDE))
        parameters = {**_PARAMETERS, "qp": self.quality}
        bitstream = found.encoder.encode(planes, self.preset, parameters)
        taken_s = time.monotonic() - begun
        _PACE.took(self.preset, self.quality, planes.size * 2 // 3, taken_s)
        return bitstream

    def _decode(self, bitstream: bytes, width: int, height: int) -> Pixels:
        padded_width = max(_LEAST_SIDE, width + width % 2)
        padded_height = max(_LEAST_SIDE, height + height % 2)
        most = (padded_width + _ALIGNMENT) * (padded_height * vvc_ffmpeg.ENLARGEMENT + _ALIGNMENT)
        frame = only_frame("vvc", bitstream, most)
        if (frame.width, frame.height) != (padded_width, padded_height):
            raise size_mismatch("vvc", frame.width, frame.height, width, height)
        check_signals(frame, (_FORMAT,), "10-bit 4:2:0")
        return planes_to_rgb(_samples(frame))[:height, :width]


def _samples(frame: av.VideoFrame) -> NDArray[np.uint16]:
    """The planes as `planes_to_rgb` takes them; PyAV 17 cannot make an array of this format."""
    parts: list[NDArray[np.uint16]] = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), "<u2").reshape(-1, plane.line_size // 2)
        parts.append(rows[: plane.height, : plane.width].astype(np.uint16, copy=False))
    return np.concatenate([part.ravel() for part in parts]).reshape(-1, frame.width)


@dataclass(frozen=True)
class _Choice:
    """The encoder that is taken, if any, and what speaks against the others."""

    encoder: Encoder | None
    problem: str


_CHOOSING = threading.Lock()


def _choice() -> _Choice:
    with _CHOOSING:
        return _choose()


@functools.cache
def _choose() -> _Choice:
    try:
        return _Choice(vvc_library.find_library(), "")
    except NoEncoderError as error:
        problem = f"libvvenc ({error.problem})"
    try:
        return _Choice(vvc_ffmpeg.find_ffmpeg(), problem)
    except NoEncoderError as error:
        return _Choice(None, f"neither {problem} nor ffmpeg ({error.problem}); {error.remedy}")


class _Pace:
    """Seconds per pixel and preset at QP 32, smoothed over the pictures encoded."""

    _START_S = 0.1  # of a process, whatever the size of its picture
    _LEAST_PIXELS = 100_000  # smaller pictures tell more of the start than of the pace
    _SHARE_OF_NEW = 0.2

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._s_per_pixel = {"faster": 5e-7, "fast": 1.5e-6, "medium": 6e-6}

    def expected_s(self, preset: str, qp: int, pixels: int) -> float:
        return self._START_S + pixels * self._s_per_pixel[preset] * _effort(qp)

    def took(self, preset: str, qp: int, pixels: int, seconds: float) -> None:
        if pixels < self._LEAST_PIXELS:
            return
        found = max(0.0, seconds - self._START_S) / pixels / _effort(qp)
        with self._lock:
            before = self._s_per_pixel[preset]
            self._s_per_pixel[preset] = before + self._SHARE_OF_NEW * (found - before)


def _effort(qp: int) -> float:
    """How long a QP takes relative to 32: on photographs it doubles every 12 steps down."""
    return 2.0 ** ((32 - qp) / 12)


_PACE = _Pace()
