"""Pixels to bitstreams and back: one file per codec, one small registry.

    >>> codec = get_codec({"id": "jpeg", "quality": 80})
    >>> bitstream = codec.encode(pixels)
    >>> pixels = get_codec(codec.get_config()).decode(bitstream, width=1920, height=1080)

| id        | quality, worst to best | others open the bitstream with                      |
|-----------|------------------------|-----------------------------------------------------|
| jpeg      | 1..100                 | everything                                          |
| webp      | 0..100                 | browsers, Pillow, OpenCV                            |
| avif      | 0..100                 | browsers, Apple's systems, Pillow                   |
| heif      | 0..100                 | Apple's systems, Pillow with pillow-heif            |
| hevc      | QP 51..0               | FFmpeg, as a raw HEVC stream of one picture         |
| vvc       | QP 63..0               | FFmpeg from 7.1, as a raw VVC stream of one picture |
| cheng2020 | 1..6                   | nothing; see `edge_daemon.codecs.cheng2020`         |

Qualities are each codec's own scale and do not compare between codecs.
"""

from edge_daemon.codecs.abc import Codec, CodecStatus
from edge_daemon.codecs.lifecycle import close_codecs, configure_codecs
from edge_daemon.codecs.registry import (
    check_encoder,
    codec_class,
    codec_ids,
    codec_status,
    get_codec,
    register_codec,
)

__all__ = [
    "Codec",
    "CodecStatus",
    "check_encoder",
    "close_codecs",
    "codec_class",
    "codec_ids",
    "codec_status",
    "configure_codecs",
    "get_codec",
    "register_codec",
]
