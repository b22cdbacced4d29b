"""What the commands print, and where: results to stdout, everything else to stderr."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

console = Console()
errors = Console(stderr=True)


def progress_bar(*, transient: bool = False) -> Progress:
    """A bar with what is done and how long it took; a transient one goes when it is full."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=errors, transient=transient)


def narrow_table(title: str, caption: str) -> Table:
    """A table of figures for a terminal of 80 columns; the caption says what they mean."""
    return Table(
        title=title,
        title_justify="left",
        caption=caption,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def facts(title: str, rows: Mapping[str, str]) -> Table:
    """A two-column table of names and values."""
    table = Table(title=title, show_header=False, title_justify="left", box=None, padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def rate(count: int, width: int, height: int) -> str:
    """A bitstream's size as bytes and as bits per source pixel."""
    return f"{count:,} bytes ({8 * count / (width * height):.3f} bits per source pixel)"


def codec_words(config: Mapping[str, Any]) -> str:
    """A codec and its options."""
    options = ", ".join(f"{name} {value}" for name, value in config.items() if name != "id")
    return f"{config['id']} ({options})" if options else str(config["id"])
