"""Photographs with boxes: how faithful a thing in them stays, and whether it is still found."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from edge_daemon.pictures import open_picture
from edge_daemon.pictures.box_index import BoxesError, find_index, read_boxes
from edge_daemon.pictures.boxes import BoxedPicture
from edge_daemon.study.tasks.detector import LEAST_OVERLAP, LEAST_SCORE, Detector, DetectorError
from edge_daemon.study.tasks.fidelity import Fidelity, structural_similarity
from edge_daemon.study.tasks.task import Box, Measure, Pixels, Question

PSNR: Final = Measure("psnr", "dB inside the asked boxes", is_share=False)
SSIM: Final = Measure("ssim", "structural similarity inside the asked boxes, 0 to 1")
FOUND: Final = Measure(
    "found", "share of the asked things found in the original that are found still"
)


@dataclass(frozen=True)
class Photographs:
    """A question for each picture and name of a thing in it.

    Boxes around crowds, and of less than 16 pixels on a side, are not asked about.

    Args:
        folder: With an index of boxes (`edge_daemon.pictures.box_index`), or the index itself.
        seed: Decides the order of the questions, and so which are asked.
        count: How many at most; all if there is none.
        detector: An ONNX file (`edge_daemon.study.tasks.detector`) that looks for what was asked.
    """

    folder: str
    seed: int = 1
    count: int | None = None
    detector: str | None = None

    @property
    def name(self) -> str:
        """See `Task.name`."""
        return "photographs"

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Fidelity; with a detector also what it finds."""
        return (PSNR, SSIM) if self.detector is None else (PSNR, SSIM, FOUND)

    def check(self) -> int:
        """See `Task.check`.

        Raises:
            BoxesError: The index is missing or malformed, nothing in it can be asked about, or a
                picture is missing.
            DetectorError: The detector cannot be used, or knows nothing of what is asked.
            SettingsError: The settings beside it have mistakes.
            UnsupportedError: scikit-image is not installed.
        """
        structural_similarity()
        asked = _asked(self)
        if not asked:
            raise BoxesError(
                "no box can be asked about: all are crowds or too small",
                value=self.folder,
                remedy="name a folder with boxes of at least 16 x 16 pixels",
            )
        missing = [one.picture.name for one in asked if not one.picture.path.is_file()]
        if missing:
            raise BoxesError(
                f"{len(set(missing))} picture(s) of the index are not there",
                value=missing[0],
                remedy="put them where the index says, relative to it",
            )
        if self.detector is not None:
            names = {one.name.lower() for one in asked}
            if names.isdisjoint(_detector(self.detector).names):
                raise DetectorError(
                    "the detector knows nothing of what is asked",
                    value=", ".join(sorted(names)),
                    remedy="name one for these things, or correct its names",
                )
        return len(asked)

    def facts(self) -> Mapping[str, Any]:
        """See `Task.facts`. Pictures go by their names; the number of questions may grow."""
        index = find_index(Path(self.folder))
        facts: dict[str, Any] = {
            "seed": self.seed,
            "index": index.name,
            "blake2b": hashlib.blake2b(index.read_bytes(), digest_size=16).hexdigest(),
            "scikit-image": version("scikit-image"),
        }
        if self.detector is not None:
            facts["detector"] = {
                **_detector(self.detector).facts(),
                "least_score": LEAST_SCORE,
                "least_overlap": LEAST_OVERLAP,
            }
        return facts

    def question(self, number: int) -> Question:
        """See `Task.question`.

        Raises:
            BoxesError: The picture has another size than the index says.
            EdgeError: It cannot be read.
        """
        one = _asked(self)[number]
        return Question(
            id=f"{one.picture.name} {one.name}",
            pixels=_opened(one.picture),
            prompt=one.name,
            asked=one.name,
            boxes=one.boxes,
            answer=one.name,
        )

    def judge(
        self, question: Question, pictures: Sequence[Pixels]
    ) -> list[tuple[float | None, ...]]:
        """See `Task.judge`. Nothing is found of what the detector does not find in the source."""
        fidelity = Fidelity(question.pixels, question.boxes)
        values = [(fidelity.psnr(picture), fidelity.ssim(picture)) for picture in pictures]
        if self.detector is None:
            return list(values)
        found = _still_found(_detector(self.detector), question, pictures)
        return [(*own, share) for own, share in zip(values, found, strict=True)]


@dataclass(frozen=True)
class _Asked:
    picture: BoxedPicture
    name: str
    boxes: tuple[Box, ...]


@cache
def _asked(task: Photographs) -> list[_Asked]:
    """What is asked, in order."""
    all_of_them = [
        _Asked(picture, name, boxes)
        for picture in read_boxes(find_index(Path(task.folder)))
        for name, boxes in picture.boxes().items()
    ]
    order = np.random.default_rng(task.seed).permutation(len(all_of_them))
    return [all_of_them[place] for place in order[: task.count]]


@cache
def _detector(file: str) -> Detector:
    """This process's."""
    return Detector(Path(file))


def _opened(picture: BoxedPicture) -> Pixels:
    try:
        content = picture.path.read_bytes()
    except OSError as error:
        raise BoxesError(
            f"cannot read a picture of the index: {error.strerror}",
            value=str(picture.path),
            remedy="make it readable",
        ) from error
    pixels = open_picture(content).pixels
    height, width = pixels.shape[:2]
    if (width, height) != (picture.width, picture.height):
        raise BoxesError(
            f"{picture.name} has {width} x {height} pixels, another size than the index says",
            value=f"{picture.width} x {picture.height}",
            remedy="correct the index, or put the picture there that it was made for",
        )
    return pixels


def _still_found(
    detector: Detector, question: Question, pictures: Sequence[Pixels]
) -> list[float | None]:
    """Of the boxes that are found in the source, the share found in each picture."""
    name = question.asked.strip().lower()
    if name not in detector.names:
        return [None] * len(pictures)
    number = detector.names.index(name)
    in_source = detector.detect(question.pixels).found(number, question.boxes)
    there = [box for box, found in zip(question.boxes, in_source, strict=True) if found]
    if not there:
        return [None] * len(pictures)
    return [float(np.mean(detector.detect(picture).found(number, there))) for picture in pictures]
