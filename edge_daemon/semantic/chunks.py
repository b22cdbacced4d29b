"""Texts that are longer than a text encoder's context, in pieces that fit.

An encoder of CLIP's kind reads at most some 75 tokens and drops the rest without a word. A longer
text is therefore cut, between sentences if that will do, else between phrases, else between words,
and each piece is scored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

TokenCount = Callable[[str], int]

_BORDERS: Final = (
    re.compile(r"(?<=[.!?…])\s+|\n+"),
    re.compile(r"(?<=[,;:])\s+|\s+(?=[-–—(]\s?)|\s+(?=(?:and|with|while|beside|behind)\s)"),
    re.compile(r"\s+"),
)
"""Where a text may be cut, the best places first: between sentences, phrases, words."""


def chunks_of(text: str, token_count: TokenCount, token_budget: int) -> list[str]:
    """Cut a text into pieces that an encoder reads whole.

    Args:
        text: Any text.
        token_count: Tokens of a text, start and end tokens not counted.
        token_budget: Most tokens of a piece, at least 1.

    Returns:
        Consecutive pieces of the text, neighbours joined where they fit together; nothing but
        white space between them is lost. A text that fits is one piece; white space alone is none.
    """
    return list(_chunks(text.strip(), token_count, token_budget, 0))


def _chunks(text: str, token_count: TokenCount, token_budget: int, level: int) -> Iterator[str]:
    # A single character may take several tokens; there is nothing smaller.
    if len(text) < 2 or token_count(text) <= token_budget:
        if text:
            yield text
        return
    chunk = ""
    chunk_begin = 0
    for begin, end in _pieces(text, level):
        if chunk and token_count(text[chunk_begin:end]) <= token_budget:
            chunk = text[chunk_begin:end]
            continue
        if chunk:
            yield chunk
        chunk, chunk_begin = text[begin:end], begin
        if token_count(chunk) > token_budget:
            yield from _chunks(chunk, token_count, token_budget, level + 1)
            chunk = ""
    if chunk:
        yield chunk


def _pieces(text: str, level: int) -> Iterator[tuple[int, int]]:
    """Begin and end of what lies between a level's borders; beyond the last level, the halves."""
    if level >= len(_BORDERS):
        yield 0, len(text) // 2
        yield len(text) // 2, len(text)
        return
    begin = 0
    for border in _BORDERS[level].finditer(text):
        if border.start() > begin:
            yield begin, border.start()
        begin = border.end()
    if begin < len(text):
        yield begin, len(text)
