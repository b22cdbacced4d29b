"""A chat request with other pictures in the places of its own, and all else as it was."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from edge_daemon.errors import EdgeError, PayloadTooLargeError, Verbatim
from edge_daemon.gateway.coder import Coded, Coder
from edge_daemon.gateway.refusals import PictureError
from edge_daemon.gateway.request import pictures_of
from edge_daemon.wire.jsontext import dump_object, parse_object

_MAX_DEPTH: Final = 64
"""Of nesting; schemas of tools are deeper than headers of ours."""


@dataclass(frozen=True)
class Rewritten:
    """A request as the upstream gets it.

    Attributes:
        body: JSON; byte for byte what came if no picture was replaced.
        pictures: What was put in, in order.
        untouched: Pictures that are only named, by http and https URLs.
    """

    body: bytes = field(repr=False)
    pictures: tuple[Coded, ...]
    untouched: int


class Rewriter:
    """Rewrites requests. Thread-safe, and long at work: not for an event loop.

    Args:
        coder: What filters and encodes pictures.
        max_body_bytes: Longest request.
        max_pictures: Most pictures in one.
    """

    def __init__(self, coder: Coder, *, max_body_bytes: int, max_pictures: int) -> None:
        self._coder = coder
        self._max_body_bytes = max_body_bytes
        self._max_pictures = max_pictures

    def rewrite(self, body: bytes) -> Rewritten:
        """A request with every picture that is in it filtered and encoded.

        URLs are not followed: this machine may reach what its clients may not, and the upstream
        fetches them without using the link that is to be spared.

        Raises:
            MessageError: It is not a JSON object.
            PayloadTooLargeError: It has too many pictures.
            PictureError: One of them cannot be used.
        """
        request = parse_object(
            body, what="the request", max_bytes=self._max_body_bytes, max_depth=_MAX_DEPTH
        )
        parts = pictures_of(request)
        inside = [part for part in parts if part.is_data]
        if len(inside) > self._max_pictures:
            raise PayloadTooLargeError(
                f"a request may have {self._max_pictures} pictures",
                value=Verbatim(f"{len(inside)} pictures"),
                remedy="send fewer, or have the operator raise gateway.max_pictures",
            )
        pictures: list[Coded] = []
        for part in inside:
            try:
                coded = self._coder.code(part.content(), part.prompts)
            except EdgeError as mistake:
                raise PictureError(mistake, part.place) from mistake
            part.replace(coded.media_type, coded.content)
            pictures.append(coded)
        untouched = len(parts) - len(inside)
        return Rewritten(dump_object(request) if inside else body, tuple(pictures), untouched)
