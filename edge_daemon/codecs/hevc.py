"""HEVC through x265, in this process, one picture at a time.

A bitstream is one intra access unit in Annex B form with its parameter sets (profile Main Intra,
8-bit 4:2:0, BT.601 full range with sRGB primaries and transfer, all signalled). Opening an encoder
takes about as long as encoding a small picture, so encoders are held open and reused.

x265 counts pictures and writes one bit of every slice header by that count: whether the loop
filter crosses slice borders. A picture of one slice has none, so the bit means nothing; it is set
to what a new encoder writes, which makes the bytes independent of the pictures before.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import av
import numpy as np
from av.error import FFmpegError

from edge_daemon.codecs import yuv
from edge_daemon.codecs.abc import Codec, Pixels, check_choice, check_whole, size_mismatch
from edge_daemon.errors import DecodeError, EncodeError

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium")
_LEAST_SIDE = 32  # x265 refuses less than 16; one coding tree unit of the faster presets is 32
_HELD_ENCODERS = 4
_THREADS = min(4, os.cpu_count() or 1)
_ALIGNMENT = 64  # a stream's coded size may exceed the cropped size by one coding tree unit

_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_BT601 = (5, 6)  # AVCOL_SPC_BT470BG, AVCOL_SPC_SMPTE170M: one matrix under two names


@dataclass(frozen=True)
class Hevc(Codec):
    """One HEVC intra picture at a constant quantiser.

    Odd sizes and sides below 32 are padded by repeating the edge; the true size is not in the
    bitstream, and `decode` crops to the one it is given.

    Args:
        quality: The quantisation parameter of every block, 0 (best) to 51 (smallest). Six steps
            double the quantiser's step size.
        preset: x265's effort. On photographs "superfast" saves about 4 % of the bytes over
            "ultrafast" at equal PSNR for about 3 times the time, and slower ones little more.
    """

    quality: int = 32
    preset: str = "ultrafast"

    codec_id: ClassVar[str] = "hevc"
    media_type: ClassVar[str] = "video/H265"
    file_suffix: ClassVar[str] = ".hevc"

    def __post_init__(self) -> None:
        check_whole("hevc quality", self.quality, 0, 51, "the QP, lower is better")
        check_choice("hevc preset", self.preset, PRESETS, "x265's effort, from fast to small")

    def _encode(self, pixels: Pixels) -> bytes:
        padded = yuv.pad_even(pixels, _LEAST_SIDE)
        height, width = padded.shape[:2]
        frame = av.VideoFrame.from_ndarray(yuv.rgb_to_i420(padded), format="yuv420p")
        try:
            with _ENCODERS.borrow(_EncoderKey(width, height, self.quality, self.preset)) as encoder:
                return _settled(encoder.encode(frame))
        except (FFmpegError, ValueError) as error:
            raise EncodeError(
                f"x265 failed on this picture: {error}",
                value=f"{pixels.shape[1]}x{pixels.shape[0]}",
                remedy="use another codec, or send the picture in parts",
            ) from error

    def _decode(self, bitstream: bytes, width: int, height: int) -> Pixels:
        padded_width = max(_LEAST_SIDE, width + width % 2)
        padded_height = max(_LEAST_SIDE, height + height % 2)
        frame = _decoded_frame(bitstream, padded_width, padded_height)
        if (frame.width, frame.height) != (padded_width, padded_height):
            raise size_mismatch("hevc", frame.width, frame.height, width, height)
        if frame.format.name not in {"yuv420p", "yuvj420p"} or (
            frame.color_range != _FULL_RANGE or frame.colorspace not in _BT601
        ):
            raise DecodeError(
                "the HEVC bitstream is not 8-bit 4:2:0 in BT.601 full range",
                value=f"{frame.format.name}, range {int(frame.color_range)}, "
                f"matrix {int(frame.colorspace)}",
                remedy="decode it with a general video player; this codec did not write it",
            )
        return yuv.i420_to_rgb(np.asarray(frame.to_ndarray(), np.uint8))[:height, :width]


def _decoded_frame(bitstream: bytes, width: int, height: int) -> av.VideoFrame:
    """The only picture in the bitstream.

    Raises:
        DecodeError: There is none, or more than one, or FFmpeg finds damage.
    """
    decoder = av.CodecContext.create("hevc", "r")
    decoder.thread_count = 1
    most = (width + _ALIGNMENT) * (height + _ALIGNMENT)
    # max_pixels: a damaged size must not allocate gigabytes. explode: no concealing of errors.
    decoder.options = {"max_pixels": str(most), "err_detect": "explode"}
    try:
        frames = decoder.decode(av.Packet(bitstream)) + decoder.decode(None)
    except (FFmpegError, ValueError) as error:
        raise DecodeError(
            f"the HEVC bitstream is damaged, or larger than announced: {error}",
            value=f"{len(bitstream)} bytes",
            remedy="send the picture again",
        ) from error
    if len(frames) != 1:
        raise DecodeError(
            f"the HEVC bitstream holds {len(frames)} pictures instead of one",
            value=f"{len(bitstream)} bytes",
            remedy="send the picture again",
        )
    return frames[0]


@dataclass(frozen=True)
class _EncoderKey:
    """What an open encoder is good for.

    The size belongs to it: PyAV would silently rescale a picture of another size.
    """

    width: int
    height: int
    quality: int
    preset: str


class _Encoder:
    """An open x265 that answers every picture at once."""

    def __init__(self, key: _EncoderKey) -> None:
        context = av.CodecContext.create("libx265", "w")
        context.width, context.height, context.pix_fmt = key.width, key.height, "yuv420p"
        context.time_base, context.framerate = Fraction(1, 25), Fraction(25, 1)
        context.thread_count = 1
        parameters = {
            "qp": key.quality,
            "ipratio": 1,  # otherwise intra pictures get a QP about 3 below the one asked for
            "keyint": 1,
            "bframes": 0,
            "repeat-headers": 1,
            "frame-threads": 1,
            "pools": _THREADS,
            "info": 0,  # no banner in every bitstream
            "log-level": "none",
            "range": "full",
            "colorprim": "bt709",
            "transfer": "iec61966-2-1",
            "colormatrix": "smpte170m",
            "chromaloc": 1,  # centre of 2x2 pixels
            "sao": 0,  # about neutral on intra pictures, and the faster presets have none
        }
        text = ":".join(f"{name}={value}" for name, value in parameters.items())
        context.options = {"preset": key.preset, "tune": "zerolatency", "x265-params": text}
        self._context = context
        self._count = 0

    def encode(self, frame: av.VideoFrame) -> bytes:
        frame.pts = self._count
        self._count += 1
        # zero latency: every picture is answered at once, by one packet
        (packet,) = self._context.encode(frame)  # pyright: ignore[reportUnknownVariableType]
        return bytes(packet)  # pyright: ignore[reportUnknownArgumentType]


class _EncoderPool:
    """Idle encoders, at most `capacity` of them; those used longest ago are closed first.

    Borrowing takes an encoder out, so threads never share one; each thread that finds none opens
    its own.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._lock = threading.Lock()
        self._idle: OrderedDict[_Encoder, _EncoderKey] = OrderedDict()

    @contextmanager
    def borrow(self, key: _EncoderKey) -> Generator[_Encoder]:
        encoder = self._take(key) or _Encoder(key)
        yield encoder  # an encoder that raised is not put back
        with self._lock:
            self._idle[encoder] = key
            if len(self._idle) > self.capacity:
                self._idle.popitem(last=False)

    @property
    def idle(self) -> int:
        """Number of encoders held open and not borrowed."""
        return len(self._idle)

    def _take(self, key: _EncoderKey) -> _Encoder | None:
        with self._lock:
            for encoder, idle_key in self._idle.items():
                if idle_key == key:
                    del self._idle[encoder]
                    return encoder
        return None


_ENCODERS = _EncoderPool(_HELD_ENCODERS)

_SLICE_START = b"\x00\x00\x01\x28\x01"  # an IDR slice without leading pictures (type 20)
_SLICE_OPENING = 0b101011  # first slice, keeps no earlier pictures, parameter set 0, intra


def _settled(bitstream: bytes) -> bytes:
    """Set the slice header's idle loop-filter bit, the one that follows the quantiser offset.

    The bit lies in the first bytes after the slice's start code, behind a byte that is never zero,
    so setting it can neither form a start code nor undo an escape.
    """
    start = bitstream.find(_SLICE_START) + len(_SLICE_START)
    header = int.from_bytes(bitstream[start : start + 4], "big")
    if start < len(_SLICE_START) or header >> 26 != _SLICE_OPENING:
        raise ValueError("x265 wrote an unexpected slice header")
    zeros = (
        26 - (header & (1 << 26) - 1).bit_length()
    )  # exponential-Golomb: n zeros, then n + 1 bits
    bit = 32 - 1 - (6 + 2 * zeros + 1)
    settled = (header | 1 << bit).to_bytes(4, "big")
    return bitstream[:start] + settled + bitstream[start + 4 :]
