"""Everything that training and testing look at, from a work directory filled on first use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.nano import atlas, backgrounds, icons
from export.nano.atlas import Atlas
from export.nano.concepts import Concept, emoji_concepts
from export.nano.drawn import drawn_concepts

_BACKGROUNDS = 600
_BACKGROUND_SIZE = 256


@dataclass(frozen=True)
class Library:
    """Concepts and where their pictures are.

    Attributes:
        concepts: All of them; the emoji first, then the drawn things.
        emoji: How many are emoji.
        icons: The directory of rendered icons.
    """

    concepts: list[Concept]
    emoji: int
    icons: Path


def library(work: Path) -> Library:
    """Fetch the packages and render the icons, unless `work` holds them already."""
    modules = icons.fetch(work)
    emoji = emoji_concepts(modules / icons.NAMES_PACKAGE)
    rendered = icons.render(work, modules, emoji)
    return Library([*emoji, *drawn_concepts()], len(emoji), rendered)


def training_atlas(shelf: Library, seed: int) -> Atlas:
    """The icons of all training styles."""
    styles = tuple(one.style for one in icons.TRAINING_SETS)
    return atlas.build(shelf.icons, styles, shelf.concepts, seed)


def training_backgrounds(seed: int) -> NDArray[np.uint8]:
    """The pool of backgrounds that is trained on."""
    return backgrounds.pool(seed, _BACKGROUNDS, _BACKGROUND_SIZE, backgrounds.TRAINING_PHOTOGRAPHS)
