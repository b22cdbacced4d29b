"""Example pictures: what each method sends of a few questions, at one quality of one codec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from edge_daemon.codecs import Codec
from edge_daemon.errors import EdgeError
from edge_daemon.pictures import save_picture
from edge_daemon.settings import PromptSettings
from edge_daemon.study.methods.catalogue import PLAIN
from edge_daemon.study.methods.desk import Desk
from edge_daemon.study.methods.method import Method
from edge_daemon.study.methods.sending import Sent, sent
from edge_daemon.study.tasks.task import Box, Pixels, Question, Task
from edge_daemon.study.trials.trial import Failure

PICTURES: Final = "pictures"
"""Folder beside the page."""
PICTURE_SIDE: Final = 1280
"""Longest side of a whole picture on the page, in pixels."""
JPEG_QUALITY: Final = 90
"""Of whole pictures on the page."""
CROP_SIDE: Final = 480
"""About the longest side of an enlarged crop, in pixels."""
_MARGIN: Final = 0.25
"""Around the asked box in its crop, per longer side of the box."""
_WORTH_SHOWING: Final = (
    PLAIN,
    "prefilter",
    "smooth",
    "oracle",
    "reference",
    "gaussian",
    "downsample",
)


@dataclass(frozen=True)
class View:
    """What one method made of a picture.

    Attributes:
        method: Its name.
        bytes: Of the bitstream.
        pixels, sent_pixels: Of the source, and of the picture in the bitstream.
        values: One per measure of the task; `None` where there was nothing to judge.
        picture: Its file, relative to the page.
        crop: File of the asked box, enlarged.
    """

    method: str
    bytes: int
    pixels: int
    sent_pixels: int
    values: tuple[float | None, ...]
    picture: str
    crop: str


@dataclass(frozen=True)
class Example:
    """One question with what each method made of its picture.

    Attributes:
        question: Its id.
        prompt, answer: As the task has them.
        codec: Its configuration in words, the same for all.
        picture: File of the source with the asked boxes marked, relative to the page.
        crop: File of its largest asked box, enlarged.
        views: One per method.
    """

    question: str
    prompt: str
    answer: str
    codec: str
    picture: str
    crop: str
    views: tuple[View, ...]


def worth_showing(methods: Sequence[Method]) -> list[Method]:
    """Of some methods those that an example should show: one of each kind, and not too many."""
    kinds: dict[str, Method] = {}
    for method in methods:
        kinds.setdefault(method.name.partition(":")[0], method)
    return [kinds[kind] for kind in _WORTH_SHOWING if kind in kinds]


def make_examples(
    task: Task,
    methods: Sequence[Method],
    codec: Codec,
    folder: Path,
    *,
    bundle: str,
    prompt: PromptSettings,
    among: int,
    seed: int,
    count: int = 3,
) -> tuple[list[Example], list[Failure]]:
    """Send some questions again, and keep the pictures.

    Args:
        task: Asks and judges.
        methods: To be shown.
        codec: At a quality at which methods differ.
        folder: The page's; pictures come into `pictures` in it.
        bundle: Name or path; of methods that name none.
        prompt: How prompts are distilled.
        among: How many of the task's questions to choose from.
        seed: Chooses.
        count: Most examples.

    Returns:
        The examples, and what was chosen but could not be sent or judged; others took their places.
    """
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    examples: list[Example] = []
    failures: list[Failure] = []
    for number in np.random.default_rng(seed).permutation(among)[: 2 * count].tolist():
        if len(examples) == count:
            break
        stem = f"{PICTURES}/{task.name}-{number}"
        try:
            desk = Desk(task.question(number), bundle, prompt)
            examples.append(_example(task, desk, methods, codec, folder, stem))
        except EdgeError as error:
            failures.append(Failure(f"{number}", error.code, error.problem))
    return examples, failures


def _example(
    task: Task,
    desk: Desk,
    methods: Sequence[Method],
    codec: Codec,
    folder: Path,
    stem: str,
) -> Example:
    question = desk.question
    shown = [
        sent(method.prepare(desk, codec.quantiser), codec, question.pixels) for method in methods
    ]
    judged = task.judge(question, [one.decoded for one in shown])
    views = [
        _view(question, one, method.name, values, folder, f"{stem}-{place}")
        for place, (one, method, values) in enumerate(zip(shown, methods, judged, strict=True), 1)
    ]
    picture, crop = _save(marked(question), question.pixels, question, folder, f"{stem}-source")
    options = {**codec.get_config()}
    words = [str(options.pop("id")), *(f"{name} {value}" for name, value in options.items())]
    return Example(
        question.id,
        question.prompt,
        question.answer,
        ", ".join(words),
        picture,
        crop,
        tuple(views),
    )


def _view(
    question: Question,
    one: Sent,
    method: str,
    values: tuple[float | None, ...],
    folder: Path,
    stem: str,
) -> View:
    picture, crop = _save(one.decoded, one.decoded, question, folder, stem)
    return View(method, one.bytes, one.pixels, one.sent_pixels, values, picture, crop)


def _save(
    whole: Pixels, pixels: Pixels, question: Question, folder: Path, stem: str
) -> tuple[str, str]:
    """Write a whole picture, and a crop of `pixels`; returns their files."""
    picture, crop = f"{stem}.jpg", f"{stem}-crop.png"
    bgr = cv2.cvtColor(_fitted(whole, PICTURE_SIDE), cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    (folder / picture).write_bytes(encoded.tobytes())
    save_picture(enlarged(pixels, largest(question.boxes)), folder / crop)
    return picture, crop


def largest(boxes: Sequence[Box]) -> Box:
    """The box of most pixels."""
    return max(boxes, key=lambda box: box[2] * box[3])


def marked(question: Question) -> Pixels:
    """The source with a frame around each asked box: yellow on black, to be seen on anything."""
    pixels = np.array(question.pixels)
    stroke = max(1, round(max(pixels.shape[:2]) / 200))
    for left, top, width, height in question.boxes:
        for reach, colour in ((2 * stroke, (0, 0, 0)), (stroke, (255, 220, 0))):
            corner = (left - reach, top - reach)
            opposite = (left + width - 1 + reach, top + height - 1 + reach)
            cv2.rectangle(pixels, corner, opposite, colour, stroke)
    return pixels


def enlarged(pixels: Pixels, box: Box) -> Pixels:
    """A box and a margin around it, every pixel repeated a whole number of times.

    Args:
        pixels: uint8 (H, W, 3).
        box: Within them.

    Returns:
        uint8, about `CROP_SIDE` along the longer side; larger boxes are reduced to it.
    """
    left, top, width, height = box
    margin = round(_MARGIN * max(width, height))
    crop = pixels[
        max(0, top - margin) : top + height + margin, max(0, left - margin) : left + width + margin
    ]
    times = max(1, CROP_SIDE // max(crop.shape[:2]))
    return _fitted(crop.repeat(times, axis=0).repeat(times, axis=1), CROP_SIDE)


def _fitted(pixels: Pixels, side: int) -> Pixels:
    """Reduced by the means of areas to a longest side, unless it is that small."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
