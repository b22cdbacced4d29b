"""`study tasks`, through the command line's own front door, with a stand-in for the tasks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.cli import study_tasks
from support.stand_in_task import StandInTask

Edge = Callable[..., str]
QUICK = ("--backend", "sequential", "--resamples", "20", "--questions", "3")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What `task_of` was asked for; it gives the stand-in, under that name."""
    record: list[tuple[str, Any]] = []

    def task_of(text: str, *, seed: int, count: int, bundle: str, **_: object) -> StandInTask:
        record.append((text, (seed, count, bundle)))
        return StandInTask(seed, count, name=text.partition(":")[0])

    monkeypatch.setattr(study_tasks, "task_of", task_of)
    return record


def test_tasks_become_tables(
    edge: Edge, bundle: Path, tmp_path: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = edge(
        *("study", "tasks", *QUICK, "--codec", "jpeg", "--codec", "hevc", "--seed", "7"),
        *("--method", "gaussian:2", "--quality", "jpeg=5,10,40,80", "--quality", "hevc=44,30"),
        *("--bundle", bundle, "-o", tmp_path / "out"),
    )
    assert asked == [("reading", (7, 3, str(bundle))), ("recognition", (7, 3, str(bundle)))]
    for name in ("reading", "recognition"):
        assert f"{name}: rate at equal accuracy, against plain" in said
        assert f"{name}: rate at equal fidelity, against plain" in said
        assert f"{name}: accuracy at each codec's best quality" in said
    assert re.search(r"^ jpeg +gaussian:2 +[+-]\d+\.\d+ .* [1-4]/[1-4] +3 *$", said, re.MULTILINE)
    best = re.findall(r"^ (\w+) +(plain|gaussian:2) +(\d+) +[\d.]+ % +\S+ .* 3 *$", said, re.M)
    assert best == 2 * [
        *(("jpeg", "plain", "80"), ("jpeg", "gaussian:2", "80")),
        *(("hevc", "plain", "30"), ("hevc", "gaussian:2", "30")),
    ]
    assert "the tiny test bundle knows colours, not things" in said
    files = {file.name for file in (tmp_path / "out").iterdir() if file.suffix != ".png"}
    assert files == {"index.html", "pictures"} | {
        f"{kind}-{name}{rest}"
        for name in ("reading", "recognition")
        for kind, rest in (
            *(("trials", ".csv"), ("trials", ".jsonl"), ("summary", ".csv")),
            *(("failures", ".csv"), ("results", "-accuracy.csv")),
        )
    }


@pytest.mark.usefixtures("asked")
def test_results_go_on_to_bdrate(edge: Edge, bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    edge(
        *("study", "tasks", *QUICK, "--task", "reading", "--method", "downsample"),
        *("--bundle", bundle, "-o", output),
    )
    said = edge("study", "bdrate", output / "results-reading-accuracy.csv", "-o", tmp_path / "bd")
    assert "Rate at equal accuracy, against plain" in said
    assert "per sent pixel" in said


@pytest.mark.usefixtures("asked")
def test_all_ablations_run_and_what_makes_no_sense_is_told(
    edge: Edge, bundle: Path, tmp_path: Path
) -> None:
    said = edge(
        *("study", "tasks", *QUICK, "--task", "reading", "--ablations", "--codec", "webp"),
        *("--quality", "webp=10,60", "--bundle", bundle, "-o", tmp_path / "out"),
    )
    assert "Left out: quantiser with webp, which takes no quantiser map." in said
    summary = (tmp_path / "out" / "summary-reading.csv").read_text(encoding="utf-8")
    methods = dict.fromkeys(line.split(",")[0] for line in summary.splitlines()[1:])
    assert list(methods) == [
        *("plain", "prefilter", "smooth", "reference", "gaussian:1", "downsample:2"),
        *("low-resolution:224", "overlap:0.5", "no-overlap", "no-preparation", "no-prompt"),
        *("oracle", "random"),
    ]


@pytest.mark.usefixtures("asked")
def test_settings_say_what_ours_means(edge: Edge, bundle: Path, tmp_path: Path) -> None:
    config = tmp_path / "edge.toml"
    command = (
        *("study", "tasks", *QUICK, "--task", "reading", "--quality", "jpeg=20,60"),
        *("--bundle", bundle, "-o", tmp_path / "out"),
    )
    edge(*command)
    config.write_text("[prefilter]\nsigma_max = 9.0\n", encoding="utf-8")
    said = edge(*command, "--config", config, fails=1)
    assert "another method prefilter.prefilter.sigma_max" in said


def test_failures_are_counted(
    edge: Edge, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(text: str, **_: object) -> StandInTask:
        return StandInTask(count=3, broken=(1,), name=text)

    monkeypatch.setattr(study_tasks, "task_of", broken)
    said = edge(
        *("study", "tasks", *QUICK, "--task", "reading", "--method", "plain"),
        *("--bundle", bundle, "-o", tmp_path / "out"),
    )
    assert "reading: questions, 1 failed" in said
    assert "Failed, neither right nor wrong: 1 x damaged_image" in said
    assert "rate at equal" not in said


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--method", "blur"), "unknown method"),
        (("--codec", "gif"), "no such codec"),
        (("--quality", "hevc=30"), "qualities are those of a codec that is tried"),
        (("--quality", "jpeg=good"), "the qualities of jpeg are numbers"),
        (("--quality", "jpeg=500"), "bad_quality"),
        (("--task", "reading:a", "--task", "reading:b"), "one folder holds one task of a name"),
        (("--scheduler", "tcp://127.0.0.1:9"), "only Dask has a scheduler"),
    ],
)
@pytest.mark.usefixtures("asked")
def test_bad_options_say_what_to_do(
    edge: Edge, bundle: Path, tmp_path: Path, options: tuple[str, ...], problem: str
) -> None:
    said = edge(
        *("study", "tasks", *QUICK, "--bundle", bundle, "-o", tmp_path / "out", *options), fails=1
    )
    assert problem in said
