"""Figures and names as people read them."""

from __future__ import annotations

from rich import filesize
from rich.markup import escape

NOTHING = "-"
"""In place of a figure that is not known."""

_SPANS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"))


def shown(text: object) -> str:
    """Text of another process, safe on a terminal: no control characters, no markup."""
    return escape("".join(c if c.isprintable() else "\ufffd" for c in str(text)))


def size(count: float | None) -> str:
    """Bytes in the unit that suits them; savings may be negative."""
    if count is None:
        return NOTHING
    return ("-" if count < 0 else "") + filesize.decimal(round(abs(count)))


def number(value: float | None, digits: int = 1) -> str:
    """A figure with so many digits after the point."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def percent(share: float | None) -> str:
    """A share, 0 to 1."""
    return NOTHING if share is None else f"{100 * share:.1f} %"


def span(seconds: float) -> str:
    """A time span in the unit that suits it."""
    for unit_s, unit in _SPANS:
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.1f} {unit}"
    return f"{seconds:.1f} s"
