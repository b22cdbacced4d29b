"""`study vlm`, through the command line's own front door."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support.benchmark_tsv import choice, model, pair, sees, write_tsv
from support.stand_in_endpoint import stand_in_endpoint

Edge = Callable[..., str]


def test_a_benchmark_becomes_a_table(edge: Edge, bundle: Path, tmp_path: Path) -> None:
    rows = [choice(1, "red"), {**choice(2, "red"), "answer": ""}, choice(3, "blue")]
    file = write_tsv(tmp_path / "b.tsv", rows)
    with stand_in_endpoint(model(sees)) as served:
        said = edge(
            *("study", "vlm", file, "--base-url", served.base_url, "--model", "m"),
            *("--quality", "20,60", "--bundle", bundle, "-o", tmp_path / "out"),
        )
    assert len(served.asked) == 8
    assert "b.tsv line 3: it has no answer" in said
    rows_of = re.findall(r"(plain|prefilter) jpeg +(\d+) +2 +\d+ +[\d.]+ +100\.0% +0", said)
    assert sorted(rows_of) == [
        *(("plain", "20"), ("plain", "60"), ("prefilter", "20"), ("prefilter", "60"))
    ]
    assert "Without an answer, neither right nor wrong: 1 x bad_row" in said
    assert "the tiny test bundle knows colours, not things" in said
    assert "edge-daemon study bdrate" in said
    assert (tmp_path / "out" / "results.csv").is_file()


def test_mme_shows_its_sums(edge: Edge, tmp_path: Path) -> None:
    rows = [*pair(0, "red", "color", "blue"), *pair(2, "red", "text_translation", "green")]
    file = write_tsv(tmp_path / "m.tsv", rows)
    config = tmp_path / "edge.toml"
    with stand_in_endpoint(model(sees)) as served:
        config.write_text(
            f'[cloud.vlm]\nbase_url = "{served.base_url}"\nmodel = "m"\n', encoding="utf-8"
        )
        said = edge(
            *("study", "vlm", file, "--config", config, "--condition", "plain"),
            *("--quality", "60", "-o", tmp_path / "out", "--parallel", "1"),
        )
    assert served.asked[0].json()["temperature"] == 0.0
    assert re.search(r"unread +perception +cognition", said)
    assert re.search(r"plain jpeg +60 +4 .* 200\.0 +200\.0", said)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ((), "no model to ask"),
        (("--base-url", "http://127.0.0.1:9/v1"), "no model to ask"),
        (("--base-url", "ftp://x/", "--model", "m"), "base_url"),
        (("--base-url", "http://x/v1", "--model", "m", "--quality", "best"), "is a number"),
        (("--base-url", "http://x/v1", "--model", "m", "--quality", "101"), "bad_quality"),
        (("--base-url", "http://x/v1", "--model", "m", "--codec", "gif"), "no such codec"),
        (("--base-url", "http://x/v1", "--model", "m", "--condition", "blur"), "unknown condition"),
        (("--base-url", "http://x/v1", "--model", "m", "--api-key-env", "NONE"), "NONE"),
    ],
)
def test_bad_options_say_what_to_do(
    edge: Edge, tmp_path: Path, options: tuple[str, ...], problem: str
) -> None:
    file = write_tsv(tmp_path / "b.tsv", [choice(1, "red")])
    said = edge(
        *("study", "vlm", file, "-o", tmp_path / "out", "--condition", "plain"),
        *options,
        fails=1,
    )
    assert problem in said
    assert not (tmp_path / "out").exists()
