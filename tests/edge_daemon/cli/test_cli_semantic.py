"""`describe` and `study`, through the command line's own front door."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

Edge = Callable[..., str]


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """Settings for a short search."""
    file = tmp_path / "quick.toml"
    file.write_text("[semantic]\niterations = 2\nprompts = 2\nimages = 1\n", encoding="utf-8")
    return file


def test_describe_leads_with_the_question_and_keeps_to_its_bytes(
    edge: Edge, bundle: Path, photo: Path, quick: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "trace.json"
    said = edge(
        *("describe", photo, "--prompt", "Where is the red sign?", "--max-bytes", "80"),
        *("--trace", trace, "--bundle", bundle, "--config", quick),
    )
    text = said.splitlines()[0]
    assert "red sign" in text.split(".")[0].lower()
    assert len(text.encode("utf-8")) <= 80
    assert re.search(r"bitstream +\d+ bytes \(0\.\d+ bits per source pixel\)", said)
    assert "the tiny test bundle knows colours, not things" in said
    assert "nothing was drawn" in said
    told = json.loads(trace.read_text(encoding="utf-8"))
    assert text in [one["text"] for step in told["rounds"] for one in step["candidates"]]


def test_describe_begins_with_the_caption(
    edge: Edge, bundle: Path, photo: Path, quick: Path
) -> None:
    caption = "Two halves of coloured noise"
    said = edge("describe", photo, "--caption", caption, "--bundle", bundle, "--config", quick)
    assert said.splitlines()[0].startswith(caption)


def test_study_writes_tables_charts_and_a_page(
    edge: Edge, bundle: Path, photo: Path, quick: Path, tmp_path: Path
) -> None:
    output = tmp_path / "results"
    said = edge(
        *("study", "semantic", photo.parent, "--scenes", "0", "--lengths", "100", "-o", output),
        *("--bundle", bundle, "--config", quick, "--framing", "cover"),
    )
    assert "text, phrases + thumbnail" in said
    assert "the tiny test bundle knows colours, not things" in said
    assert {file.name for file in output.iterdir()} >= {
        "index.html",
        "points.csv",
        "iterations.csv",
        "lengths.csv",
        "study.json",
    }


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--scenes", "0"), "nothing to describe"),
        (("--lengths", "8,x"), "whole numbers of bytes"),
        (("--framing", "wide"), "unknown framing"),
    ],
)
def test_study_refuses_what_it_cannot_do(
    edge: Edge, bundle: Path, options: tuple[str, ...], problem: str, tmp_path: Path
) -> None:
    said = edge("study", "semantic", *options, "-o", tmp_path, "--bundle", bundle, fails=1)
    assert problem in said
