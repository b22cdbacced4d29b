"""Texts in few bytes: each byte coded as a primed model expects it, up to an end mark."""

from __future__ import annotations

from typing import Final

import numpy as np

from edge_daemon.errors import DecodeError
from edge_daemon.semantic.coding.arithmetic import ArithmeticDecoder, ArithmeticEncoder
from edge_daemon.semantic.coding.text_model import END, TextModel, primed

MOST_BYTES: Final = 8192
"""Longest text that is packed, in bytes of UTF-8. A few bytes can stand for as many as that, which
takes most of a second to unpack; a longer text is no longer small, and goes as it is."""


def pack(text: bytes) -> bytes:
    """The bitstream of a text.

    Args:
        text: UTF-8, so that no byte is the end mark; at most `MOST_BYTES`.
    """
    model, coder = TextModel(primed()), ArithmeticEncoder()
    for byte in (*text, END):
        ends = np.cumsum(model.sizes())
        start = int(ends[byte - 1]) if byte else 0
        coder.encode(start, int(ends[byte]) - start, int(ends[-1]))
        model.learn(byte)
    return coder.finish()


def unpack(data: bytes) -> bytes:
    """The text of a bitstream, at most `MOST_BYTES`; whether it is UTF-8 is not checked.

    Raises:
        DecodeError: The bitstream is damaged, or the text too long.
    """
    model, coder = TextModel(primed()), ArithmeticDecoder(data)
    text = bytearray()
    while True:
        ends = np.cumsum(model.sizes())
        byte = int(np.searchsorted(ends, coder.point(int(ends[-1])), side="right"))
        start = int(ends[byte - 1]) if byte else 0
        coder.narrow(start, int(ends[byte]) - start)
        if byte == END:
            coder.finish()
            return bytes(text)
        if len(text) == MOST_BYTES:
            raise DecodeError(
                "the packed text is too long",
                value=f"over {MOST_BYTES} bytes",
                remedy="send a shorter text",
            )
        text.append(byte)
        model.learn(byte)
