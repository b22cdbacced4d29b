"""The key that opens an endpoint: where it comes from, and how it stays hidden."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import unquote

from edge_daemon.errors import KeysError, SettingsError
from edge_daemon.keys.files import read_small
from edge_daemon.keys.secret import Secret
from edge_daemon.settings import ApiSettings

_PRINTABLE: Final = re.compile(rb"[\x21-\x7e]+")
_SHORTEST: Final = 8
"""Bytes; a shorter key could not be told from the words around it, nor be hidden."""

_SHOWN: Final = "[key]"
_WORD: Final = re.compile(r"\S+")
_MASK: Final = re.compile(r"[*•·…#]+|\.{3,}|[xX]{4,}")
"""What stands for the middle of a key where its ends are shown."""
_FEWEST_OF_AN_END: Final = 2
_PART, _STEP = 8, 4
"""Any 11 consecutive characters of a key hold one of its parts of 8 that begin at every fourth."""


def key_of(settings: ApiSettings, environment: Mapping[str, str] = os.environ) -> Secret | None:
    """The key that the settings name; `None` if they name none.

    Raises:
        SettingsError: It is named twice, missing, open to other users, or no key.
    """
    if settings.api_key_env is not None and settings.api_key_file is not None:
        raise SettingsError(
            "the key is named twice, by api_key_env and api_key_file",
            value=settings.base_url,
            remedy="keep one of them",
        )
    if settings.api_key_env is not None:
        where = f"the environment variable {settings.api_key_env}"
        content = environment.get(settings.api_key_env)
        if content is None:
            raise SettingsError(
                "the environment variable that api_key_env names is not set",
                value=settings.api_key_env,
                remedy="set it to the key, or leave api_key_env out for a server that wants none",
            )
        return _checked(Secret(content.encode("utf-8", "surrogateescape")), where)
    if settings.api_key_file is not None:
        return key_in_file("api_key_file", settings.api_key_file)
    return None


def key_in_file(setting: str, path: str) -> Secret:
    """The key that a file holds; `setting` is what names the file.

    Raises:
        SettingsError: It is missing, open to other users, or no key.
    """
    try:
        secret = read_small(Path(path), private=True)
    except KeysError as mistake:
        raise SettingsError(
            f"{setting}: {mistake.problem}",
            value=path,
            remedy="name a file with the key and nothing else, that only its owner can read "
            "(chmod 600)",
        ) from None
    return _checked(secret, f"the file {path}")


def _checked(secret: Secret, where: str) -> Secret:
    stripped = Secret(secret.reveal().strip())
    if not _PRINTABLE.fullmatch(stripped.reveal()) or len(stripped.reveal()) < _SHORTEST:
        raise SettingsError(
            f"{where} holds no key: one is a single line of at least {_SHORTEST} printable ASCII "
            "characters without spaces",
            remedy="put the key there and nothing else, or name none for a server that wants none",
        )
    return stripped


class Hiding:
    """Takes a key out of what a peer wrote, for peers echo keys.

    A word goes as a whole if it holds the key, percent-encoded or not, 11 or more of its characters
    in a row, or its beginning or end beside a mask ("sk-ab****wxyz").

    Args:
        key: What must not show; `None` hides nothing.
    """

    def __init__(self, key: Secret | None) -> None:
        self._key = key

    def text(self, text: str) -> str:
        """The text without the key."""
        if self._key is None:
            return text
        return _WORD.sub(lambda found: _SHOWN if self._shows(found[0]) else found[0], text)

    def json(self, value: Any) -> Any:
        """A JSON value of which no string holds the key, names of fields included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.json(one) for one in cast("list[Any]", value)]
        if isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            return {self.text(name): self.json(one) for name, one in fields.items()}
        return value

    def _shows(self, word: str) -> bool:
        assert self._key is not None
        key = self._key.reveal().decode("ascii")
        while "%" in word and (plain := unquote(word)) != word:
            word = plain
        starts = range(0, max(1, len(key) - _PART + 1), _STEP)
        return any(key[i : i + _PART] in word for i in starts) or any(
            _is_end(key, word[: mask.start()], word[mask.end() :]) for mask in _MASK.finditer(word)
        )


def _is_end(key: str, before: str, after: str) -> bool:
    """Whether a mask stands between the two ends of a key, or at one of them."""
    begins = re.search(r"[\w-]*$", before)
    ends = re.match(r"[\w-]*", after)
    start, end = begins[0] if begins else "", ends[0] if ends else ""
    return (len(start) >= _FEWEST_OF_AN_END and key.startswith(start)) or (
        len(end) >= _FEWEST_OF_AN_END and key.endswith(end)
    )
