"""TOML files into settings, with mistakes worded for the person who made them.

A bad key is reported with file, line, dotted key, what is wrong, and what would be right. All
mistakes of a file are reported at once, because fixing them one start-up at a time is a chore.
"""

from __future__ import annotations

import difflib
import re
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from edge_daemon.errors import SettingsError
from edge_daemon.settings import Settings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_REMEDY = "correct the file; `edge-daemon check-config FILE` checks it without starting anything"


def load_settings(path: str | Path) -> Settings:
    """Read and check a settings file.

    Args:
        path: A TOML file; see `configs/default.toml` for every key.

    Raises:
        SettingsError: Unreadable, not TOML, or with unknown or bad keys; the message lists each
            with its line.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"cannot read the settings file: {error}",
            value=str(file),
            remedy="name a readable UTF-8 TOML file, such as configs/default.toml",
        ) from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: not valid TOML: {error}", remedy=_REMEDY) from error
    return parse_settings(values, source=str(file), text=text)


def parse_settings(values: dict[str, Any], *, source: str, text: str = "") -> Settings:
    """Check settings that were already parsed from TOML.

    Args:
        values: The parsed document.
        source: What to call its origin in messages.
        text: The TOML text, from which line numbers are found; may be empty.

    Raises:
        SettingsError: With one line per mistake.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        lines = [_describe(item, source, text) for item in error.errors()]
        raise SettingsError(
            "\n".join([f"{len(lines)} mistake(s)", *lines, ""]), remedy=_REMEDY
        ) from error


def _describe(item: ErrorDetails, source: str, text: str) -> str:
    path = [str(part) for part in item["loc"]]
    key = ".".join(path) or "(the whole file)"
    line = find_line(text, path)
    where = f"{source}:{line}" if line else source
    if item["type"] == "extra_forbidden":
        return f"  {where}: {key}: unknown key; {_known_keys(path)}"
    got = "" if isinstance(item["input"], dict) else f" (got {item['input']!r})"
    message = item["msg"].removeprefix("Value error, ")
    return f"  {where}: {key}: {message}{got}{_meaning(path)}"


def _known_keys(path: Sequence[str]) -> str:
    model = _model_at(path[:-1])
    names = sorted(field.alias or name for name, field in model.model_fields.items())
    close = difflib.get_close_matches(path[-1], names, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}known here: {', '.join(names)}"


def _meaning(path: Sequence[str]) -> str:
    model = _model_at(path[:-1])
    for name, field in model.model_fields.items():
        if path and path[-1] in (name, field.alias) and field.description:
            return f"; it is: {field.description}"
    return ""


def _model_at(path: Sequence[str]) -> type[BaseModel]:
    """The settings model that holds the keys below `path`; list indices are passed over."""
    model: type[BaseModel] = Settings
    for part in path:
        if part.isdigit():
            continue
        field = model.model_fields.get(part)
        inner = _find_model(field.annotation) if field is not None else None
        if inner is None:
            return model
        model = inner
    return model


def _find_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (tuple, list, Union, types.UnionType):
        for argument in get_args(annotation):
            found = _find_model(argument)
            if found is not None:
                return found
    return None


_TABLE = re.compile(r"^\s*(?P<open>\[\[?)\s*(?P<name>[^\]]+?)\s*\]")
_KEY = re.compile(r"^\s*(?P<name>[A-Za-z0-9_\-.\"']+)\s*=")


def find_line(text: str, path: Sequence[str]) -> int | None:
    """The line (from 1) on which a key stands in a TOML text, or its table, or `None`.

    The standard library's TOML parser keeps no positions. This walks the headers and keys, one a
    line, and returns the line that agrees with most of the path: the key itself where it has a
    line of its own, else the inline table, array or header that holds it.
    """
    table: list[str] = []
    lengths: dict[str, int] = {}
    found, agreed = None, 0
    for number, line in enumerate(text.splitlines(), start=1):
        header, key = _TABLE.match(line), _KEY.match(line)
        if header:
            table = _split(header["name"])
            if header["open"] == "[[":
                name = header["name"]
                table.append(str(lengths.get(name, 0)))
                lengths[name] = lengths.get(name, 0) + 1
            here = table
        elif key:
            here = [*table, *_split(key["name"])]
        else:
            continue
        if len(here) > agreed and here == list(path[: len(here)]):
            found, agreed = number, len(here)
    return found


def _split(name: str) -> list[str]:
    return [part.strip(" \"'") for part in name.split(".")]
