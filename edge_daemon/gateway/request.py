"""The pictures of a chat request, and what is asked about each.

Only parts of type `image_url` in messages are looked at. What is of another form than the API's is
left for the upstream to refuse.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, cast

from edge_daemon.errors import MessageError, Verbatim
from edge_daemon.wire import MAX_PROMPTS

_DATA_URL: Final = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_SHOWN: Final = 60
"""Characters of a URL that an error shows: its beginning says what it is."""


@dataclass
class PicturePart:
    """One picture of a request.

    Attributes:
        place: Where in the request it stands, e.g. `messages[0].content[1].image_url`.
        prompts: What it is asked, without repeats; empty if nothing is.
    """

    place: str
    prompts: tuple[str, ...]
    _holder: dict[str, Any] = field(repr=False)
    _key: str = field(repr=False)

    @property
    def is_data(self) -> bool:
        """Whether the picture itself is in the request, and not only its address."""
        return self._url[:5].lower() == "data:"

    def content(self) -> bytes:
        """The picture's file.

        Raises:
            MessageError: The URL is not base64.
        """
        prefix = _DATA_URL.match(self._url)
        if prefix is None:
            raise self._not_base64("it does not say that it is")
        try:
            return base64.b64decode(self._url[prefix.end() :], validate=True)
        except ValueError as mistake:
            raise self._not_base64(str(mistake)) from None

    def replace(self, media_type: str, content: bytes) -> None:
        """Puts another file in the picture's place."""
        encoded = base64.b64encode(content).decode("ascii")
        self._holder[self._key] = f"data:{media_type};base64,{encoded}"

    @property
    def _url(self) -> str:
        return self._holder[self._key]

    def _not_base64(self, why: str) -> MessageError:
        return MessageError(
            f"the data URL of a picture is not in base64: {why}",
            value=Verbatim(f"{self._url[:_SHOWN]!r}, {len(self._url)} characters"),
            remedy="send data:image/jpeg;base64, and the file in base64",
        )


def pictures_of(request: dict[str, Any]) -> list[PicturePart]:
    """All pictures of a request, in order.

    A picture is asked the text of its own message and the user's texts of later ones, for a
    question that follows up is about it too; of many, the latest. One without any is asked what the
    user said last.

    Args:
        request: A chat request; `PicturePart.replace` changes it.
    """
    found: list[list[PicturePart]] = []
    later: list[str] = []  # of the user, the latest first
    for index, message in reversed(_dicts(request.get("messages"))):
        content = message.get("content")
        text = _text(content)
        prompts = tuple(dict.fromkeys(([text] if text else []) + later[::-1]))
        parts = [
            _pictures_in(part, f"messages[{index}].content[{place}].image_url", prompts)
            for place, part in _dicts(content)
        ]
        found.append([picture for pictures in parts for picture in pictures])
        new = message.get("role") == "user" and text and text not in later
        if new and len(later) < MAX_PROMPTS - 1:
            later.append(text)
    pictures = [picture for pictures in reversed(found) for picture in pictures]
    for picture in pictures:
        picture.prompts = picture.prompts or tuple(later[:1])
    return pictures


def _pictures_in(
    part: dict[str, Any], place: str, prompts: tuple[str, ...]
) -> Iterator[PicturePart]:
    if part.get("type") != "image_url":
        return
    # Some servers also take the bare URL.
    for holder, key in ((part.get("image_url"), "url"), (part, "image_url")):
        if isinstance(holder, dict):
            own = cast("dict[str, Any]", holder)
            if isinstance(own.get(key), str):
                yield PicturePart(place, prompts, own, key)
                return


def _dicts(value: object) -> list[tuple[int, dict[str, Any]]]:
    """The objects of a list with their places; none of what is no list."""
    if not isinstance(value, list):
        return []
    numbered = enumerate(cast("list[Any]", value))
    return [(place, one) for place, one in numbered if isinstance(one, dict)]


def _text(content: object) -> str:
    """What a message says: its text parts, a line each."""
    if isinstance(content, str):
        return content.strip()
    parts = [part.get("text") for _, part in _dicts(content) if part.get("type") == "text"]
    return "\n".join(part for part in parts if isinstance(part, str)).strip()
