"""Ours: relevance by a bundle, spent as the settings say; and the same with a part left out."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_daemon.prefilter import Prefilter
from edge_daemon.prefilter.plan import Plan
from edge_daemon.prefilter.smoothing import spend
from edge_daemon.quantiser import Quantiser
from edge_daemon.settings import PrefilterSettings
from edge_daemon.study.methods.desk import Change, Desk, bundle_facts
from edge_daemon.study.methods.method import Prepared
from edge_daemon.study.tasks.task import Question

NEUTRAL_TEXT = "a picture"
"""Says nothing about any place in a picture."""

_CELL = 16
"""Side of an oracle's cell of relevance, in pixels."""
_CERTAIN = 2.0
"""An oracle's relevance where the answer lies; it is 1 at the border of such a cell."""


@dataclass(frozen=True)
class Guided:
    """Relevance by a bundle.

    Args:
        name: See `Method`.
        settings: Of the prefilter, as TOML has them.
        bundle: Name or path; the study's if there is none.
        change: What is left out of a plan before it is scored.
    """

    name: str
    settings: PrefilterSettings
    bundle: str | None = None
    change: Change | None = None

    def facts(self) -> dict[str, Any]:
        """Its settings, and its own bundle."""
        own = {} if self.bundle is None else {"bundle": bundle_facts(self.bundle)}
        return {"prefilter": settings_facts(self.settings), **own}

    def prepare(self, desk: Desk, quantiser: Quantiser) -> Prepared:
        """As the daemon does it, but for the change."""
        prefilter, plan, scores = desk.scored(
            self.settings, self.bundle or desk.bundle, quantiser, self.change
        )
        pixels, report = prefilter.smooth(desk.question.pixels, plan, scores)
        return Prepared(pixels, report.offsets)


@dataclass(frozen=True)
class Shuffled:
    """Relevance of our tiles dealt out to other tiles by chance: as much of it, in wrong places.

    Args:
        name: See `Method`.
        settings: Of the prefilter.
    """

    name: str
    settings: PrefilterSettings

    def facts(self) -> dict[str, Any]:
        """Its settings."""
        return {"prefilter": settings_facts(self.settings)}

    def prepare(self, desk: Desk, quantiser: Quantiser) -> Prepared:
        """As `Guided`, with shuffled scores."""
        prefilter, plan, scores = desk.scored(self.settings, desk.bundle, quantiser)
        rng = np.random.default_rng(zlib.crc32(desk.question.id.encode()))
        order = rng.permutation(scores.values.shape[1])
        shuffled = replace(scores, values=scores.values[:, order])
        pixels, report = prefilter.smooth(desk.question.pixels, plan, shuffled)
        return Prepared(pixels, report.offsets)


@dataclass(frozen=True)
class Oracle:
    """Relevance from where the answer lies: what a perfect bundle would find.

    Args:
        name: See `Method`.
        settings: Of the prefilter; how relevance is found does not matter.
    """

    name: str
    settings: PrefilterSettings

    def facts(self) -> dict[str, Any]:
        """Its settings."""
        return {"prefilter": settings_facts(self.settings)}

    def prepare(self, desk: Desk, quantiser: Quantiser) -> Prepared:
        """As `Guided`, without an encoder."""
        _, plan = desk.planned(self.settings, desk.bundle, quantiser)
        spent = spend(desk.question.pixels, oracle_relevance(desk.question), plan)
        return Prepared(spent.pixels, spent.offsets)


def settings_facts(settings: PrefilterSettings) -> dict[str, Any]:
    """Settings as JSON, by the names that TOML has for them."""
    return settings.model_dump(mode="json", by_alias=True)


def oracle_relevance(question: Question) -> NDArray[np.float64]:
    """Relevance of cells of about 16 px, even divisions of the picture; float64 (rows, columns)."""
    height, width = question.pixels.shape[:2]
    rows, columns = max(1, round(height / _CELL)), max(1, round(width / _CELL))
    cells = np.zeros((rows, columns))
    for left, top, across, down in question.boxes:
        last_row = (top + down - 1) * rows // height
        last_column = (left + across - 1) * columns // width
        cells[top * rows // height : last_row + 1, left * columns // width : last_column + 1] = (
            _CERTAIN
        )
    return cells


def without_preparation(plan: Plan, question: Question, prefilter: Prefilter) -> Plan:
    """The prompt as it was written; the text encoder cuts off what it has no room for."""
    del prefilter
    return replace(plan, texts=(question.prompt,))


def without_prompt(plan: Plan, question: Question, prefilter: Prefilter) -> Plan:
    """A text that says nothing in place of the prompt."""
    del question, prefilter
    return replace(plan, texts=(NEUTRAL_TEXT,))
