"""What a refiner is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from edge_daemon.semantic.brief import Brief
from edge_daemon.semantic.notes import Note


@dataclass(frozen=True)
class Best:
    """The best text so far.

    Attributes:
        text: The text.
        score: CLIPSim of the best picture that was drawn of it; without a generator, the cosine
            of text and picture. -1..1.
        drawn: Whether `score` is of a drawn picture.
    """

    text: str
    score: float
    drawn: bool


@dataclass(frozen=True)
class Proposal:
    """What a refiner came up with.

    Attributes:
        texts: At most as many as were asked for, none of them empty; may be none at all.
        cost: What the proposal cost, in the unit of the prices in the settings.
        notes: Troubles that were survived.
    """

    texts: tuple[str, ...]
    cost: float = 0.0
    notes: tuple[Note, ...] = ()


class Refiner(Protocol):
    """Proposes texts. Thread-safe; knows nothing of earlier calls.

    Attributes:
        name: As in the settings.
        local: Whether it works within milliseconds, asking nobody.
    """

    name: ClassVar[str]
    local: ClassVar[bool]

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
        """First texts for a picture, or variants of the best one so far.

        Args:
            brief: The picture, and what every text has to keep to.
            best: `None` the first time.
            count: Texts that are wanted (M).
            rng: Decides whatever is left to chance.
            timeout_s: Seconds that it may take.
            budget: Most that it may cost; `None` for no bound.

        Returns:
            Texts that differ from each other and from the best. Whatever goes wrong with a peer
            is a note, not an error.
        """
        ...
