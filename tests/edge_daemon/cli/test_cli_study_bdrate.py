"""`study bdrate`, through the command line's own front door."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

Edge = Callable[..., str]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """40 questions, each answered from some quality on; "[guided]" takes 0.7 of the bytes."""
    lines = ["series,codec,quality,question,bytes,pixels,sent_pixels,accuracy"]
    for name, factor, sent in (("codec only", 1.0, 64_000), ("[guided]", 0.7, 80_000)):
        for quality in range(5):
            for question in range(40):
                right = int(question % 8 < quality + 2)
                size = factor * 1000 * 2**quality
                lines.append(f"{name},jpeg,{quality},q{question},{size},64000,{sent},{right}")
    file = tmp_path / "results.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def test_a_terminal_of_80_columns_shows_all_of_it(
    edge: Edge, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = results.read_text(encoding="utf-8").replace("[guided]", "prefilter").splitlines()
    # Equal sizes: the table has one column less where nothing was resized.
    plain = [",".join((*line.split(",")[:6], *line.split(",")[7:])) for line in lines]
    results.write_text("\n".join(plain), encoding="utf-8")
    monkeypatch.setenv("COLUMNS", "80")
    said = edge("study", "bdrate", results, "-o", tmp_path / "out", "--resamples", "50")
    assert re.search(r"^ jpeg +prefilter +-30\.00 .* 5/5 +40 *$", said, re.MULTILINE)


def test_no_column_is_lost_where_pictures_were_sent_at_another_size(
    edge: Edge, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = edge("study", "bdrate", results, "-o", tmp_path / "out", "--resamples", "50")
    assert re.search(
        r"^ codec +series +BD-rate, % +95 % CI, % +sent, % +overlap +n *$", said, re.MULTILINE
    )
    row = r"^ jpeg +\[guided\] +-30\.00 +-30\.0 to -30\.0 +-44\.00 +0\.25–0\.75 +40 *$"
    assert re.search(row, said, re.MULTILINE)


def test_bdrate_prints_a_table_and_draws_curves(edge: Edge, results: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    said = edge("study", "bdrate", results, "-o", output, "--resamples", "50")
    assert "Rate at equal accuracy, against codec only" in said
    row = re.search(r"jpeg +\[guided\] .*", said)
    assert row is not None
    assert row[0].split()[2:] == [
        *("-30.00", "-30.0", "to", "-30.0", "-44.00"),
        *("0.25–0.75", "40"),
    ]
    assert "bits per source pixel" in said
    assert "sent: the same per sent pixel" in said
    assert {file.name for file in output.iterdir()} == {
        "bdrate.csv",
        "bdrate.json",
        "curves-1-jpeg.png",
        "points.csv",
    }


def test_bdrate_takes_other_rules(edge: Edge, results: Path, tmp_path: Path) -> None:
    said = edge(
        *("study", "bdrate", results, "-o", tmp_path / "out", "--anchor", "[guided]"),
        *("--monotone", "isotonic", "--interpolation", "akima", "--accounting", "sent"),
        *("--min-overlap", "0.5", "--resamples", "0", "--seed", "3"),
    )
    assert "against [guided]" in said
    assert re.search(r"codec only +\+78\.57 +- +\+42\.86", said)
    assert "bits per sent pixel" in said
    settings = json.loads((tmp_path / "out/bdrate.json").read_text(encoding="utf-8"))["settings"]
    assert settings == {
        "monotone": "isotonic",
        "interpolation": "akima",
        "accounting": "sent",
        "min_overlap": 0.5,
        "anchor": "[guided]",
        "resamples": 0,
        "seed": 3,
    }


def test_bdrate_says_why_there_is_no_figure(edge: Edge, tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    rows = ["a,jpeg,1,0.1,0.5", "a,jpeg,2,0.2,0.6", "b,jpeg,1,0.1,0.8", "b,jpeg,2,0.2,0.9"]
    file.write_text("\n".join(["series,codec,quality,bpp,accuracy", *rows]), encoding="utf-8")
    said = edge("study", "bdrate", file, "-o", tmp_path / "out")
    assert "b, jpeg: no accuracy is reached by both: the anchor has 0.5 to 0.6" in said


def test_bdrate_refuses_bad_tables(edge: Edge, results: Path, tmp_path: Path) -> None:
    said = edge("study", "bdrate", results, "-o", tmp_path, "--anchor", "vtm", fails=1)
    assert "no series has the anchor's name" in said
    results.write_text("series,codec,quality,bpp,accuracy\na,jpeg,10,x,1\n", encoding="utf-8")
    said = edge("study", "bdrate", results, "-o", tmp_path, fails=1)
    assert "line 2, column bpp: not a number" in said
