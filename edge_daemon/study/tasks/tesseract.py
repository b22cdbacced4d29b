"""Tesseract, the reader of the task `reading`: Debian's program, started once for many pictures."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.errors import UnsupportedError

_PROGRAM: Final = "tesseract"
_ONE_LINE: Final = ("--psm", "7")
_LEAST_S: Final = 60.0
_PICTURE_S: Final = 5.0
"""Seconds allowed; a line takes about 0.02 s on a desktop."""
_WORD: Final = 5
"""Level of the table's rows that hold a word."""


def read_lines(pictures: Sequence[NDArray[np.uint8]]) -> list[str]:
    """What each picture of a line of text says, in Tesseract's reading.

    Args:
        pictures: uint8 (H, W), grey; lines of about 50 pixels are read best.

    Raises:
        UnsupportedError: The program is missing, or fails.
    """
    if not pictures:
        return []
    with tempfile.TemporaryDirectory(prefix="edge-daemon-reading-") as directory:
        files = [Path(directory) / f"{number}.pgm" for number in range(len(pictures))]
        for file, picture in zip(files, pictures, strict=True):
            _, portable_greymap = cv2.imencode(".pgm", picture)
            file.write_bytes(portable_greymap.tobytes())
        listed = "".join(f"{file}\n" for file in files)
        table = _run([*_ONE_LINE, "tsv"], listed, _LEAST_S + _PICTURE_S * len(files))
    return _lines(table, len(pictures))


def _lines(table: str, pages: int) -> list[str]:
    """The words of each page of Tesseract's table, which names the page of each."""
    words: list[list[str]] = [[] for _ in range(pages)]
    seen: set[int] = set()
    for row in table.splitlines()[1:]:
        level, page, *_, text = row.split("\t")
        seen.add(int(page))
        if int(level) == _WORD and 1 <= int(page) <= pages:
            words[int(page) - 1].append(text)
    if seen != {*range(1, pages + 1)}:
        raise UnsupportedError(
            "Tesseract did not answer for each picture",
            value=f"{len(seen)} answers for {pages} pictures",
            remedy="use the version of your distribution; 5.3 is known to work",
        )
    return [" ".join(line) for line in words]


@cache
def tesseract_version() -> str:
    """Its version, such as "5.3.0".

    Raises:
        UnsupportedError: It is missing, cannot be started, or has no English.
    """
    if "eng" not in _run(["--list-langs"], None, _LEAST_S).split():
        raise UnsupportedError(
            "Tesseract has no English", value="eng", remedy="apt install tesseract-ocr-eng"
        )
    return _run(["--version"], None, _LEAST_S).split()[1]


def _run(arguments: list[str], listed: str | None, limit_s: float) -> str:
    program = shutil.which(_PROGRAM)
    if program is None:
        raise UnsupportedError(
            "the task `reading` needs Tesseract",
            value=_PROGRAM,
            remedy="install it (Debian: apt install tesseract-ocr)",
        )
    command = [program, *arguments] if listed is None else [program, "stdin", "stdout", *arguments]
    # A study has a process for each core; threads of Tesseract's own would only get in their way.
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    try:
        ran = subprocess.run(
            command,
            input=listed,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=limit_s,
            env=environment,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", None) or error
        raise UnsupportedError(
            f"Tesseract failed: {str(told).strip()[-300:]}",
            value=" ".join(command),
            remedy="see that `tesseract --version` works",
        ) from error
    return ran.stdout
