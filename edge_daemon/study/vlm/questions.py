"""Questions out of VLMEvalKit's TSV files, of any size.

A row has `index`, `question` and `answer`, its options in columns `A`, `B` and so on, perhaps
`hint`, `category`, `l2-category`, `split` and `image_path`, and in `image` either a picture's file
in base64 or the index of the row that has it. A row without options is a yes/no question.

Files reach gigabytes, nearly all of it pictures. So a file is read once for everything else, and a
picture again when its question's turn comes.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from edge_daemon.errors import DamagedImageError, UnsupportedError

YES_NO: Final = ("Yes", "No")
_NEEDED: Final = ("index", "image", "question", "answer")
_LONGEST_REFERENCE: Final = 64
"""Characters; what is longer in `image` is a picture."""
_LONGEST_LINE: Final = 2**28
"""Bytes; a file without line ends must not fill the memory."""
_FOREIGN: Final = re.compile("[\udc80-\udcff]")
"""What "surrogateescape" makes of bytes that are not UTF-8."""
_MISSING: Final = frozenset({"", "nan"})
"""How pandas, with which such files are written, may spell a cell without a value."""


@dataclass(frozen=True)
class Question:
    """One row.

    Attributes:
        line: Where it begins in its file, from 1.
        index: Its name there.
        text: What is asked.
        hint: What may help; may be empty.
        options: Texts by letter; empty for a yes/no question.
        answer: The right letter, or "Yes" or "No".
        category, l2_category, split: As in the file; may be empty.
        picture: What questions about the same picture have in common.
        picture_at: Byte of the file where the row begins that has the picture.
    """

    line: int
    index: str
    text: str
    hint: str
    options: Mapping[str, str]
    answer: str
    category: str
    l2_category: str
    split: str
    picture: str
    picture_at: int


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be asked: where it begins (from 1), its index if it has one, and why."""

    line: int
    index: str
    problem: str


class QuestionFile:
    """A TSV file, read but for its pictures.

    Args:
        path: Of the file.

    Attributes:
        questions: In order.
        bad: Rows that cannot be asked, in order. Each costs one question, and those that refer to
            its picture.
        digest: BLAKE2b of the file's bytes, in hexadecimal.

    Raises:
        UnsupportedError: A needed column is missing.
        OSError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.bad: list[BadRow] = []
        digest = hashlib.blake2b(digest_size=16)
        with path.open("rb") as file:
            rows = _rows(file, digest)
            self._header = _header(path, rows)
            read = [found for row in rows if (found := self._read(row)) is not None]
        self.digest = digest.hexdigest()
        self.questions = self._resolved(read)
        self.bad.sort(key=lambda row: row.line)

    def picture_of(self, question: Question) -> bytes:
        """The file of a question's picture.

        Raises:
            DamagedImageError: It is not base64.
        """
        with self._path.open("rb") as file:
            file.seek(question.picture_at)
            row = next(_rows(file))
        try:
            return base64.b64decode(self._named(row.cells)["image"].strip(), validate=True)
        except (binascii.Error, ValueError) as mistake:
            raise DamagedImageError(
                f"the picture in the file is not base64: {mistake}",
                value=f"row of question {question.index}",
                remedy="get the file again",
            ) from mistake

    def _named(self, cells: list[str]) -> dict[str, str]:
        pairs = zip(self._header, cells, strict=True)
        return {name: "" if cell.strip() in _MISSING else cell for name, cell in pairs}

    def _read(self, row: _Row) -> tuple[Question, str] | None:
        """The question of a row, and the index that its picture's cell refers to, if any."""
        if row.problem or len(row.cells) != len(self._header):
            wanted = f"{len(row.cells)} cells under {len(self._header)} columns"
            self.bad.append(BadRow(row.line, "", row.problem or wanted))
            return None
        cells = self._named(row.cells)
        image, index = cells["image"].strip(), cells["index"].strip()
        options = {
            letter: cells[letter] for letter in string.ascii_uppercase if cells.get(letter, "")
        }
        answer = cells["answer"].strip()
        answer = answer if options else answer.capitalize()
        problem = _problem(index, image, cells["question"], options, answer)
        if problem:
            self.bad.append(BadRow(row.line, index, problem))
            return None
        reference = image if len(image) <= _LONGEST_REFERENCE else ""
        question = Question(
            row.line,
            index,
            cells["question"],
            cells.get("hint", ""),
            options,
            answer,
            cells.get("category", ""),
            cells.get("l2-category", ""),
            cells.get("split", ""),
            cells.get("image_path") or hashlib.blake2b(image.encode(), digest_size=16).hexdigest(),
            row.at,
        )
        return question, reference

    def _resolved(self, read: list[tuple[Question, str]]) -> list[Question]:
        """The questions, each with the place of its picture; of two of an index, the first."""
        questions: dict[str, Question] = {}
        with_picture: dict[str, Question] = {}
        for question, reference in read:
            if not reference:
                with_picture.setdefault(question.index, question)
        for question, reference in read:
            source = with_picture.get(reference) if reference else question
            if question.index in questions:
                problem = f"line {questions[question.index].line} has the same index"
            elif source is None:
                problem = f"its picture is that of row {reference!r}, which has none"
            else:
                questions[question.index] = replace(
                    question, picture=source.picture, picture_at=source.picture_at
                )
                continue
            self.bad.append(BadRow(question.line, question.index, problem))
        return list(questions.values())


@dataclass(frozen=True)
class _Row:
    """Cells of a row, where it begins (byte, line), and what kept it from being read."""

    at: int
    line: int
    cells: list[str]
    problem: str = ""


class _Lines:
    """Lines of a file as text, and how far they were read."""

    def __init__(self, file: BinaryIO, digest: hashlib.blake2b | None) -> None:
        self._file = file
        self._digest = digest
        self.bytes = file.tell()
        self.lines = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(_LONGEST_LINE):
            self.bytes += len(line)
            self.lines += 1
            if self._digest is not None:
                self._digest.update(line)
            yield line.decode("utf-8", "surrogateescape")


def _rows(file: BinaryIO, digest: hashlib.blake2b | None = None) -> Iterator[_Row]:
    # The module's own limit, 128 KiB, is less than most pictures take.
    csv.field_size_limit(_LONGEST_LINE)
    lines = _Lines(file, digest)
    reader = csv.reader(lines, delimiter="\t")
    while True:
        at, line = lines.bytes, lines.lines + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as mistake:
            yield _Row(at, line, [], f"not a row of tab-separated values: {mistake}")
            continue
        if not cells:
            continue
        foreign = any(not cell.isascii() and _FOREIGN.search(cell) for cell in cells)
        yield _Row(at, line, cells, "not in UTF-8" if foreign else "")


def _header(path: Path, rows: Iterator[_Row]) -> list[str]:
    first = next(rows, None)
    header = [] if first is None else [name.lstrip("\ufeff").strip() for name in first.cells]
    # VLMEvalKit knows columns, but for the options, by their names in small letters.
    header = [name if name in string.ascii_uppercase else name.lower() for name in header]
    missing = [name for name in _NEEDED if name not in header]
    if missing:
        raise UnsupportedError(
            f"{path.name} has no column '{missing[0]}'",
            value=", ".join(header) or "nothing",
            remedy="name a file of VLMEvalKit's, with columns index, image, question and answer, "
            "separated by tabs",
        )
    return header


def _problem(index: str, image: str, text: str, options: Mapping[str, str], answer: str) -> str:
    """Why a row cannot be asked; empty if it can."""
    if not index:
        return "it has no index"
    if not text.strip():
        return "it has no question"
    if not image:
        return "it has no picture"
    if image.startswith("["):
        return "it has several pictures"
    if not answer:
        return "it has no answer (benchmarks keep those of their test split to themselves)"
    if answer not in (options or YES_NO):
        return f"its answer {answer[:20]!r} is none of {', '.join(options or YES_NO)}"
    return ""
