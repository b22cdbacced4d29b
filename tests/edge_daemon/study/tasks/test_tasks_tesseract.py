"""The reader: one answer per picture, in order, and clear words when there is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.errors import UnsupportedError
from edge_daemon.study.tasks.tesseract import read_lines, tesseract_version

needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="Tesseract is not installed (tesseract-ocr)"
)


def _written(text: str) -> NDArray[np.uint8]:
    page = np.full((60, 400), 255, np.uint8)
    cv2.putText(page, text, (10, 42), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 0, 3, cv2.LINE_AA)
    return page


@needs_tesseract
def test_answers_keep_their_places_around_empty_pages() -> None:
    empty = np.full((48, 200), 128, np.uint8)
    said = read_lines([empty, _written("HARBOUR"), empty, _written("MUSEUM"), empty])
    assert len(said) == 5
    assert (said[1], said[3]) == ("HARBOUR", "MUSEUM")


@needs_tesseract
def test_a_version_is_told() -> None:
    assert int(tesseract_version().split(".")[0]) >= 4


def test_nothing_to_read_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert read_lines([]) == []


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnsupportedError, match="apt install tesseract-ocr"):
        read_lines([_written("HARBOUR")])


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo broken >&2; exit 3", "broken"),
        ("printf 'level\\tpage_num\\ttext\\n1\\t1\\t\\n'", "1 answers for 2 pictures"),
    ],
)
def test_a_failing_program_is_told(
    script: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "tesseract"
    stand_in.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(UnsupportedError, match=told):
        read_lines([_written("HARBOUR"), _written("MUSEUM")])
