"""Decoding raw video streams that hold one intra picture, through FFmpeg."""

from __future__ import annotations

from typing import cast

import av
from av.codec.codec import UnknownCodecError
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

from edge_daemon.codecs.failures import damaged, foreign
from edge_daemon.errors import DecodeError

_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_BT601 = (5, 6)  # AVCOL_SPC_BT470BG, AVCOL_SPC_SMPTE170M: one matrix under two names


def only_frame(codec: str, bitstream: bytes, most_pixels: int) -> av.VideoFrame:
    """The only picture in a bitstream.

    Args:
        codec: FFmpeg's name of the codec, "hevc" or "vvc".
        bitstream: In Annex B form.
        most_pixels: That a picture may have, before it is cropped.

    Raises:
        DecodeError: There is none, or more than one, or FFmpeg finds damage.
    """
    form = f"{codec.upper()} bitstream"
    try:
        decoder = cast(VideoCodecContext, av.CodecContext.create(codec, "r"))
    except UnknownCodecError as error:
        raise DecodeError(
            f"this PyAV has no {codec.upper()} decoder",
            value=av.__version__,
            remedy="install av 17.1 or later",
        ) from error
    decoder.thread_count = 1
    # max_pixels: a damaged size must not allocate gigabytes. explode: no concealing of errors.
    decoder.options = {"max_pixels": str(most_pixels), "err_detect": "explode"}
    try:
        frames = decoder.decode(av.Packet(bitstream)) + decoder.decode(None)
    except (FFmpegError, ValueError) as error:
        raise damaged(form, f"{error}; or it is larger than announced", bitstream) from error
    if len(frames) != 1:
        raise damaged(form, f"it holds {len(frames)} pictures instead of one", bitstream)
    return frames[0]


def check_signals(frame: av.VideoFrame, formats: tuple[str, ...], words: str) -> None:
    """Raise `DecodeError` unless a frame is of one of these formats, in BT.601 full range.

    Args:
        frame: Decoded.
        formats: FFmpeg's names of pixel formats.
        words: The same for people, such as "10-bit 4:2:0".
    """
    found = frame.format.name
    if found in formats and frame.color_range == _FULL_RANGE and frame.colorspace in _BT601:
        return
    raise foreign(
        f"the bitstream is not {words} in BT.601 full range",
        f"{found}, range {int(frame.color_range)}, matrix {int(frame.colorspace)}",
    )
