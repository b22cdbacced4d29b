from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge_daemon.codecs import get_codec
from edge_daemon.settings import PromptSettings
from edge_daemon.study.methods.baselines import Downsample, Gaussian, LowResolution, Plain
from edge_daemon.study.methods.method import Method
from edge_daemon.study.tasks.task import Pixels
from edge_daemon.study.trials.examples import (
    CROP_SIDE,
    PICTURE_SIDE,
    Example,
    enlarged,
    largest,
    make_examples,
    marked,
    worth_showing,
)
from edge_daemon.study.trials.trial import Failure
from support.blob_task import BlobTask

METHODS: tuple[Method, ...] = (Plain(), Gaussian(2.0), Downsample(2.0))


def made(
    folder: Path, task: BlobTask | None = None, *, seed: int = 1, count: int = 2
) -> tuple[list[Example], list[Failure]]:
    return make_examples(
        task or BlobTask(),
        METHODS,
        get_codec({"id": "jpeg", "quality": 50}),
        folder,
        bundle="nano-icons",
        prompt=PromptSettings(),
        among=8,
        seed=seed,
        count=count,
    )


def picture(file: Path) -> Pixels:
    bgr = cv2.imread(str(file))
    assert bgr is not None
    return np.asarray(bgr[..., ::-1], np.uint8)


def test_an_example_shows_what_each_method_sent_and_what_came_of_it(tmp_path: Path) -> None:
    examples, failures = made(tmp_path)
    assert (len(examples), failures) == (2, [])
    for example in examples:
        assert [view.method for view in example.views] == ["plain", "gaussian:2", "downsample:2"]
        assert example.prompt == "How bright is the blob?"
        assert example.codec.startswith("jpeg, quality 50")
        plain, soft, small = example.views
        assert plain.bytes > soft.bytes > 0
        assert {plain.pixels, soft.pixels, small.pixels, plain.sent_pixels} == {48 * 64}
        assert small.sent_pixels == 24 * 32
        assert plain.values[0] == 1.0
        for one in (example, *example.views):
            assert picture(tmp_path / one.picture).shape == (48, 64, 3)
            assert (tmp_path / one.picture).suffix == ".jpg"
            assert (tmp_path / one.crop).suffix == ".png"


def test_crops_are_what_the_consumer_saw(tmp_path: Path) -> None:
    (example, *_), _ = made(tmp_path)
    codec = get_codec({"id": "jpeg", "quality": 50})
    question = BlobTask().question(int(example.question.removeprefix("blob-")))
    decoded = codec.decode(codec.encode(question.pixels), width=64, height=48)
    expected = enlarged(decoded, (20, 12, 20, 16))
    assert (picture(tmp_path / example.views[0].crop) == expected).all()
    unmarked = enlarged(question.pixels, (20, 12, 20, 16))
    assert (picture(tmp_path / example.crop) == unmarked).all()


def test_the_seed_chooses_the_questions(tmp_path: Path) -> None:
    def ids(seed: int) -> list[str]:
        return [example.question for example in made(tmp_path, seed=seed, count=4)[0]]

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)
    assert len({*ids(1)}) == 4


def test_another_question_takes_the_place_of_one_that_fails(tmp_path: Path) -> None:
    usual, _ = made(tmp_path)
    first, second = (int(one.question.removeprefix("blob-")) for one in usual)
    examples, (failure,) = made(tmp_path, BlobTask(broken=(first,)))
    assert (failure.question, failure.problem) == (f"{first}", "the blob burst")
    assert examples[0].question == f"blob-{second}"
    assert len(examples) == 2
    examples, failures = made(tmp_path, BlobTask(broken=tuple(range(8))))
    assert (examples, len(failures)) == ([], 4)


def test_asked_boxes_are_framed_and_nothing_in_them_is_touched() -> None:
    question = BlobTask().question(3)
    framed = marked(question)
    for left, top, width, height in question.boxes:
        inside = np.s_[top : top + height, left : left + width]
        assert (framed[inside] == question.pixels[inside]).all()
        assert framed[top - 1, left + 1].tolist() == [255, 220, 0]
        assert framed[top - 2, left + 1].tolist() == [0, 0, 0]
    assert (framed[40:] == question.pixels[40:]).all()


def test_crops_repeat_pixels_a_whole_number_of_times() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (200, 200, 3), np.uint8)
    crop = enlarged(pixels, (100, 100, 40, 20))  # 60 x 40 with its margin: eight times
    assert crop.shape == (320, CROP_SIDE, 3)
    assert (crop == pixels[90:130, 90:150].repeat(8, axis=0).repeat(8, axis=1)).all()
    at_the_corner = enlarged(pixels, (0, 180, 40, 20))  # 50 x 30
    assert (at_the_corner[::9, ::9] == pixels[170:200, 0:50]).all()


def test_large_boxes_and_pictures_are_reduced(tmp_path: Path) -> None:
    pixels = np.full((800, 1000, 3), 7, np.uint8)
    assert enlarged(pixels, (0, 0, 1000, 800)).shape == (384, CROP_SIDE, 3)
    (example, *_), _ = made(tmp_path, BlobTask(scale=30), count=1)
    assert picture(tmp_path / example.picture).shape == (960, PICTURE_SIDE, 3)


def test_the_largest_box_is_shown() -> None:
    assert largest([(0, 0, 4, 4), (9, 9, 2, 20), (1, 1, 3, 3)]) == (9, 9, 2, 20)


def test_one_method_of_each_kind_is_worth_showing() -> None:
    methods = [LowResolution(224), Gaussian(2.0), Gaussian(1.0), Plain()]
    assert [one.name for one in worth_showing(methods)] == ["plain", "gaussian:2"]
