"""Pictures that want a text, where nobody judges."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from edge_daemon.semantic.brief import Brief
from edge_daemon.semantic.notes import Note
from edge_daemon.semantic.refiners.abc import Best, Proposal
from edge_daemon.semantic.sight import Sight


def brief(width: int = 60, height: int = 40, **fields: Any) -> Brief:
    """A red picture that no encoder has seen."""
    nothing = Sight(np.zeros(2, np.float32), np.zeros((0, 2), np.float32), np.zeros((0, 4)))
    return Brief(np.full((height, width, 3), (255, 0, 0), np.uint8), nothing, **fields)


class StandInPhrases:
    """In the place of the refiner `phrases`: composes the same text each time, and counts."""

    name: ClassVar[str] = "phrases"
    local: ClassVar[bool] = True

    def __init__(self, *texts: str, notes: tuple[Note, ...] = ()) -> None:
        self.texts = texts
        self.notes = notes
        self.asked = 0

    def propose(
        self,
        brief: Brief,
        best: Best | None,
        count: int,
        *,
        rng: np.random.Generator,
        timeout_s: float,
        budget: float | None,
    ) -> Proposal:
        self.asked += 1
        return Proposal(self.texts[:count], notes=self.notes)
