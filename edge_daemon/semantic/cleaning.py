"""Texts from strangers, made safe to score, draw and send.

Models and clients are strangers: what they write may be too long, in markup, full of characters
that nobody sees, or meant for whoever reads it next. What comes out is one line of plain
description, or nothing.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Final

from edge_daemon.semantic.injections import addresses_its_reader
from edge_daemon.semantic.notes import Note
from edge_daemon.semantic.steering import shortened

_LONGEST_LOOKED_AT: Final = 8192
"""Characters, for texts of few bytes; nothing is sent of what stands behind them."""
_UNESCAPINGS: Final = 3

_LINE_ENDS: Final = re.compile(r"\r\n?|[\u0085\u2028\u2029]")
_SPACES: Final = re.compile(r"[^\S\n]+")
_EMPTY_LINES: Final = re.compile(r"\s*\n\s*")
_UNSEEN_LETTERS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")
"""Characters that count as letters, marks or symbols, and show nothing."""
_BREAK: Final = re.compile(
    r"</?(?:br|p|div|li|ul|ol|h[1-6]|tr|td|th|hr)\b[^<>]{0,500}>", re.IGNORECASE
)
_TAG: Final = re.compile(r"<!--.{0,500}?-->|</?[A-Za-z][^<>]{0,500}>", re.DOTALL)
_MARKDOWN: Final = (
    (re.compile(r"^ ?(?:```|~~~).*$", re.MULTILINE), ""),
    (re.compile(r"^ ?(?:#{1,6}|>{1,6}|[-*+•]|\d{1,2}[.)]) ", re.MULTILINE), ""),
    (re.compile(r"^[ |:=-]+$", re.MULTILINE), ""),
    (re.compile(r"!?\[([^\[\]]{0,500})\]\([^()]{0,500}\)"), r"\1"),
    (re.compile(r"(\*\*|__|~~|`{1,3})(?=[^\s*_~`])(.{1,500}?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<!\w)([*_])(?=\S)([^*_\n]{1,500}?)(?<=\S)\1(?!\w)"), r"\2"),
)
_BORDER: Final = re.compile(r"[.!?…](?=\s|$)|[,;:](?=\s|$)")


def cleaned(text: str, max_bytes: int) -> tuple[str, tuple[Note, ...]]:
    """What somebody wrote, as it may be sent.

    Characters that nobody sees are taken out (control and format characters, among them those that
    turn the writing direction, tags, halves of surrogate pairs), and so is markup; white space
    becomes single spaces. A text that addresses its reader is refused as a whole: what is left of
    an attack when its worst words are gone is not a description.

    Args:
        text: Any text.
        max_bytes: Most bytes of UTF-8, at least 1.

    Returns:
        One line of at most so many bytes, cut at the end of a sentence or a phrase if it was
        longer, and what had to be done. Empty if nothing was left, or it was refused.
    """
    notes: list[Note] = []
    lines, unseen = _seen(text[: max(_LONGEST_LOOKED_AT, 2 * max_bytes)])
    if unseen:
        notes.append(Note("control-characters", f"{unseen} characters that nobody sees taken out"))
    # Markup may be an attack, or hide one.
    marked = _unescaped(lines)
    plain = _without_markup(marked)
    if addresses_its_reader(marked) or addresses_its_reader(plain):
        notes.append(Note("instructions", "a text that addresses its reader was left out"))
        return "", tuple(notes)
    line = " ".join(plain.split())
    length = len(line.encode("utf-8"))
    if length > max_bytes:
        notes.append(Note("too-long", f"{length} bytes of UTF-8 cut to at most {max_bytes}"))
        line = _cut(line, max_bytes)
    return line, tuple(notes)


def _seen(text: str) -> tuple[str, int]:
    """The text without what nobody sees, in single spaces and newlines; and how much that was."""
    lines = _LINE_ENDS.sub("\n", text)
    seen = "".join(one for one in lines if _is_seen(one))
    return _EMPTY_LINES.sub("\n", _SPACES.sub(" ", seen)).strip(), len(lines) - len(seen)


def _is_seen(character: str) -> bool:
    if character in "\n\t":
        return True
    # Control, format, surrogate, private use and unassigned.
    if unicodedata.category(character).startswith("C") or character in _UNSEEN_LETTERS:
        return False
    return not "\U000e0100" <= character <= "\U000e01ef"  # supplementary variation selectors


def _unescaped(text: str) -> str:
    for _ in range(_UNESCAPINGS):
        text = _seen(html.unescape(text))[0]
    return text


def _without_markup(text: str) -> str:
    text = _TAG.sub("", _BREAK.sub(" ", text))
    for pattern, plain in _MARKDOWN:
        text = pattern.sub(plain, text)
    return text


def _cut(line: str, max_bytes: int) -> str:
    """Cut at the last border of a sentence or phrase, if that keeps at least half."""
    beginning = shortened(line, max_bytes)
    if _BORDER.match(line, len(beginning)):
        return beginning
    borders = [found.start() for found in _BORDER.finditer(beginning)]
    if borders and borders[-1] >= len(beginning) // 2:
        end = borders[-1]
        return beginning[: end + 1] if beginning[end] in ".!?…" else beginning[:end]
    return beginning
