"""A prompt cut into clauses, and those into words, quotations and symbols."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

# A quotation is bounded, so that a stray quotation mark cannot make the scan quadratic.
_TOKEN = re.compile(
    r"""
      "(?P<double>[^"\n]{1,160})"
    | “(?P<curly>[^”\n]{1,160})”
    | «(?P<angle>[^»\n]{1,160})»
    | (?<!\w)['‘](?P<single>[^'’\n]{1,160})['’](?!\w)
    | (?P<word>[^\W_]+(?:['’&/._-][^\W_]+)*)
    | (?P<stop>[.!?:;…]+(?=\s|$)|\n)
    | (?P<symbol>[^\w\s.!?:;…"“«'‘]+)
    """,
    re.VERBOSE,
)


def clean(prompt: str) -> str:
    """Single spaces and line breaks for all white space, control characters and surrogates."""
    text = re.sub(r"[^\S\n]+|[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]+", " ", prompt)
    return re.sub(r" +", " ", text).strip()


@dataclass(frozen=True)
class Token:
    """A word as written, a quotation without its marks, or a run of symbols (an emoji)."""

    text: str
    kind: Literal["word", "quote", "symbol"]


@dataclass(frozen=True)
class Clause:
    """What stands between two sentence ends, colons or line breaks."""

    tokens: tuple[Token, ...]
    source: str
    """The clause as written, its punctuation included."""
    in_option: bool
    """Whether it is part of a multiple-choice option."""

    def words(self) -> Iterator[str]:
        """Every word in lower case, those of quotations included."""
        for token in self.tokens:
            if token.kind != "symbol":
                yield from token.text.lower().replace("’", "'").split()


def split_clauses(text: str, *, in_option: bool) -> Iterator[Clause]:
    """Cut at sentence ends, colons and line breaks, but not inside a quotation."""
    tokens: list[Token] = []
    start = 0
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind == "stop":
            yield Clause(tuple(tokens), text[start : match.end()].strip(), in_option)
            tokens, start = [], match.end()
        elif kind == "word":
            tokens.append(Token(match.group(), "word"))
        elif kind == "symbol":
            if any(unicodedata.category(character) == "So" for character in match.group()):
                tokens.append(Token(match.group(), "symbol"))
        elif quoted := match.group(kind).strip():
            tokens.append(Token(quoted, "quote"))
    yield Clause(tuple(tokens), text[start:].strip(), in_option)


def is_foreign(clauses: Sequence[Clause]) -> bool:
    """Whether most letters belong to another script than Latin."""
    latin = others = 0
    for clause in clauses:
        for character in clause.source:
            if character.isalpha():
                # Latin ends with its second extension, and goes on in two later blocks.
                if character < "\u0250" or "\u1e00" <= character < "\u1f00":
                    latin += 1
                else:
                    others += 1
    return others > latin
