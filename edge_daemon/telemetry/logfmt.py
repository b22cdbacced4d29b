"""The fields of our log records: messages are written `event=name key=value`, with arguments.

Fields are read from the template and its arguments, not from the finished line, so a value cannot
pass for another field, whatever it holds.
"""

from __future__ import annotations

import ast
import json
import logging
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

MESSAGE = "message"
"""The field of what is no `key=value`."""

_KEY = r"[A-Za-z_][A-Za-z0-9_.]*"
_CONVERSION = re.compile(r"%[-#0 +]*\d*(?:\.\d+)?([diouxXeEfFgGcrsa])")
_TOKEN = re.compile(rf"(?:({_KEY})=)?((?:{_CONVERSION.pattern}|%%|[^\s%])+)(?:\s+|$)")
_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_PAIR = re.compile(rf"({_KEY})=({_QUOTED}|\S+)(?:\s+|$)")


class _Token(NamedTuple):
    """One word of a template: its key if it has one, its arguments, and what they make of it."""

    key: str | None
    template: str
    values: tuple[object, ...]
    text: str


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """The record's fields, JSON-ready; a message that is not logfmt is one field, `message`."""
    tokens = _tokens(record)
    if tokens is None:
        return {MESSAGE: _message(record)}
    fields: dict[str, Any] = {}
    for key, template, values, text in tokens:
        if key is None:
            _add_bare(fields, text)
        elif len(values) == 1 and _CONVERSION.fullmatch(template):
            fields[key] = _plain(values[0], template[-1], text)
        else:
            fields[key] = text
    return fields


def line_of(record: logging.LogRecord) -> str:
    """The record as one logfmt line: values that could pass for more than one are quoted."""
    tokens = _tokens(record)
    if tokens is None:
        return one_line(_message(record))
    words: list[str] = []
    for key, template, _, text in tokens:
        if key is None:
            words.append(one_line(text))
        elif template.endswith("s") and _needs_quotes(text):
            words.append(f"{key}={text!r}")
        else:
            words.append(f"{key}={one_line(text)}")
    return " ".join(words)


def one_line(text: str) -> str:
    """The text with control characters and line separators escaped, as `repr` would."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _tokens(
    record: logging.LogRecord,
) -> list[_Token] | None:
    """The words of a template; `None` if the record is not ours to read."""
    template = record.msg
    if not isinstance(template, str) or not template.startswith("event=") or "%(" in template:
        return None
    # `logging` takes a lone dictionary out of its tuple.
    arguments = record.args if isinstance(record.args, tuple) else (record.args,)
    left: Iterator[object] = iter(() if record.args in (None, ()) else arguments)
    tokens: list[_Token] = []
    position = 0
    try:
        while position < len(template):
            match = _TOKEN.match(template, position)
            if match is None:
                return None
            words = match[2]
            values = tuple(next(left) for _ in _CONVERSION.finditer(words.replace("%%", "")))
            tokens.append(_Token(match[1], words, values, words % values))
            position = match.end()
    except (RuntimeError, StopIteration, TypeError, ValueError):
        return None
    return tokens if next(left, None) is None else None


def _message(record: logging.LogRecord) -> str:
    """The finished message, also of a record whose arguments do not fit."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args!r}"


def _add_bare(fields: dict[str, Any], text: str) -> None:
    """Words without a key: pairs that were joined beforehand, or else part of the message."""
    pairs: dict[str, Any] = {}
    position = 0
    while position < len(text):
        match = _PAIR.match(text, position)
        if match is None:
            fields[MESSAGE] = f"{fields[MESSAGE]} {text}" if MESSAGE in fields else text
            return
        quoted = match[2][0] in "'\""
        pairs[match[1]] = ast.literal_eval(match[2]) if quoted else match[2]
        position = match.end()
    fields.update(pairs)


def _plain(value: object, conversion: str, formatted: str) -> Any:
    """An argument as JSON takes it; `conversion` is the letter of its template."""
    if conversion in "di":
        return int(formatted)
    if conversion in "eEfFgG":
        number = float(formatted)
        return number if math.isfinite(number) else formatted
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping | list | tuple):
        try:
            return json.loads(json.dumps(cast("Any", value), default=str, allow_nan=False))
        except (TypeError, ValueError):
            return str(cast("object", value))
    return str(value)


def _needs_quotes(text: str) -> bool:
    return not text or any(c in " \"'=\\" or not c.isprintable() for c in text)
