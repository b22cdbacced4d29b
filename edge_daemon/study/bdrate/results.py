"""Reads tables of results; everything that is doubtful is refused by line and column.

Columns are `series`, `codec`, `quality`, `accuracy`, and for the rate either `bytes` and `pixels`
(of the source) or `bpp` (bits per source pixel), with or without `bytes`. Two more may be there:
`question`, an id, where each row is one question, and `sent_pixels`, where the sent picture has
another size than its source.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from edge_daemon.errors import Verbatim
from edge_daemon.study.bdrate.errors import ResultsError
from edge_daemon.study.bdrate.series import Series

MAX_FILE_BYTES: Final = 256 * 2**20
MAX_ROWS: Final = 1_000_000
MAX_SERIES: Final = 500
"""Most pairs of a series and a codec."""
MAX_QUALITIES: Final = 100
"""Of one series with one codec."""
_LONGEST_NAME: Final = 200
_LARGEST: Final = 1e15
_REQUIRED: Final = ("series", "codec", "quality", "accuracy")
_COLUMNS: Final = (*_REQUIRED, "bytes", "pixels", "bpp", "question", "sent_pixels")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class _Figures(NamedTuple):
    bits: float
    pixels: float
    sent_pixels: float
    accuracy: float


_Cells = dict[str, dict[str, _Figures]]
"""By quality and question."""


def read_results(file: Path) -> list[Series]:
    """Read a table of results (CSV in UTF-8, with a header).

    Args:
        file: Its columns are told above; every cell must be filled.

    Returns:
        One for each pair of a series and a codec, in the order of their first rows.

    Raises:
        ResultsError: It cannot be read, is too large, has bad cells or repeated rows, or a
            question was not asked at every quality of a series.
    """
    cells: dict[tuple[str, str], _Cells] = {}
    per_question, has_bytes = False, False
    for row in _rows(file):
        per_question, has_bytes = "question" in row, "bytes" in row
        _file_away(cells, row)
    if not cells:
        raise ResultsError(
            "the table has no rows", value=file.name, remedy="write a row for each measurement"
        )
    return [
        _series(name, codec, own, per_question=per_question, has_bytes=has_bytes)
        for (name, codec), own in cells.items()
    ]


class _Row:
    """One line, whose cells are checked as they are taken."""

    def __init__(self, line: int, cells: Mapping[str, str]) -> None:
        self.line = line
        self._cells = cells

    def __contains__(self, column: str) -> bool:
        return column in self._cells

    def name(self, column: str) -> str:
        text = self._cells[column].strip()
        if not 0 < len(text) <= _LONGEST_NAME or not text.isprintable():
            raise self.error(
                column, f"a name has 1 to {_LONGEST_NAME} printable characters", "name it"
            )
        return text

    def number(self, column: str) -> float:
        text = self._cells[column].strip()
        value = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not abs(value) <= _LARGEST:
            raise self.error(
                column, f"not a number from {-_LARGEST:g} to {_LARGEST:g}", "write it like 0.25"
            )
        return value

    def positive(self, column: str) -> float:
        value = self.number(column)
        if value <= 0:
            raise self.error(column, "must be above 0", "leave out what was not measured")
        return value

    def error(self, column: str, problem: str, remedy: str) -> ResultsError:
        where = f"line {self.line}, column {column}"
        return ResultsError(f"{where}: {problem}", value=self._cells[column], remedy=remedy)


def _rows(file: Path) -> Iterator[_Row]:
    try:
        size = file.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ResultsError(
                f"a table of results has at most {MAX_FILE_BYTES:,} bytes",
                value=Verbatim(f"{size:,} bytes"),
                remedy="split it, e.g. by codec",
            )
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, strict=True)
            columns = _columns(next(reader, list[str]()))
            for number, cells in enumerate(reader, 1):
                if number > MAX_ROWS:
                    raise ResultsError(
                        f"a table of results has at most {MAX_ROWS:,} rows",
                        remedy="split it, e.g. by codec",
                    )
                if len(cells) != len(columns):
                    raise ResultsError(
                        f"line {reader.line_num}: {len(columns)} cells are needed, one for each "
                        "column",
                        value=Verbatim(f"{len(cells)} cells"),
                        remedy="fill every cell; quote commas",
                    )
                yield _Row(reader.line_num, dict(zip(columns, cells, strict=True)))
    except (OSError, UnicodeDecodeError, csv.Error) as reason:
        raise ResultsError(
            f"cannot be read as CSV in UTF-8: {reason}", value=str(file), remedy="check the file"
        ) from reason


def _columns(header: list[str]) -> list[str]:
    columns = [name.strip() for name in header]
    strange = [name for name in columns if name not in _COLUMNS or columns.count(name) > 1]
    if strange:
        raise ResultsError(
            "line 1: a column is unknown or there twice",
            value=strange[0],
            remedy=f"use {', '.join(_COLUMNS)}, each at most once",
        )
    wanted = {*_REQUIRED, *(() if "bpp" in columns else ("bytes", "pixels"))}
    if "sent_pixels" in columns:
        wanted.add("bytes")
    missing = [name for name in _COLUMNS if name in wanted and name not in columns]
    if missing:
        raise ResultsError(
            "line 1: columns are missing",
            value=Verbatim(", ".join(missing)),
            remedy="add them; the rate is bytes and pixels, or bpp",
        )
    if {"bpp", "pixels"} <= {*columns}:
        raise ResultsError(
            "line 1: bpp and pixels both say how many pixels the source has",
            remedy="leave out one of them",
        )
    return columns


def _figures(row: _Row) -> _Figures:
    bits = 8 * row.positive("bytes") if "bytes" in row else row.positive("bpp")
    pixels = row.positive("pixels") if "pixels" in row else bits / row.positive("bpp")
    sent = row.positive("sent_pixels") if "sent_pixels" in row else pixels
    accuracy = row.number("accuracy")
    if "question" in row and not 0 <= accuracy <= 1:
        raise row.error("accuracy", "of one question it is 0 to 1", "write 1 for a right answer")
    return _Figures(bits, pixels, sent, accuracy)


def _file_away(cells: dict[tuple[str, str], _Cells], row: _Row) -> None:
    curve = cells.setdefault((row.name("series"), row.name("codec")), {})
    if len(cells) > MAX_SERIES:
        raise row.error("series", f"more than {MAX_SERIES} series and codecs", "split the table")
    quality = curve.setdefault(row.name("quality"), {})
    if len(curve) > MAX_QUALITIES:
        raise row.error("quality", f"more than {MAX_QUALITIES} of one series", "name settings only")
    last = "question" if "question" in row else "quality"
    question = row.name("question") if "question" in row else ""
    if question in quality:
        raise row.error(last, "this series, codec and quality already has it", "keep one of both")
    quality[question] = _figures(row)


def _series(name: str, codec: str, cells: _Cells, *, per_question: bool, has_bytes: bool) -> Series:
    questions = sorted({question for quality in cells.values() for question in quality})
    for quality, answers in cells.items():
        if len(answers) < len(questions):
            missing = next(question for question in questions if question not in answers)
            raise ResultsError(
                f"{name} with {codec}, quality {quality}: {len(questions) - len(answers)} of "
                f"{len(questions)} questions are missing",
                value=missing,
                remedy="ask the same questions at every quality",
            )
    table = np.array(
        [[cells[quality][question] for quality in cells] for question in questions], np.float64
    )
    bits, pixels, sent_pixels, accuracy = np.moveaxis(table, -1, 0)
    return Series(
        name,
        codec,
        tuple(cells),
        tuple(questions) if per_question else (),
        bits,
        pixels,
        sent_pixels,
        accuracy,
        has_bytes,
    )
