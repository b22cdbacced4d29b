"""Whole numbers in as few bytes as they need: LEB128, seven bits a byte, the lowest first."""

from __future__ import annotations

from typing import Final

from edge_daemon.errors import DecodeError

_MOST_BYTES: Final = 5


def to_varint(number: int) -> bytes:
    """The bytes of a number from 0 to 2^35 - 1."""
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def read_varint(data: bytes) -> tuple[int, int]:
    """The number that `data` begins with, and where what follows it begins.

    Raises:
        DecodeError: None ends within five bytes, or it could be written in fewer.
    """
    number = 0
    for i, byte in enumerate(data[:_MOST_BYTES]):
        number |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            if i and not byte:
                break
            return number, i + 1
    raise DecodeError(
        "a length is damaged",
        value=data[:_MOST_BYTES].hex(),
        remedy="send it again",
    )
