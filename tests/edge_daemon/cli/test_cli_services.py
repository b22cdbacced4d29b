"""`send` and `status` against a real daemon and a real receiver; the demo as a whole."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_daemon.demo.run import codecs_here, frames_of_run, run_demo
from edge_daemon.pictures import save_picture
from support.free_port import free_endpoint
from support.pictures import busy_picture
from support.processes import Running

Edge = Callable[..., str]


@pytest.fixture(scope="module")
def endpoint(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("service")
    uplink = free_endpoint()
    settings = {
        "bundle": str(bundle),
        "front": {"bind": free_endpoint()},
        "uplink": {"connect": uplink},
        "cloud": {"bind": uplink, "directory": str(directory / "received")},
    }
    with Running("cloud", settings, directory), Running("serve", settings, directory) as daemon:
        yield daemon.endpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("photos")
    for number in range(2):
        save_picture(busy_picture(320, 200, seed=number), directory / f"{number}.png")
    (directory / "broken.png").write_bytes((directory / "0.png").read_bytes()[:500])
    return directory


def test_send_tells_what_became_of_each_and_fails_if_one_failed(
    edge: Edge, endpoint: str, folder: Path
) -> None:
    said = edge(
        "send", folder, "--prompt", "red", "--connect", endpoint, "--ack", "delivered", fails=1
    )
    assert said.count("delivered") == 2
    assert "broken.png: damaged_image" in said
    assert "1 frame(s) failed" in said
    assert "knows colours, not things" in said


def test_send_prints_json_lines(edge: Edge, endpoint: str, folder: Path) -> None:
    said = edge(
        "send", folder / "0.png", "--prompt", "red", "--codec", "hevc", "--connect", endpoint,
        "--json",
    )  # fmt: skip
    line = next(line for line in said.splitlines() if line.startswith("{"))
    facts = json.loads(line)
    assert facts["codec"]["id"] == "hevc"
    assert (facts["width"], facts["height"]) == (320, 200)


def test_send_takes_a_caption_for_a_text_and_says_how_good_it_is(
    edge: Edge, endpoint: str, folder: Path
) -> None:
    common = ["send", folder / "0.png", "--prompt", "red", "--connect", endpoint]
    said = edge(*common, "--mode", "semantic", "--caption", "a red yard")
    assert re.search(r", text, .*; cosine -?0\.\d{3} by tiny-colours", said)
    said = edge(*common, "--caption", "a red yard", fails=1)
    assert "a caption has no place in mode prefilter" in said


def test_status_shows_counters(edge: Edge, endpoint: str) -> None:
    said = edge("status", "--connect", endpoint)
    assert "link to the cloud" in said
    assert "tiny-colours" in said


def test_no_daemon_is_said(edge: Edge, folder: Path) -> None:
    nobody = free_endpoint()
    said = edge(
        "send", folder / "0.png", "--prompt", "red", "--connect", nobody, "--timeout", "0.5",
        fails=1,
    )  # fmt: skip
    assert nobody in said


def test_a_taken_port_ends_in_a_message(
    edge: Edge, endpoint: str, bundle: Path, tmp_path: Path
) -> None:
    file = tmp_path / "edge.toml"
    file.write_text(f"bundle = '{bundle}'\n[front]\nbind = '{endpoint}'\n")
    assert endpoint in edge("serve", "--config", file, fails=1)


def test_the_demo_runs_from_camera_to_page(bundle: Path, tmp_path: Path) -> None:
    sent: list[int] = []
    outcome = run_demo(
        tmp_path / "demo", bundle=str(bundle), scenes=1, on_frame=lambda: sent.append(1)
    )
    assert len(outcome.pairs) == 2
    assert len(sent) == frames_of_run(1)
    page = outcome.page.read_text(encoding="utf-8")
    for pair in outcome.pairs:
        assert pair.prompt in page
        assert [cost.codec for cost in pair.costs] == list(codecs_here())
        assert all(0 < cost.smooth_bytes < cost.plain_bytes for cost in pair.costs)
        mapped = [cost for cost in pair.costs if cost.quantiser_bytes is not None]
        assert "HEVC QP 32" in [cost.codec for cost in mapped]
        assert all(0 < (cost.quantiser_bytes or 0) < cost.plain_bytes for cost in mapped)
        assert pair.words.text in html.unescape(page)
        assert 0 < pair.words.bitstream_bytes < pair.words.envelope_bytes < 2000
        for image in pair.images.values():
            assert (outcome.page.parent / image).stat().st_size > 100_000
            assert image in page
    assert "knows colours, not things" in page
