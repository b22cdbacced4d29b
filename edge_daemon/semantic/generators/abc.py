"""What a generator is: a text-to-image model, wherever it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_daemon.semantic.notes import Note
from edge_daemon.semantic.side import Side


@dataclass(frozen=True)
class Order:
    """Pictures that are wanted of one text.

    Attributes:
        text: What they shall show.
        count: How many (K), at least 1.
        width: Of the source in pixels; what comes may have another size, of about that shape.
        height: Likewise.
        seed: For generators that take one; picture k of an order has the seed `seed + k`.
        side: What else is known of the picture, for generators that can use it.
        timeout_s: Seconds that all of them may take.
        budget: Most that all of them may cost; `None` for no bound.
    """

    text: str
    count: int
    width: int
    height: int
    seed: int = 0
    side: Side | None = None
    timeout_s: float = 60.0
    budget: float | None = None


@dataclass(frozen=True, eq=False)
class Drawn:
    """What came of an order.

    Attributes:
        pictures: Each uint8 (h, w, 3), sRGB; at most as many as were ordered, perhaps none.
        cost: In the unit of the prices in the settings.
        notes: Troubles that were survived.
    """

    pictures: tuple[NDArray[np.uint8], ...]
    cost: float = 0.0
    notes: tuple[Note, ...] = ()


class Generator(Protocol):
    """Draws pictures of texts. Thread-safe.

    Attributes:
        name: As in the settings.
        takes_side: Whether it makes use of `Order.side`.
    """

    name: ClassVar[str]
    takes_side: bool

    def draw(self, order: Order) -> Drawn:
        """Draws; whatever goes wrong with a peer is a note, not an error."""
        ...
