"""Some of a benchmark's questions, drawn by a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence

from edge_daemon.study.vlm.circular import Item


def sample(items: Sequence[Item], limit: int | None, seed: int) -> list[Item]:
    """At least `limit` items in their order, or all if there are not more.

    Yes/no questions about one picture are drawn together, as MME scores them together. A higher
    limit draws the same and more.

    Args:
        items: To draw from.
        limit: How many; `None` for all.
        seed: Decides which.
    """
    if limit is None:
        return list(items)
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, item in enumerate(items):
        asked = item.question
        name = (asked.index,) if asked.options else (asked.category, asked.picture)
        groups.setdefault(name, []).append(place)
    shuffled = list(groups.values())
    random.Random(seed).shuffle(shuffled)
    drawn: list[int] = []
    for group in shuffled:
        if len(drawn) >= limit:
            break
        drawn += group
    return [items[place] for place in sorted(drawn)]
