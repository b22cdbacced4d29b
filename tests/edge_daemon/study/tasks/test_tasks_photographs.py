from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.codecs import get_codec
from edge_daemon.pictures import save_picture
from edge_daemon.pictures.box_index import BoxesError
from edge_daemon.study.tasks.detector import DetectorError
from edge_daemon.study.tasks.fidelity import PSNR_CAP_DB
from edge_daemon.study.tasks.photographs import Photographs
from edge_daemon.study.tasks.task import Question, Task
from support.boxed_photos import HEIGHT, WIDTH, coco, listed, write_photos
from support.stand_in_detector import Place, write_detector

ALL = {"a.png sign", "a.png Kettle", "in/b.png sign", "in/b.png bird"}
DATA = Path(__file__).resolve().parents[5] / "shared" / "data" / "photos"
SETTINGS = """
names = ["kettle", "sign"]
mean = [0, 0, 0]
std = [1, 1, 1]
coordinates = "pixels"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "photos")


@pytest.fixture
def detector(tmp_path: Path) -> str:
    """It sees the sign and the kettle of the first picture, and no sign in the second."""
    places = [Place(1, 8, 16, 40, 48), Place(0, 56, 8, 88, 40)]
    file = write_detector(tmp_path / "model.onnx", "boxes", places)
    file.with_suffix(".toml").write_text(SETTINGS)
    return str(file)


def asked(task: Task) -> dict[str, Question]:
    questions = [task.question(number) for number in range(task.check())]
    return {question.id: question for question in questions}


def without_red(question: Question) -> NDArray[np.uint8]:
    pixels = np.array(question.pixels)
    pixels[..., 0] //= 4
    return pixels


def test_each_picture_and_name_is_a_question(folder: Path) -> None:
    questions = asked(Photographs(str(folder)))
    assert {*questions} == ALL
    question = questions["in/b.png sign"]
    assert (question.prompt, question.asked, question.answer) == ("sign", "sign", "sign")
    assert question.boxes == ((0, 0, 30, 20),)
    assert question.pixels.shape == (HEIGHT, WIDTH, 3)


def test_cocos_annotations_give_the_same_questions(folder: Path) -> None:
    ours = asked(Photographs(str(folder)))
    (folder / "coco.json").unlink()
    index = folder / "instances.json"
    index.write_text(json.dumps(coco()))
    for place in (folder, index):
        theirs = asked(Photographs(str(place)))
        assert list(theirs) == list(ours)
        assert all(theirs[one].boxes == ours[one].boxes for one in ours)


def test_the_seed_decides_the_order_and_which_are_asked(folder: Path) -> None:
    orders = [list(asked(Photographs(str(folder), seed=seed))) for seed in range(6)]
    assert len({*map(tuple, orders)}) > 1
    assert list(asked(Photographs(str(folder), seed=3))) == orders[3]
    assert list(asked(Photographs(str(folder), seed=3, count=2))) == orders[3][:2]
    assert len(asked(Photographs(str(folder), count=99))) == 4


def test_it_goes_to_other_processes_as_it_is(folder: Path, detector: str) -> None:
    task = Photographs(str(folder), detector=detector)
    task.check()
    packed = pickle.dumps(task)
    assert pickle.loads(packed) == task
    assert len(packed) < 1000


def test_fidelity_is_judged_inside_the_boxes(folder: Path) -> None:
    task = Photographs(str(folder))
    assert [measure.name for measure in task.measures] == ["psnr", "ssim"]
    assert [measure.is_share for measure in task.measures] == [False, True]
    question = asked(task)["a.png sign"]
    soft = np.asarray(cv2.GaussianBlur(question.pixels, (0, 0), 2.0), np.uint8)
    soft_elsewhere = np.array(soft)
    # With room for SSIM's windows around the box.
    soft_elsewhere[11:53, 3:45] = question.pixels[11:53, 3:45]
    same, worse, better = task.judge(question, [question.pixels, soft, soft_elsewhere])
    assert same == better == (PSNR_CAP_DB, pytest.approx(1.0))
    decibels, similarity = np.array(worse, np.float64)
    assert decibels < 35.0
    assert similarity < 0.95


def test_what_is_found_in_the_source_is_looked_for_again(folder: Path, detector: str) -> None:
    task = Photographs(str(folder), detector=detector)
    assert [measure.name for measure in task.measures] == ["psnr", "ssim", "found"]
    questions = asked(task)
    for name in ("a.png sign", "a.png Kettle"):
        question = questions[name]
        judged = task.judge(question, [question.pixels, without_red(question)])
        assert [values[-1] for values in judged] == [1.0, 0.0]
    for name in ("in/b.png sign", "in/b.png bird"):
        question = questions[name]
        judged = task.judge(question, [question.pixels, without_red(question)])
        assert [values[-1] for values in judged] == [None, None]
        assert judged[0][0] == PSNR_CAP_DB


def test_of_several_boxes_the_share_of_those_seen_in_the_source_counts(
    folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "signs.onnx"
    write_detector(file, "boxes", [Place(1, 8, 16, 40, 48), Place(1, 56, 8, 88, 40)])
    file.with_suffix(".toml").write_text(SETTINGS)
    task = Photographs(str(folder), detector=str(file))
    question = asked(task)["a.png sign"]
    unseen = (0, 48, 16, 16)
    question = replace(question, boxes=((8, 16, 32, 32), (56, 8, 32, 32), unseen))
    one_gone = np.array(question.pixels)
    one_gone[8:40, 56:88] = 0
    judged = task.judge(question, [question.pixels, one_gone])
    assert [values[-1] for values in judged] == [1.0, 0.5]


def test_facts_change_with_all_that_answers_depend_on(folder: Path, detector: str) -> None:
    def facts(task: Photographs) -> str:
        return json.dumps(task.facts(), sort_keys=True)

    plain = facts(Photographs(str(folder)))
    assert facts(Photographs(str(folder))) == facts(Photographs(str(folder), count=2)) == plain
    assert facts(Photographs(str(folder), seed=2)) != plain
    with_detector = json.loads(facts(Photographs(str(folder), detector=detector)))
    assert with_detector["detector"]["names"] == ["kettle", "sign"]
    assert (with_detector["detector"]["least_score"], with_detector["detector"]["kind"]) == (
        0.3,
        "boxes",
    )
    (folder / "coco.json").write_text(json.dumps(listed()[1:]))
    assert facts(Photographs(str(folder))) != plain


def test_what_cannot_be_asked_is_refused_beforehand(folder: Path, tmp_path: Path) -> None:
    crowds = listed()
    for entry in crowds:
        for thing in entry["objects"]:
            thing["crowd"] = True
    (tmp_path / "crowds.json").write_text(json.dumps(crowds))
    with pytest.raises(BoxesError, match="no box can be asked about"):
        Photographs(str(tmp_path / "crowds.json")).check()
    with pytest.raises(BoxesError, match="no photographs with boxes there"):
        Photographs(str(tmp_path / "nowhere")).check()
    shutil.rmtree(folder / "in")
    with pytest.raises(BoxesError, match=r"1 picture\(s\) of the index are not there.*in/b\.png"):
        Photographs(str(folder)).check()


def test_a_picture_of_another_size_than_the_index_says_is_refused(folder: Path) -> None:
    save_picture(np.zeros((HEIGHT, WIDTH - 1, 3), np.uint8), folder / "in" / "b.png")
    task = Photographs(str(folder))
    (folder / "coco.json").write_text(json.dumps(listed()[1:]))
    for number in range(task.check()):
        with pytest.raises(BoxesError, match=r"in/b\.png has 95 x 64 pixels.*'96 x 64'"):
            task.question(number)


def test_a_detector_has_to_know_something_of_what_is_asked(folder: Path, detector: str) -> None:
    Path(detector).with_suffix(".toml").write_text(SETTINGS.replace("kettle", "x"))
    assert Photographs(str(folder), detector=detector).check() == 4
    other = str(shutil.copy(detector, Path(detector).with_name("other.onnx")))
    Path(other).with_suffix(".toml").write_text(
        SETTINGS.replace("kettle", "x").replace("sign", "y")
    )
    with pytest.raises(DetectorError, match=r"knows nothing of what is asked.*bird, kettle, sign"):
        Photographs(str(folder), detector=other).check()


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the photographs in ../shared/data")
def test_on_photographs_fidelity_follows_quality() -> None:
    task = Photographs(str(DATA), count=4)
    assert Photographs(str(DATA)).check() == 101
    for number in range(task.check()):
        question = task.question(number)
        height, width = question.pixels.shape[:2]
        pictures: list[NDArray[np.uint8]] = []
        for quality in (10, 40, 90):
            codec = get_codec({"id": "jpeg", "quality": quality})
            pictures.append(codec.decode(codec.encode(question.pixels), width=width, height=height))
        judged = np.array(task.judge(question, pictures), np.float64)
        assert (np.diff(judged, axis=0) > 0).all()
