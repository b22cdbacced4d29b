"""The container of a learned bitstream.

CompressAI's models give two entropy-coded strings and expect the receiver to know all the rest. The
container carries the rest. All numbers are little endian:

| bytes | what                                                                           |
|-------|--------------------------------------------------------------------------------|
| 4     | magic, "EC20"                                                                  |
| 1     | version, 1                                                                     |
| 1     | model: 0 anchor, 1 attention                                                   |
| 1     | metric it was trained for: 0 mse, 1 ms-ssim                                    |
| 1     | quality, 1 to 6                                                                |
| 4, 4  | width and height of the picture in pixels, before it was padded                |
| 8     | digest of the weights: SHA-256 of the tensors, its first bytes                 |
| 16    | check of the latents: SHA-256 of the integers of z and y, its first bytes      |
| 4, 4  | lengths of z and y in bytes                                                    |
| ...   | z, then y, as CompressAI's entropy coder writes them                           |
| 4     | CRC-32 of all bytes before                                                     |

Two ends can disagree for two reasons, and each has its own evidence: damage on the way fails the
CRC, before minutes are spent on decoding; a decoder whose arithmetic differs from the encoder's
passes it and fails the check of the latents.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final, NamedTuple

from edge_daemon.codecs.cheng2020.weights import METRICS, MODELS, QUALITIES, Variant
from edge_daemon.errors import DecodeError

MAGIC: Final = b"EC20"
VERSION: Final = 1
DIGEST_BYTES: Final = 8
CHECK_BYTES: Final = 16

_HEADER = struct.Struct(f"<4sBBBBII{DIGEST_BYTES}s{CHECK_BYTES}sII")
_CRC = struct.Struct("<I")


class _Header(NamedTuple):
    magic: bytes
    version: int
    model: int
    metric: int
    quality: int
    width: int
    height: int
    digest: bytes
    check: bytes
    z_bytes: int
    y_bytes: int


@dataclass(frozen=True)
class LearnedBitstream:
    """What a container holds.

    Attributes:
        variant: The trained model.
        width: Of the picture, in pixels, at least 1.
        height: Of the picture, in pixels, at least 1.
        digest: Of the weights, `DIGEST_BYTES`.
        check: Of the latents, `CHECK_BYTES`.
        z: The hyper-latents, entropy-coded.
        y: The latents, entropy-coded.
    """

    variant: Variant
    width: int
    height: int
    digest: bytes
    check: bytes
    z: bytes
    y: bytes


def pack(stream: LearnedBitstream) -> bytes:
    """The container of a bitstream."""
    variant = stream.variant
    body = (
        _HEADER.pack(
            MAGIC,
            VERSION,
            MODELS.index(variant.model),
            METRICS.index(variant.metric),
            variant.quality,
            stream.width,
            stream.height,
            stream.digest,
            stream.check,
            len(stream.z),
            len(stream.y),
        )
        + stream.z
        + stream.y
    )
    return body + _CRC.pack(zlib.crc32(body))


def unpack(data: bytes) -> LearnedBitstream:
    """What a container holds.

    Raises:
        DecodeError: It is no such container, of another version, or damaged.
    """
    if len(data) < _HEADER.size + _CRC.size:
        raise _damaged(f"{len(data)} bytes are less than its header", len(data))
    header = _Header(*_HEADER.unpack_from(data))
    if header.magic != MAGIC:
        raise _damaged("it does not begin with EC20", len(data))
    if header.version != VERSION:
        raise DecodeError(
            f"the cheng2020 bitstream has another version than {VERSION}",
            value=header.version,
            remedy="use the same release of edge-daemon on both ends",
        )
    announced = _HEADER.size + header.z_bytes + header.y_bytes + _CRC.size
    if announced != len(data):
        raise _damaged(f"its header announces {announced} bytes", len(data))
    if _CRC.unpack_from(data, len(data) - _CRC.size)[0] != zlib.crc32(data[: -_CRC.size]):
        raise _damaged("its CRC-32 does not match", len(data))
    in_range = (
        header.model < len(MODELS)
        and header.metric < len(METRICS)
        and QUALITIES[0] <= header.quality <= QUALITIES[1]
        and min(header.width, header.height) > 0
    )
    if not in_range:
        raise _damaged(f"its header is out of range: {header}", len(data))
    split = _HEADER.size + header.z_bytes
    return LearnedBitstream(
        variant=Variant(MODELS[header.model], METRICS[header.metric], header.quality),
        width=header.width,
        height=header.height,
        digest=header.digest,
        check=header.check,
        z=data[_HEADER.size : split],
        y=data[split : -_CRC.size],
    )


def _damaged(why: str, size: int) -> DecodeError:
    return DecodeError(
        f"the cheng2020 bitstream is damaged: {why}",
        value=f"{size} bytes",
        remedy="send the picture again",
    )
