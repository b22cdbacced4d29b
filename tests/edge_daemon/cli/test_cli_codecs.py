"""What works here, budgets and allocations, through the command line's own front door."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_daemon.codecs import codec_ids
from edge_daemon.pictures import open_picture
from edge_daemon.wire import unpack_envelope

Edge = Callable[..., str]


def test_codecs_lists_every_codec_and_why_some_cannot(edge: Edge) -> None:
    listed = json.loads(edge("codecs", "--json"))
    assert sorted(listed) == codec_ids()
    assert listed["jpeg"]["encoder"]
    assert listed["jpeg"]["problem"] == ""
    assert listed["hevc"]["map"] is True
    assert listed["hevc"]["quality"] == [51, 0]
    for facts in listed.values():
        assert facts["problem"] or (facts["encoder"] and facts["version"])
    table = edge("codecs")
    assert all(codec_id in table for codec_id in listed)


@pytest.mark.parametrize("suffix", [".jpg", ".edge"])
def test_filter_keeps_to_a_budget(
    edge: Edge, bundle: Path, photo: Path, tmp_path: Path, suffix: str
) -> None:
    output = tmp_path / f"out{suffix}"
    said = edge(
        "filter", photo, "-p", "the red thing", "-o", output, "--bundle", bundle,
        "--budget-bytes", "9000",
    )  # fmt: skip
    assert 5_000 < output.stat().st_size <= 9_000
    assert "encodes: " in said


def test_a_quality_in_the_settings_is_a_ceiling(
    edge: Edge, bundle: Path, photo: Path, tmp_path: Path
) -> None:
    config = tmp_path / "edge.toml"
    config.write_text('[codec]\nid = "jpeg"\nquality = 30\n', encoding="utf-8")
    qualities: list[int] = []
    for more in ([], ["--config", config]):
        output = tmp_path / "out.edge"
        edge(
            "filter", photo, "-p", "the red thing", "-o", output, "--bundle", bundle,
            "--budget-bytes", "900000", *more,
        )  # fmt: skip
        qualities.append(unpack_envelope(output.read_bytes()).header.codec["quality"])
    assert qualities[0] > 80
    assert qualities[1] == 30


def test_filter_says_by_how_much_a_budget_is_missed(
    edge: Edge, bundle: Path, photo: Path, tmp_path: Path
) -> None:
    said = edge(
        "filter", photo, "-p", "the red thing", "-o", tmp_path / "out.edge", "--bundle", bundle,
        "--budget-bytes", "300", fails=1,
    )  # fmt: skip
    assert "over_budget" in said
    assert "more than the 300 allowed" in said
    assert not (tmp_path / "out.edge").exists()


def test_filter_spends_relevance_on_the_quantiser(
    edge: Edge, bundle: Path, photo: Path, tmp_path: Path
) -> None:
    sizes: dict[str, int] = {}
    for allocation in ("smooth", "quantiser"):
        output = tmp_path / f"{allocation}.edge"
        edge(
            "filter", photo, "-p", "the red thing", "-o", output, "--bundle", bundle,
            "--codec", "hevc", "--quality", "30", "--allocation", allocation,
        )  # fmt: skip
        envelope = unpack_envelope(output.read_bytes())
        assert (envelope.header.relevance or {})["allocation"] == allocation
        sizes[allocation] = len(envelope.bitstream)
        edge("decode", output, "-o", tmp_path / "back.png")
        assert open_picture((tmp_path / "back.png").read_bytes()).pixels.shape == (301, 601, 3)
    assert sizes["quantiser"] != sizes["smooth"]


def test_a_codec_without_a_map_is_named(
    edge: Edge, bundle: Path, photo: Path, tmp_path: Path
) -> None:
    said = edge(
        "filter", photo, "-p", "red", "-o", tmp_path / "out.heic", "--bundle", bundle,
        "--allocation", "quantiser", fails=1,
    )  # fmt: skip
    assert "heif takes no quantiser map" in said
    said = edge(
        "filter", photo, "-p", "red", "-o", tmp_path / "out.png", "--bundle", bundle,
        "--allocation", "quantiser", fails=1,
    )  # fmt: skip
    assert "a PNG has no quantiser" in said
    said = edge(
        "filter", photo, "-p", "red", "-o", tmp_path / "out.png", "--bundle", bundle,
        "--budget-bytes", "9000", fails=1,
    )  # fmt: skip
    assert "cannot be made to fit a budget" in said
    assert not (tmp_path / "out.png").exists()


def test_text_in_a_pictures_place_is_decoded_to_text(
    edge: Edge, bundle: Path, photo: Path, tmp_path: Path
) -> None:
    config = tmp_path / "edge.toml"
    config.write_text('[rate]\norder = ["quality", "semantic"]\n', encoding="utf-8")
    output = tmp_path / "out.edge"
    edge(
        "filter", photo, "-p", "the red thing", "-o", output, "--bundle", bundle,
        "--config", config, "--budget-bytes", "2000",
    )  # fmt: skip
    assert "decoded to a .txt file" in edge("decode", output, "-o", tmp_path / "x.png", fails=1)
    edge("decode", output, "-o", tmp_path / "x.txt")
    assert "red thing" in (tmp_path / "x.txt").read_text(encoding="utf-8")
