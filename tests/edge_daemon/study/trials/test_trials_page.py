from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_daemon.codecs import get_codec
from edge_daemon.settings import PromptSettings
from edge_daemon.study.bdrate import Rules, compare_all
from edge_daemon.study.methods.baselines import Downsample, Plain
from edge_daemon.study.tasks.task import ACCURACY
from edge_daemon.study.trials.examples import make_examples
from edge_daemon.study.trials.page import write_report
from edge_daemon.study.trials.report import TaskReport, report_measure
from edge_daemon.study.trials.trial import Failure
from support.blob_task import NEARNESS, BlobTask
from support.html_reading import read_page
from support.measurements import asked

FACTS = {
    "command": "edge-daemon study run --prefix 'a<b'",
    "bundle": "nano-icons",
    "notice": "it knows icons & nothing else",
    "seed": 42,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def blobs(folder: Path) -> TaskReport:
    plain, ours = (
        asked(
            name,
            factor=factor,
            questions=60,
            difficulty=np.random.default_rng(1),
            seed=int(9 * factor),
        )
        for name, factor in (("plain", 1.0), ("downsample:2", 0.6))
    )
    measured = [plain, replace(ours, sent_pixels=ours.pixels / 4)]
    rules = Rules()
    comparisons = compare_all(measured, "plain", rules, resamples=50, seed=1)
    examples, _ = make_examples(
        BlobTask(),
        [Plain(), Downsample(2.0)],
        get_codec({"id": "jpeg", "quality": 40}),
        folder,
        bundle="nano-icons",
        prompt=PromptSettings(),
        among=8,
        seed=1,
        count=1,
    )
    return TaskReport(
        "blobs",
        "How bright is a blob? A <ruler> answers.",
        60,
        [
            report_measure(measure, measured, comparisons, rules, folder, task="blobs")
            for measure in (ACCURACY, NEARNESS)
        ],
        examples,
        [Failure("blob-7", "not-an-image", "the <b>blob</b> burst")],
        ["quantiser with webp: no map & no use"],
    )


def test_a_page_closes_what_it_opens_and_finds_all_its_files(
    folder: Path, blobs: TaskReport
) -> None:
    html = read_page(write_report([blobs], FACTS, folder))
    assert len(html.files) == 2 * (2 * 3 + 2)  # source and two methods, and two charts
    assert "script" not in html.tags
    assert not any("//" in file for file in html.files)


def test_what_others_wrote_is_shown_and_not_obeyed(folder: Path, blobs: TaskReport) -> None:
    html = read_page(write_report([blobs], FACTS, folder))
    for words in (
        "A <ruler> answers.",
        "the <b>blob</b> burst",
        "no map & no use",
        "--prefix 'a<b'",
        "it knows icons & nothing else",
    ):
        assert words in html.text


def test_figures_have_units_and_denominators(folder: Path, blobs: TaskReport) -> None:
    html = read_page(write_report([blobs], FACTS, folder))
    (comparison,) = blobs.measures[0].comparisons
    assert comparison.bd_rate is not None
    assert comparison.other_accounting is not None
    rate = f"−{-comparison.bd_rate:.1f} %"
    assert any(rate in cell and "per sent pixel:" in cell for row in html.rows for cell in row)
    assert "95 % interval over 60 questions" in html.text
    assert "1 of 60 questions could not be sent or judged" in html.text
    view = blobs.examples[0].views[1]
    assert (
        f"{view.bytes:,} bytes, {8 * view.bytes / 3072:.4f} bpp, 768 pixels sent for 3,072"
        in html.text
    )


def test_the_page_says_how_to_read_and_to_repeat_it(folder: Path, blobs: TaskReport) -> None:
    html = read_page(write_report([blobs], FACTS, folder))
    assert "Negative is better" in html.text
    assert '"seed": 42' in html.text
    assert '"command"' not in html.text


def test_every_task_has_a_place_of_its_own(folder: Path, blobs: TaskReport) -> None:
    page = write_report([blobs, replace(blobs, name="more blobs")], {**FACTS, "notice": ""}, folder)
    html = read_page(page)
    assert {"task-1", "task-2"} <= {*html.attributes("id")}
    assert "notice" not in html.attributes("class")


def test_many_failures_are_counted(folder: Path, blobs: TaskReport) -> None:
    failures = [Failure(f"blob-{number}", "internal", "it burst") for number in range(30)]
    html = read_page(write_report([replace(blobs, failures=failures)], FACTS, folder))
    assert "30 of 60 questions" in html.text
    assert "blob-19:" in html.text
    assert "blob-20:" not in html.text
    assert "and 10 more" in html.text


def test_a_page_tells_what_is_too_little_to_compare(folder: Path, blobs: TaskReport) -> None:
    whole, _ = blobs.measures
    plain = [one for one in whole.at_best if one.series == "plain"]
    alone = replace(whole, comparisons=[], at_best=plain)
    nothing = report_measure(NEARNESS, [], [], Rules(), folder, task="blobs")
    html = read_page(write_report([replace(blobs, measures=[alone, nothing])], FACTS, folder))
    assert "No question was sent and judged in every way" in html.text
    assert "BD-rate against plain" not in html.text
    assert ["plain the codec alone", f"{100 * plain[0].value:.1f} %"] in html.rows
