from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.errors import SettingsError
from edge_daemon.study.tasks.detector import Detections, Detector, DetectorError
from edge_daemon.study.tasks.detector.names import COCO_80, COCO_91
from support.stand_in_detector import Form, Place, write_detector

NAMES = 'names = ["Kettle", "sign"]\n'
PLAIN = "mean = [0, 0, 0]\nstd = [1, 1, 1]\n"
MEANT = 'scores = "sigmoid"\ncoordinates = "pixels"\n'
TOLD = NAMES + PLAIN + MEANT
SIGN = Place(1, 8, 16, 40, 48)
KETTLE = Place(0, 56, 8, 88, 40)
FORMS: tuple[Form, ...] = ("yolov5", "yolov8", "detr", "boxes", "rt-detr")


def picture(*red: Place, width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    """Black, with red where something is; places are in shares of 96 x 64."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for place in red:
        across = slice(place.left * width // 96, place.right * width // 96)
        down = slice(place.top * height // 64, place.bottom * height // 64)
        pixels[down, across] = (230, 0, 0)
    return pixels


def opened(folder: Path, form: Form, settings: str = TOLD, **graph: object) -> Detector:
    file = folder / "model.onnx"
    write_detector(file, form, [SIGN, KETTLE], **graph)  # type: ignore[arg-type]
    if settings:
        file.with_suffix(".toml").write_text(settings)
    return Detector(file)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_there_is_seen_in_pixels_of_the_picture(tmp_path: Path, form: Form) -> None:
    detector = opened(tmp_path, form)
    assert detector.names == ("kettle", "sign")
    seen = detector.detect(picture(SIGN, width=192, height=128))
    assert seen.classes.tolist() == [1]
    np.testing.assert_allclose(seen.edges, [[16, 32, 80, 96]], atol=1e-3)
    assert 0.85 < seen.scores[0] <= 1.0
    assert sorted(detector.detect(picture(SIGN, KETTLE)).classes) == [0, 1]
    assert len(detector.detect(picture()).edges) == 0


def test_a_letterbox_keeps_shapes_and_stretching_does_not(tmp_path: Path) -> None:
    pixels = picture(SIGN, width=96, height=32)
    pixels[:] = (230, 0, 0)
    edges: dict[str, NDArray[np.float64]] = {}
    for fit in ("letterbox", "stretch"):
        detector = opened(tmp_path, "boxes", f'{TOLD}fit = "{fit}"')
        edges[fit] = detector.detect(pixels).edges
    np.testing.assert_allclose(edges["letterbox"][0], [8, 16, 40, 48])
    np.testing.assert_allclose(edges["stretch"][0], [8, 8, 40, 24])


def test_an_input_of_any_size_takes_the_picture_as_it_is(tmp_path: Path) -> None:
    dynamic = f'{TOLD}size = "dynamic"'
    detector = opened(tmp_path, "boxes", dynamic, size=None)
    seen = detector.detect(picture(SIGN)[:50, :70])
    np.testing.assert_allclose(seen.edges, [[8, 16, 40, 48]])


def test_an_input_without_a_batch_takes_the_picture_alone(tmp_path: Path) -> None:
    detector = opened(tmp_path, "boxes", f'{TOLD}size = "dynamic"', size=None, batched=False)
    assert detector.detect(picture(KETTLE)).classes.tolist() == [0]


def test_of_overlapping_boxes_yolo_keeps_the_best_of_each_class(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    beside = Place(1, 12, 16, 44, 48)
    other_class = Place(0, 8, 16, 40, 48)
    write_detector(file, "yolov8", [beside, SIGN, other_class])
    file.with_suffix(".toml").write_text(NAMES + PLAIN)
    seen = Detector(file).detect(picture(SIGN))
    assert sorted(zip(seen.classes, seen.edges[:, 0], strict=True)) == [(0, 8.0), (1, 8.0)]


def test_what_ultralytics_writes_into_its_files_is_enough(tmp_path: Path) -> None:
    metadata = {"names": "{0: 'kettle', 1: 'sign'}", "imgsz": "[64, 96]"}
    detector = opened(tmp_path, "yolov8", "", size=None, metadata=metadata)
    assert detector.names == ("kettle", "sign")
    seen = detector.detect(picture(KETTLE, width=192, height=128))
    assert seen.classes.tolist() == [0]
    np.testing.assert_allclose(seen.edges, [[112, 16, 176, 80]], atol=1e-3)


def test_classes_without_names_are_cocos_where_there_are_as_many(tmp_path: Path) -> None:
    for form in ("yolov5", "yolov8", "detr"):
        assert opened(tmp_path, form, PLAIN + MEANT, classes=80).names == COCO_80
    assert opened(tmp_path, "detr", PLAIN + MEANT, classes=91).names == COCO_91
    assert (COCO_80[0], COCO_80[79]) == (COCO_91[1], COCO_91[90]) == ("person", "toothbrush")
    assert len(COCO_80) == len({*COCO_80}) == 80


def test_bytes_are_given_as_they_are(tmp_path: Path) -> None:
    detector = opened(tmp_path, "boxes", NAMES + MEANT, takes_bytes=True)
    assert detector.detect(picture(SIGN)).scores[0] == pytest.approx(230 / 255, rel=1e-5)


def test_samples_are_scaled_shifted_and_ordered_as_told(tmp_path: Path) -> None:
    told = f"{NAMES}{MEANT}scale = 0.01\nmean = [1.3, 0, 0]\nstd = [2, 1, 1]"
    assert opened(tmp_path, "boxes", told).detect(picture(SIGN)).scores[0] == pytest.approx(0.5)
    blue_first = opened(tmp_path, "boxes", f'{TOLD}channels = "bgr"')
    assert len(blue_first.detect(picture(SIGN)).edges) == 0
    assert len(blue_first.detect(np.flip(picture(SIGN), axis=2)).edges) == 1


def test_with_softmax_the_last_class_is_nothing(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    write_detector(file, "detr", [SIGN, Place(2, 56, 8, 88, 40)], classes=3)
    file.with_suffix(".toml").write_text(f'{NAMES}{PLAIN}scores = "softmax"')
    seen = Detector(file).detect(picture(SIGN, KETTLE))
    assert seen.classes.tolist() == [1]


def test_shares_of_the_input_are_brought_to_pixels(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    write_detector(file, "boxes", [Place(1, 0, 0, 1, 1)])
    file.with_suffix(".toml").write_text(f'{NAMES}{PLAIN}coordinates = "shares"')
    everywhere = np.full((128, 192, 3), 230, np.uint8)
    np.testing.assert_allclose(Detector(file).detect(everywhere).edges, [[0, 0, 192, 128]])


@pytest.mark.parametrize(
    ("form", "settings", "message"),
    [
        ("yolov8", PLAIN, "say names in model.toml"),
        ("yolov8", NAMES, "say mean and std in model.toml"),
        ("detr", NAMES + PLAIN, "say scores in model.toml"),
        ("boxes", NAMES + PLAIN, "say coordinates in model.toml"),
        ("boxes", PLAIN + MEANT, "say names in model.toml"),
        ("yolov8", TOLD + 'kind = "detr"', r"boxes \(1, N, 4\) and logits"),
        ("detr", TOLD + 'kind = "boxes"', r"labels \(N\) in integers"),
        ("detr", TOLD + 'kind = "yolo"', "one of"),
        ("yolov8", PLAIN + 'names = ["a", "b", "c", "d"]', r"\(1, 8 or 9, N\).*\(1, 6, 2\)"),
        ("boxes", PLAIN + MEANT + 'names = ["kettle"]', "knows class 1, but 1 names"),
        ("yolov8", TOLD + "size = [32, 32]", "the detector failed"),
    ],
)
def test_a_detector_that_is_not_as_described_is_refused(
    tmp_path: Path, form: Form, settings: str, message: str
) -> None:
    with pytest.raises(DetectorError, match=message):
        opened(tmp_path, form, settings)


def test_what_cannot_be_told_of_an_input_has_to_be_said(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="say size in model"):
        opened(tmp_path, "yolov8", size=None)
    with pytest.raises(DetectorError, match="say layout in model"):
        opened(tmp_path, "yolov8", size=(3, 64))


def test_mistakes_in_its_settings_are_told_by_key(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"(?s)2 mistake.*kind: .*colour: .*known keys"):
        opened(tmp_path, "yolov8", 'kind = "ssd"\ncolour = "red"')
    with pytest.raises(SettingsError, match="cannot read"):
        opened(tmp_path, "yolov8", "names = [")


def test_what_is_no_detector_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="cannot load"):
        Detector(tmp_path / "missing.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a graph")
    with pytest.raises(DetectorError, match="cannot load"):
        Detector(broken)


def test_facts_name_the_file_and_all_that_was_understood(tmp_path: Path) -> None:
    facts = json.loads(json.dumps(opened(tmp_path, "detr").facts()))
    assert (facts["file"], facts["kind"], facts["fit"]) == ("model.onnx", "detr", "stretch")
    assert len(facts["blake2b"]) == 32
    assert facts["size"] == [96, 64]


def test_found_means_its_class_at_half_the_union_or_more() -> None:
    seen = Detections(
        edges=np.array([[0.0, 0.0, 40.0, 20.0], [100.0, 0.0, 120.0, 20.0]]),
        scores=np.array([0.9, 0.5]),
        classes=np.array([3, 4]),
    )
    twice_as_wide, too_narrow, elsewhere = (0, 0, 20, 20), (0, 0, 19, 20), (100, 0, 20, 20)
    assert seen.found(3, [twice_as_wide, too_narrow, elsewhere]) == [True, False, False]
    assert seen.found(4, [elsewhere, twice_as_wide]) == [True, False]
    assert seen.found(5, [elsewhere]) == [False]
