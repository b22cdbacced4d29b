"""The log on standard error: text or JSON, one line a record, and journald's priorities."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from edge_daemon.settings import LogSettings
from edge_daemon.telemetry.logfmt import fields_of, line_of, one_line

_PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
_DEBUG_PRIORITY = 7
_INDENT = "    "


class TextFormatter(logging.Formatter):
    """Time, level, logger and logfmt; the lines of a traceback follow, indented.

    No value can begin a line or pass for a field, so nobody who chooses a value can forge either.

    Args:
        journal: For journald, which knows the time itself: priorities in its place, on each line.
    """

    def __init__(self, *, journal: bool = False) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """The record's line or lines, without the last line's end."""
        head = f"{record.levelname} {record.name} {line_of(record)}"
        lines = [head if self._journal else f"{self.formatTime(record)} {head}"]
        lines += [_INDENT + one_line(line) for line in _trace(record, self)]
        prefix = _prefix(record) if self._journal else ""
        return "\n".join(prefix + line for line in lines)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time`, `level`, `logger`, the message's fields, `traceback`.

    `event` names what happened; a message of another library has `message` instead. A field of ours
    that has one of these names gets an underscore behind.

    Args:
        journal: For journald: its priority before each object.
    """

    def __init__(self, *, journal: bool = False) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """The record's line, without its end."""
        moment = datetime.fromtimestamp(record.created, timezone.utc)
        facts: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        trace = _trace(record, self)
        if trace:
            facts["traceback"] = "\n".join(trace)
        fields = fields_of(record)
        facts.update({f"{k}_" if k in facts else k: v for k, v in fields.items()})
        # ASCII only: no reader's idea of a line's end can split it.
        return (_prefix(record) if self._journal else "") + json.dumps(facts, default=str)


_TALKATIVE = ("matplotlib", "numba")
"""Libraries that log every piece of memory, or every pass of a compiler."""


class StderrHandler(logging.Handler):
    """Writes each record in one piece to what standard error is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes; a failure is logging's to report."""
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:  # as `logging` does in its own handlers
            self.handleError(record)


def set_up_log(settings: LogSettings, *, verbose: bool = False) -> None:
    """Sends the log of this process to standard error; may be called again with other settings.

    Args:
        settings: Format and least level.
        verbose: Write every step, whatever the level.
    """
    journal = goes_to_journal(os.environ)
    kind = JsonFormatter if settings.format == "json" else TextFormatter
    handler = StderrHandler()
    handler.setFormatter(kind(journal=journal))
    root = logging.getLogger()
    for earlier in [one for one in root.handlers if isinstance(one, StderrHandler)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if verbose else settings.level.upper())
    for library in _TALKATIVE:
        logging.getLogger(library).setLevel(logging.WARNING)


def goes_to_journal(environment: Mapping[str, str], descriptor: int = 2) -> bool:
    """Whether a file descriptor is the connection to journald that systemd announces."""
    try:
        file = os.fstat(descriptor)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{file.st_dev}:{file.st_ino}"


def _trace(record: logging.LogRecord, formatter: logging.Formatter) -> list[str]:
    parts: list[str] = []
    if record.exc_info and record.exc_info[0] is not None:
        parts.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts).splitlines()


def _prefix(record: logging.LogRecord) -> str:
    for level, priority in _PRIORITIES:
        if record.levelno >= level:
            return f"<{priority}>"
    return f"<{_DEBUG_PRIORITY}>"
