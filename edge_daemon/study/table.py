"""Rows of a study's figures as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any


def write_csv(rows: Sequence[Any], row_type: type[Any], file: Path, *computed: str) -> None:
    """Write rows of a dataclass, every field a column.

    Args:
        rows: May be empty; the header is written all the same.
        row_type: Their type, a dataclass of plain values.
        file: Where to.
        computed: Properties that are columns too.
    """
    names = [field.name for field in fields(row_type)]
    values = ([*astuple(row), *(getattr(row, name) for name in computed)] for row in rows)
    write_rows([*names, *computed], values, file)


def write_rows(names: Sequence[str], rows: Iterable[Sequence[object]], file: Path) -> None:
    """Write rows of plain values under the names of their columns."""
    with file.open("w", encoding="utf-8", newline="") as output:
        writer = csv.writer(output)
        writer.writerow(names)
        for row in rows:
            writer.writerow([_cell(value) for value in row])


def _cell(value: object) -> object:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value
