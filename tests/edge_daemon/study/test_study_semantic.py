from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_daemon.demo.scenes import make_scene
from edge_daemon.errors import NotAnImageError, UnsupportedError
from edge_daemon.semantic.coding import packed_bytes
from edge_daemon.settings import RefinerChatSettings, SemanticSettings, Settings
from edge_daemon.study.semantic import Outcome, run_study
from edge_daemon.study.semantic.cases import ICON_SCENES, Case, icon_scenes, photographs
from edge_daemon.study.semantic.charts import draw_charts
from edge_daemon.study.semantic.table import Point, means
from models import load_bundle
from support.stand_in_endpoint import proposes, stand_in_endpoint
from support.tiny_bundle import make_tiny_bundle

CAPTION = "A dog beside a red car."
SIZE = (120, 160)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    height, width = SIZE
    scene = make_scene(4, width=width, height=height, count=4)
    photo = make_scene(5, width=width, height=height, count=2).pixels
    cases = [
        Case("photos", "yard", photo, caption=CAPTION),
        Case(ICON_SCENES, "scene-1", scene.pixels, f"Where is the {scene.things[0].name}?"),
    ]
    settings = Settings(semantic=SemanticSettings(iterations=2, prompts=2, images=2))
    output = tmp_path_factory.mktemp("study")
    bundle = load_bundle("nano-icons", threads=1)
    return run_study(cases, bundle, settings, output, lengths=[60])


def rows(outcome: Outcome, name: str) -> list[dict[str, str]]:
    with (outcome.page.parent / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_way_to_spend_bytes_is_a_point(outcome: Outcome) -> None:
    points = rows(outcome, "points.csv")
    both = ["32 px, raw RGB", "thumbnail", "JPEG q10"]
    texts = ["text, phrases", "text, phrases + thumbnail", "text, phrases + sketch"]
    methods = {
        group: [point["method"] for point in points if point["group"] == group]
        for group in ("photos", ICON_SCENES)
    }
    assert methods == {"photos": [*both, "caption as given", *texts], ICON_SCENES: [*both, *texts]}


def test_rates_count_bits_per_source_pixel(outcome: Outcome) -> None:
    for point in rows(outcome, "points.csv"):
        assert (int(point["height"]), int(point["width"])) == SIZE
        bpp = 8 * int(point["bytes"]) / (SIZE[0] * SIZE[1])
        assert float(point["bpp"]) == pytest.approx(bpp, rel=1e-4)
    found = {point["method"]: int(point["bytes"]) for point in rows(outcome, "points.csv")}
    assert found["32 px, raw RGB"] == 32 * 43 * 3
    assert found["caption as given"] == packed_bytes(CAPTION)
    assert found["text, phrases"] < found["text, phrases + sketch"]
    assert found["text, phrases"] < found["thumbnail"] < found["JPEG q10"]


def test_clipsim_is_of_what_can_be_shown(outcome: Outcome) -> None:
    shown = {
        (point["group"], point["method"]): point["clipsim"] for point in rows(outcome, "points.csv")
    }
    assert shown["photos", "text, phrases"] == ""  # nobody draws photographs here
    assert shown["photos", "caption as given"] == ""
    assert float(shown["photos", "text, phrases + thumbnail"]) == pytest.approx(
        float(shown["photos", "thumbnail"]), abs=1e-6
    )
    assert float(shown[ICON_SCENES, "text, phrases"]) > 0
    for group in ("photos", ICON_SCENES):
        assert float(shown[group, "JPEG q10"]) > float(shown[group, "thumbnail"])


def test_the_search_is_told_round_by_round(outcome: Outcome) -> None:
    steps = rows(outcome, "iterations.csv")
    assert [step["iteration"] for step in steps] == ["1", "2", "1", "2"]
    measures = {step["group"]: step["measure"] for step in steps}
    assert measures == {"photos": "text cosine", ICON_SCENES: "CLIPSim"}
    for group in measures:
        best = [float(step["best"]) for step in steps if step["group"] == group]
        assert best == sorted(best)


def test_lengths_are_compared(outcome: Outcome) -> None:
    lengths = rows(outcome, "lengths.csv")
    assert [int(one["max_bytes"]) for one in lengths] == [60, 400, 60, 400]
    for one in lengths:
        assert 0 < int(one["utf8_bytes"]) <= int(one["max_bytes"])
        gain = float(one["final"]) - float(one["first"])
        assert float(one["gain"]) == pytest.approx(gain, abs=1e-5)
        assert gain >= 0


def test_the_page_says_what_the_bundle_knows_and_what_was_left_out(outcome: Outcome) -> None:
    page = outcome.page.read_text(encoding="utf-8")
    assert "nano-icons knows icons, not photographs" in page
    assert "no generator is configured" in page
    assert "none is configured (semantic.refiner" in page
    for file in outcome.page.parent.rglob("*.png"):
        assert f'src="{file.relative_to(outcome.page.parent).as_posix()}"' in page
        assert cv2.imread(str(file)) is not None
    assert len(list(outcome.page.parent.glob("*.png"))) == 8


def test_it_can_be_repeated(outcome: Outcome) -> None:
    facts = json.loads((outcome.page.parent / "study.json").read_text(encoding="utf-8"))
    assert facts["bundle"] == "nano-icons"
    assert facts["framing"] == "centre"
    assert facts["semantic"]["iterations"] == 2
    assert "api_key" not in json.dumps(facts).replace("api_key_env", "").replace("api_key_file", "")


def test_a_language_model_is_measured_beside_the_phrases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "sk-never-to-be-seen")
    pixels = np.full((60, 80, 3), (220, 10, 10), np.uint8)
    cases = [Case("photos", "red", pixels, "Where is the car?", CAPTION)]
    bundle = load_bundle(make_tiny_bundle(tmp_path / "bundle"), threads=1)
    with stand_in_endpoint(proposes("A car in red.", "A green car.")) as served:
        chat = RefinerChatSettings(
            base_url=served.base_url, model="stand-in-llm", api_key_env="A_KEY"
        )
        semantic = SemanticSettings(refiner="openai", iterations=1, images=1, chat=chat)
        output = tmp_path / "results"
        found = run_study(cases, bundle, Settings(semantic=semantic), output, lengths=[])
    texts = {one["method"]: one["text"] for one in rows(found, "points.csv")}
    assert texts["text, stand-in-llm"] == "A car in red."
    assert texts["text, phrases"] != texts["text, stand-in-llm"]
    assert not any("language model" in one for one in found.left_out)
    for file in output.iterdir():
        assert file.is_dir() or b"sk-never" not in file.read_bytes()


def test_means_are_over_the_pictures_that_have_a_figure() -> None:
    points = [
        Point("g", "a", "m", 10, 10, 100, clipsim=0.5),
        Point("g", "b", "m", 20, 10, 200),
        Point("g", "a", "other", 10, 10, 1),
    ]
    first, other = means(points)
    assert (first.pictures, first.bytes, first.clipsim) == (2, 150, 0.5)
    assert first.bpp == pytest.approx(8.0)
    assert (other.pictures, other.clipsim, other.text_cosine) == (1, None, None)


def test_photographs_bring_their_captions(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "in").mkdir(parents=True)
    for name in ("b.png", "in/a.jpg"):
        cv2.imwrite(str(folder / name), np.zeros((8, 8, 3), np.uint8))
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    index = [{"file": "in/a.jpg", "captions": ["A  black\nsquare.", "Another."]}]
    (folder / "coco.json").write_text(json.dumps(index), encoding="utf-8")
    cases = list(photographs(folder))
    assert [(one.group, one.name, one.caption) for one in cases] == [
        ("photos", "b", ""),
        ("photos", "in/a", "A black square."),
    ]


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAnImageError, match="no pictures in this folder"):
        list(photographs(tmp_path))


def test_scenes_ask_about_something_that_is_there() -> None:
    first, again = next(icon_scenes(1, 7)), next(icon_scenes(1, 7))
    assert (first.pixels == again.pixels).all()
    assert first.question == again.question
    assert first.question.startswith("Where is the ")


def test_without_matplotlib_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UnsupportedError, match=r"edge-daemon\[study\]"):
        draw_charts([Point("g", "a", "m", 8, 8, 10, clipsim=0.5)], [], [], tmp_path)
