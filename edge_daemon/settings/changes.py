"""What differs between two settings, and which of it a running daemon can take over.

A key is live if every part that uses it looks it up anew for each frame, and frames in work are
right with the old value. What sizes a queue, binds a socket, opens a directory or starts a thread
is not: it waits for a restart, and until then the old value stays in force.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from edge_daemon.settings import Settings

LIVE: Final = frozenset(
    {
        "codec",
        "prompt.max_bytes",
        "prefilter",
        "rate",
        "semantic",
        # Not max_payload_bytes: the front socket has a bound of its own, made of it when it binds.
        "limits.max_pixels",
        "limits.max_header_bytes",
        "cameras",
        "stages.queue_bytes",
        "stages.batch_wait_ms",
        "stages.stall_s",
        "stages.default_deadline_s",
        "stages.drain_s",
        "video.change_levels",
        "uplink.backlog",
        "uplink.backlog_kbps",
        "uplink.drain_s",
        "log.level",
    }
)
"""Keys that a reload changes, dotted as in the file; a table's name stands for all its keys."""

_WHOLE: Final = frozenset({"codec", "cameras"})
"""Compared as one: a list has no names for its entries, and a codec's options go with its id."""


@dataclass(frozen=True)
class Changes:
    """Keys that differ, dotted as in the file, in the order of the settings.

    Attributes:
        live: A reload takes them over.
        restart: They wait for a restart.
    """

    live: tuple[str, ...]
    restart: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.live or self.restart)


def compare(old: Settings, new: Settings) -> Changes:
    """What a reload from `old` to `new` would change, and what it could not."""
    differing = [".".join(path) for path in _differing(old, new, ())]
    return Changes(
        live=tuple(key for key in differing if _is_live(key)),
        restart=tuple(key for key in differing if not _is_live(key)),
    )


def taken_over(old: Settings, new: Settings) -> Settings:
    """The settings in force after a reload: those of `new` where they are live, else of `old`.

    Raises:
        pydantic.ValidationError: The live part of the new contradicts the rest of the old.
    """
    values = old.model_dump(by_alias=True)
    wanted = new.model_dump(by_alias=True)
    for key in compare(old, new).live:
        *tables, name = key.split(".")
        target, source = values, wanted
        for table in tables:
            target, source = target[table], source[table]
        target[name] = source[name]
    return Settings.model_validate(values)


def _is_live(key: str) -> bool:
    return key in LIVE or key.split(".", maxsplit=1)[0] in LIVE


def _differing(old: BaseModel, new: BaseModel, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, field in type(old).model_fields.items():
        here = (*path, field.alias or name)
        before: Any = getattr(old, name)
        after: Any = getattr(new, name)
        if before == after:
            continue
        if isinstance(before, BaseModel) and ".".join(here) not in _WHOLE:
            yield from _differing(before, after, here)
        else:
            yield here
