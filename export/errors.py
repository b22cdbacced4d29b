"""The one error of this package, and how other libraries' errors are quoted in it."""

from __future__ import annotations

from pathlib import Path


class ExportError(Exception):
    """A checkpoint that cannot become a bundle, and why.

    Args:
        problem: What is wrong, as a clause without a full stop, with the offending value.
        file: The file or directory at fault; `None` if there is none.
        remedy: What to do about it, as an imperative clause.
    """

    def __init__(self, problem: str, *, file: Path | None = None, remedy: str) -> None:
        self.problem = problem
        self.file = file
        self.remedy = remedy
        where = "" if file is None else f"{file}: "
        super().__init__(f"{where}{problem}; {remedy}")


def brief(error: Exception, longest: int = 300) -> str:
    """An exception's message on one line, cut off at `longest` characters."""
    return " ".join(str(error).split())[:longest]
