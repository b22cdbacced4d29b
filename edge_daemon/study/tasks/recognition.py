"""The task `recognition`: what is the thing at some place?

Busy scenes of 12 to 24 icons. One is asked for by name; the bundle then names what the decoded
picture shows at its place, zero-shot, among the names of all icons that there are. Right is the
name that was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.demo.scenes import icon_names, make_scene
from edge_daemon.study.methods.desk import bundle_of
from edge_daemon.study.tasks.task import ACCURACY, Box, Measure, Pixels, Question

_SIZE: Final = (768, 512)
_THINGS: Final = (12, 24)
_MARGIN: Final = 0.15
"""Of what the bundle is shown around a thing, as a share of the thing's side."""
_SEEDS_APART: Final = 1_000_003
"""Between the scenes of two seeds."""


@dataclass(frozen=True)
class Recognition:
    """See the module.

    Args:
        seed: Decides all scenes.
        count: Questions, each with a scene of its own.
        bundle: Name or path of the one that answers.
    """

    seed: int
    count: int
    bundle: str
    name: str = "recognition"
    measures: tuple[Measure, ...] = (ACCURACY,)

    def check(self) -> int:
        """See `Task`; the bundle has to be there."""
        _names_embedded(self.bundle)
        return self.count

    def facts(self) -> dict[str, Any]:
        """See `Task`; the number of questions may grow."""
        manifest = bundle_of(self.bundle).manifest
        files = {name: file.sha256 for name, file in manifest.files.items()}
        return {"seed": self.seed, "bundle": manifest.name, "files": files}

    def question(self, number: int) -> Question:
        """See `Task`."""
        rng = np.random.default_rng((self.seed, number))
        width, height = _SIZE
        things = int(rng.integers(_THINGS[0], _THINGS[1] + 1))
        scene = make_scene(
            self.seed * _SEEDS_APART + number, width=width, height=height, count=things
        )
        thing = scene.things[int(rng.integers(things))]
        return Question(
            id=f"{self.name}-{self.seed}-{number:05}",
            pixels=scene.pixels,
            prompt=f"Where is the {thing.name}?",
            asked=thing.name,
            boxes=(thing.box,),
            answer=thing.name,
        )

    def judge(
        self, question: Question, pictures: Sequence[Pixels]
    ) -> list[tuple[float | None, ...]]:
        """See `Task`."""
        bundle = bundle_of(self.bundle)
        shown = [_shown(picture, question.boxes[0], bundle.tile_size) for picture in pictures]
        seen = bundle.encode_tiles(np.stack(shown))
        likeness: NDArray[np.float32] = seen @ np.transpose(_names_embedded(self.bundle))
        names = icon_names()
        return [
            (float(names[int(best)] == question.answer),) for best in np.argmax(likeness, axis=1)
        ]


@cache
def _names_embedded(bundle: str) -> NDArray[np.float32]:
    """(names, embedding size): what the bundle makes of every icon's name."""
    return bundle_of(bundle).encode_texts(icon_names())


def _shown(picture: Pixels, box: Box, side: int) -> Pixels:
    """What is at a place, with a margin, as the bundle takes it."""
    left, top, width, height = box
    margin = round(_MARGIN * max(width, height))
    there = picture[
        max(0, top - margin) : top + height + margin, max(0, left - margin) : left + width + margin
    ]
    how = cv2.INTER_AREA if min(there.shape[:2]) > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(there, (side, side), interpolation=how), np.uint8)
