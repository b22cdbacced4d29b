"""A frame that is on the cloud's disk, as its line in the log tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from edge_daemon.wire import EnvelopeHeader, Key

Kind = Literal["picture", "text", "thumbnail", "sketch"]
"""What a file holds of a frame; also the name of its field in the log."""

SUFFIXES: Final[Mapping[Kind, str]] = {
    "picture": ".png",
    "text": ".txt",
    "thumbnail": ".thumbnail.png",
    "sketch": ".sketch.png",
}


@dataclass(frozen=True)
class Kept:
    """A frame and where its files are.

    Attributes:
        header: Its envelope's.
        files: Paths relative to the cloud's directory.
        follow_up: What is to be done with it after it was kept.
    """

    header: EnvelopeHeader
    files: Mapping[Kind, str]
    follow_up: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """(client, sequence)."""
        return self.header.client, self.header.sequence

    def to_line(self) -> dict[str, Any]:
        """Its part of the line in the log."""
        facts = self.header.model_dump(exclude={"version"})
        if facts["semantic"] is None:
            del facts["semantic"]
        return {
            **self.files,
            **({"follow_up": list(self.follow_up)} if self.follow_up else {}),
            **facts,
        }

    @classmethod
    def of_line(cls, line: dict[str, Any]) -> Kept:
        """What a line says.

        Raises:
            ValueError: Not what `to_line` makes.
        """
        files: dict[Kind, str] = {kind: line[kind] for kind in SUFFIXES if kind in line}
        follow_up = cast("list[str]", line.get("follow_up", []))
        return cls(EnvelopeHeader.model_validate(line), files, tuple(follow_up))


def source_size(header: EnvelopeHeader) -> tuple[int, int]:
    """Width and height of what the camera sent, in pixels."""
    return header.source_width or header.width, header.source_height or header.height
