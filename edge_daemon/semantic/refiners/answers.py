"""Texts in what a language model wrote.

It was asked for a JSON object and nothing else. Models put it between sentences, into code fences
or after their thoughts, forget the object around the list, end in the middle of it, or number lines
instead; all of this is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, cast

_LONGEST_READ: Final = 65_536
_THOUGHTS: Final = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
_OPENING: Final = re.compile(r"[{\[]")
_MOST_OPENINGS: Final = 32
_LIST: Final = re.compile(r'"prompts"\s*:\s*\[')
_STRING: Final = re.compile(r'\s*("(?:[^"\\]|\\.)*")\s*,?')
_ITEM: Final = re.compile(r"^[ \t]*(?:\d{1,2}[.):]|[-*•])[ \t]+(\S.*)$", re.MULTILINE)
_QUOTES: Final = "\"'“”‘’*` "


def prompts_in(answer: str) -> tuple[str, ...]:
    """The texts that a model proposes, each once, none empty; perhaps none at all."""
    answer = _THOUGHTS.sub("", answer[:_LONGEST_READ])
    found = _in_json(answer) or _in_cut_json(answer) or _in_lines(answer)
    return tuple(dict.fromkeys(text for one in found if (text := one.strip())))


def _in_json(answer: str) -> list[str]:
    decoder = json.JSONDecoder()
    end = tries = 0
    for opening in _OPENING.finditer(answer):
        if opening.start() < end:
            continue
        tries += 1
        if tries > _MOST_OPENINGS:
            break
        try:
            value, end = decoder.raw_decode(answer, opening.start())
        except (ValueError, RecursionError):
            continue
        if texts := list(_texts(value)):
            return texts
    return []


def _texts(value: Any) -> Iterator[str]:
    """The strings of a list, or of the list "prompts" in an object."""
    if isinstance(value, dict):
        value = cast("dict[str, Any]", value).get("prompts")
    if isinstance(value, list):
        yield from (one for one in cast("list[Any]", value) if isinstance(one, str))


def _in_cut_json(answer: str) -> list[str]:
    """The whole strings of a list that ends in the middle, as at the model's limit of tokens."""
    texts: list[str] = []
    begin = _LIST.search(answer)
    at = len(answer) if begin is None else begin.end()
    while string := _STRING.match(answer, at):
        try:
            texts.append(json.loads(string[1]))
        except ValueError:
            break
        at = string.end()
    return texts


def _in_lines(answer: str) -> list[str]:
    return [item[1].strip(_QUOTES) for item in _ITEM.finditer(answer)]
