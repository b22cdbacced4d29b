"""Pixels to bitstreams and back: one file per codec, one small registry.

    >>> codec = get_codec({"id": "jpeg", "quality": 80})
    >>> bitstream = codec.encode(pixels)
    >>> pixels = get_codec(codec.get_config()).decode(bitstream, width=1920, height=1080)

| id   | quality                              | others open the bitstream with             |
|------|--------------------------------------|--------------------------------------------|
| jpeg | 1..100, higher is better             | everything                                 |
| hevc | QP 0..51, lower is better            | FFmpeg, as a raw HEVC stream of one picture |
| heif | 0..100, higher is better (HEIC file) | Apple's systems, Pillow with pillow-heif   |

Qualities are each codec's own scale and do not compare between codecs.
"""

from edge_daemon.codecs.abc import Codec
from edge_daemon.codecs.registry import codec_class, codec_ids, get_codec, register_codec

__all__ = ["Codec", "codec_class", "codec_ids", "get_codec", "register_codec"]
