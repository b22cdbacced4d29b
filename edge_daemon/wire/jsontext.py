"""JSON from strangers: strict, bounded, and the same everywhere.

Python's reader takes more than RFC 8259 allows and than other languages agree on. What it takes in
silence is refused here: duplicate keys (readers differ on which one wins), `NaN` and `Infinity`,
numbers that overflow a double or a signed 64-bit integer, halves of surrogate pairs (no UTF-8 can
carry them), byte order marks, and nesting deep enough to exhaust a stack.
"""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import Any, NoReturn, cast

from edge_daemon.errors import EdgeError, MessageError, Verbatim

MAX_DEPTH = 16
"""Deepest nesting of objects and arrays, unless said otherwise."""

MAX_INTEGER = 2**63 - 1
"""Largest magnitude of an integer."""

# A string that never ends goes to the text's end: no match is ever given up, so time is linear.
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_STRING_OR_BRACKET = re.compile(rf"{_STRING.pattern}|[\[\]{{}}]", re.DOTALL)
_STEPS = {ord(bracket): step for bracket, step in {"[": 1, "{": 1, "]": -1, "}": -1}.items()}
_ALL_BUT_BRACKETS = bytes(set(range(256)) - _STEPS.keys())
_LONGEST_INTEGER = len(str(MAX_INTEGER)) + 1
_DOUBTFUL_NUMBER = re.compile(r"\d[eE]|\d{19}")


class _RefusedError(ValueError):
    """Why the text is refused; `value` is the part at fault."""

    def __init__(self, problem: str, value: object, remedy: str) -> None:
        super().__init__(problem)
        self.problem, self.value, self.remedy = problem, value, remedy


def parse_object(
    data: bytes,
    *,
    what: str,
    max_bytes: int,
    max_depth: int = MAX_DEPTH,
    error: type[EdgeError] = MessageError,
) -> dict[str, Any]:
    """Reads one JSON object.

    Args:
        data: UTF-8 without a byte order mark.
        what: What the text is, for the error, e.g. "the header".
        max_bytes: Longest text that is looked at.
        max_depth: Deepest nesting of objects and arrays.
        error: The type to raise.

    Raises:
        EdgeError: Of the given type, naming the part at fault.
    """
    try:
        return _parse(data, max_bytes, max_depth)
    except _RefusedError as refused:
        raise error(
            f"{what} {refused.problem}", value=refused.value, remedy=refused.remedy
        ) from None


def _parse(data: bytes, max_bytes: int, max_depth: int) -> dict[str, Any]:
    if len(data) > max_bytes:
        raise _RefusedError(
            "is too long", Verbatim(f"{len(data)} bytes"), f"send at most {max_bytes}"
        )
    if data.startswith(b"\xef\xbb\xbf"):
        raise _RefusedError("begins with a byte order mark", data[:3], "send UTF-8 without one")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as mistake:
        offending = data[mistake.start : mistake.start + 8]
        raise _RefusedError(
            f"is not UTF-8 at byte {mistake.start}", offending, "encode it as UTF-8"
        ) from None
    bare = _STRING.sub("", text)
    if _depth(bare) > max_depth:
        _refuse_depth(text, max_depth)
    # Without an exponent or many digits no number is out of bounds, and need not be looked at.
    doubtful = _DOUBTFUL_NUMBER.search(bare) is not None
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite if doubtful else None,
            parse_int=_bounded if doubtful else None,
        )
    except json.JSONDecodeError as mistake:
        raise _RefusedError(
            f"is not JSON: {mistake.msg} at character {mistake.pos}",
            text[mistake.pos : mistake.pos + 40],
            "send one JSON object",
        ) from None
    if not isinstance(value, dict):
        raise _RefusedError("is not a JSON object", value, "send one JSON object")
    fields = cast("dict[str, Any]", value)
    if "\\u" in text:
        _check_surrogates(fields)
    return fields


def _depth(bare: str) -> int:
    """How deep the brackets of a text without strings are nested."""
    brackets = bare.encode("utf-8").translate(None, _ALL_BUT_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


def _refuse_depth(text: str, max_depth: int) -> None:
    """Says where a text is too deep: token by token, which takes four times as long."""
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        token = found.group()
        if token in "[{":
            depth += 1
            if depth > max_depth:
                raise _RefusedError(
                    f"is nested deeper than {max_depth} levels",
                    Verbatim(f"level {depth} at character {found.start()}"),
                    "send a flatter object",
                )
        elif token in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise _RefusedError("has a key twice", key, "send each key once")
        result[key] = value
    return result


def _no_constant(name: str) -> NoReturn:
    raise _RefusedError(
        "has a number that JSON does not know", Verbatim(name), "send a finite number"
    )


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _RefusedError(
            "has a number beyond a double", Verbatim(digits), "send a smaller number"
        )
    return value


def _bounded(digits: str) -> int:
    if len(digits) > _LONGEST_INTEGER or abs(int(digits)) > MAX_INTEGER:
        raise _RefusedError("has an integer beyond 64 bits", Verbatim(digits), "send a smaller one")
    return int(digits)


def _check_surrogates(value: dict[str, Any]) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as mistake:
        raise _RefusedError(
            "has half of a surrogate pair",
            mistake.object[mistake.start : mistake.end],
            "escape both halves, or send the character as UTF-8",
        ) from None


def dump_object(value: dict[str, Any]) -> bytes:
    """Writes what `parse_object` accepts: compact UTF-8.

    Raises:
        ValueError: A number is not finite, or a string holds half of a surrogate pair.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8")
