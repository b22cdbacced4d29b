"""Rows of a study's figures as CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
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
    with file.open("w", encoding="utf-8", newline="") as output:
        writer = csv.writer(output)
        writer.writerow([*names, *computed])
        for row in rows:
            values = [*astuple(row), *(getattr(row, name) for name in computed)]
            writer.writerow([_cell(value) for value in values])


def _cell(value: object) -> object:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value
