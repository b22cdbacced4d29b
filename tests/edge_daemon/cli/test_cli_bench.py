"""`bench`, through the command line's own front door; how long anything takes is not tested."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from edge_daemon.bench.latency.page import BEGIN, END
from edge_daemon.bench.latency.tables import tables_of
from edge_daemon.cli.bench import shown
from support.latency_results import made_up

Edge = Callable[..., str]

TINY = ("--codec", "jpeg", "--size", "64x48", "--rounds", "1", "--threads", "1", "--backend", "cpu")


def test_frames_are_timed_on_their_way_and_beside_the_published_pipeline(
    edge: Edge, bundle: Path, tmp_path: Path
) -> None:
    output, page = tmp_path / "out", tmp_path / "page.md"
    page.write_text(f"# Latency\n{BEGIN}\n{END}\n", encoding="utf-8")
    said = edge(
        *("bench", "--bundle", bundle, *TINY, "-o", output, "--page", page),
        *("--cameras", "2", "--seconds", "0.2", "--parts", "stages,cameras,published"),
    )
    assert "Stages of a frame with tiny" in said
    assert "End to end: from sending a JPEG file of 1280x720" in said
    assert "Ours beside the published pipeline, as described: new pictures" in said
    assert "bare library calls" not in said
    told = json.loads((output / "latency.json").read_text("utf-8"))
    (cameras,) = told["cameras"]
    assert (cameras["codec"]["id"], cameras["cameras"]) == ("jpeg", 2)
    assert cameras["frame_ms"]["count"] >= 2
    described, hurried, *still = told["published"]["found"]
    assert (described["tiles"], described["published_tiles"]) == (24, 45)
    assert (described["way"], hurried["way"], len(still)) == ("described", "hurried", 2)
    assert told["facts"]["settings"]["rounds"] == 1
    ran = told["facts"]["runs_on"][str(bundle)]
    assert ran["library"]["image"] == ran["daemon"]["image"]
    assert ran["library"]["backend"] == "cpu"
    assert {file.name for file in output.iterdir()} == {
        *("latency.json", "latency.md", "stages-tiny-colours.png"),
    }
    assert (output / "latency.md").read_text("utf-8") in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--size", "big"), "two whole numbers of pixels"),
        (("--cameras", "1,0"), "whole numbers from 1 to 64"),
        (("--cameras", ""), "whole numbers from 1 to 64"),
        (("--parts", "stages,lunch"), "there is no such part"),
        (("--codec", "gif"), "the codec gif cannot be timed here"),
        (("--page", "nowhere.md"), "the page cannot be read"),
        (("--bundle", "nowhere", "--parts", "stages"), "nowhere"),
    ],
)
def test_bad_options_are_named_before_anything_is_timed(
    edge: Edge, options: tuple[str, ...], problem: str, tmp_path: Path
) -> None:
    said = edge("bench", *options, "-o", tmp_path / "out", fails=1)
    assert problem in said
    assert not (tmp_path / "out" / "latency.json").exists()


def test_a_terminal_of_80_columns_shows_all_of_it() -> None:
    console = Console(width=80, no_color=True)
    for figures in tables_of(made_up()):
        with console.capture() as captured:
            console.print(shown(figures))
        lines = captured.get().splitlines()
        for cells in figures.rows:
            assert any(all(cell in line for cell in cells) for line in lines), (cells, lines)
