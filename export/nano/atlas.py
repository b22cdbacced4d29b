"""The icons as training needs them: cut to their ink, small, with alpha multiplied in, and redrawn.

Each icon is kept at `ATLAS_SIZE` and at half and a quarter of it, so that pasting it small does
not alias. Beside each stands its *inked* twin: posterised, with dark lines around it and along its
inner edges. That helps a model that has seen few outlined styles with one it has never seen.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from export.nano.concepts import Concept
from export.nano.drawn import draw
from export.nano.pixels import Pixels, area_resized, read_rgba

ATLAS_SIZE = 96
"""Side in pixels of an icon in the atlas; its longer side fills it."""

_DRAWN_INSTANCES = 24
_LEAST_ALPHA = 8

_COLOUR_NAMED = re.compile(
    r"\b(red|orange|yellow|green|blue|purple|pink|brown|black|white|grey|gold|silver|light)\b"
    r"|medal|sign$"
)
"""Concepts whose name says a colour keep theirs in training."""

_SIDED = re.compile(r"left|right|waxing|waning|quarter|sign$")
"""Concepts that a mirror would turn into another, or into nonsense."""


def cut(picture: Pixels) -> Pixels:
    """The part of an RGBA picture (H, W, 4) that holds ink, centred in a square."""
    rows = np.flatnonzero((picture[..., 3] > _LEAST_ALPHA).any(1))
    columns = np.flatnonzero((picture[..., 3] > _LEAST_ALPHA).any(0))
    if rows.size == 0:
        return picture
    part = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = part.shape[:2]
    side = max(height, width)
    square = np.zeros((side, side, 4), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = part
    return square


def multiplied(picture: Pixels) -> Pixels:
    """Straight alpha to alpha multiplied in; uint8 (H, W, 4) both."""
    out: Pixels = np.array(picture)
    alpha = picture[..., 3:].astype(np.uint16)
    out[..., :3] = (picture[..., :3] * alpha + 127) // 255
    return out


def inked(picture: Pixels, rng: np.random.Generator, *, keep_colours: bool) -> Pixels:
    """The icon redrawn with flat colours and dark lines.

    Line width 1.5 to 4.5 % of the side; lines run around the icon and where its colours change.
    Straight alpha; uint8 (S, S, 4) -> the same, an eighth larger to make room for the line.
    """
    side = picture.shape[0]
    pad = side // 16
    wide: Pixels = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)))
    alpha = wide[..., 3]
    solid = (alpha > 127).astype(np.uint8)  # half
    colours = cv2.medianBlur(np.ascontiguousarray(wide[..., :3]), 5)
    levels = int(rng.integers(3, 7))
    step = 256 / levels
    flat = ((np.floor(colours / step) + 0.5) * step).clip(0, 255).astype(np.uint8)
    if keep_colours or rng.random() < 0.5:  # half keep their own tones
        flat = colours
    thick = max(2, round(side * rng.uniform(0.015, 0.045)))
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thick, thick))
    inner: Pixels = np.zeros_like(alpha)
    if rng.random() < 0.8:  # the rest get an outer line alone
        low = float(rng.uniform(60, 160))
        for channel in range(3):
            edges = cv2.Canny(np.ascontiguousarray(flat[..., channel]), low, 2 * low)
            inner |= np.asarray(edges, np.uint8)
        inner = np.asarray(cv2.dilate(inner, pen), np.uint8) * solid
    wider = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * thick + 1, 2 * thick + 1))
    around = cv2.dilate(solid, wider) - cv2.erode(solid, pen)
    line = ((inner > 0) | (around > 0)).astype(np.uint8) * 255
    line = cv2.GaussianBlur(line, (3, 3), 0)
    ink = rng.integers(0, 45, 3)
    share = (line / 255.0)[..., None]
    out = np.empty_like(wide)
    out[..., :3] = (flat * (1 - share) + ink * share).astype(np.uint8)
    out[..., 3] = np.maximum(np.minimum(alpha, solid * 255), line)
    return out


def _levels(picture: Pixels) -> list[Pixels]:
    """An alpha-multiplied square at the atlas' three sizes."""
    sizes = (ATLAS_SIZE, ATLAS_SIZE // 2, ATLAS_SIZE // 4)
    return [area_resized(picture, size) for size in sizes]


@dataclass(frozen=True)
class Atlas:
    """Every icon of a set of styles.

    Attributes:
        pictures: Per size (96, 48, 24), uint8 (K, size, size, 4) RGBA, alpha multiplied in.
        plain: For each concept, the rows of `pictures` that show it as it was drawn.
        inked: For each concept, the rows that show it redrawn.
        colour_named: For each concept, whether its colour must stay.
        sided: For each concept, whether it must not be mirrored.
    """

    pictures: tuple[Pixels, ...]
    plain: list[list[int]]
    inked: list[list[int]]
    colour_named: list[bool]
    sided: list[bool]


def _sources(
    icons: Path, styles: tuple[str, ...], concept: Concept, rng: np.random.Generator
) -> list[Pixels]:
    if not concept.codes:
        return [draw(concept.name, rng) for _ in range(_DRAWN_INSTANCES)]
    found: list[Pixels] = []
    for style in styles:
        for code in concept.codes:
            for path in sorted((icons / style).glob(f"{code}.*.png")):
                found.append(read_rgba(path))
    return found


def build(icons: Path, styles: tuple[str, ...], concepts: list[Concept], seed: int) -> Atlas:
    """Read, cut and redraw all icons of `styles` (a minute or so for eight styles)."""

    def prepare(numbered: tuple[int, Concept]) -> tuple[list[list[Pixels]], int]:
        number, concept = numbered
        rng = np.random.default_rng((seed, number))
        sources = [cut(picture) for picture in _sources(icons, styles, concept, rng)]
        keep = bool(_COLOUR_NAMED.search(concept.name))
        redrawn = [cut(inked(picture, rng, keep_colours=keep)) for picture in sources]
        ready = [_levels(multiplied(picture)) for picture in (*sources, *redrawn)]
        return ready, len(sources)

    pools: tuple[list[Pixels], ...] = ([], [], [])
    plain: list[list[int]] = []
    redrawn: list[list[int]] = []
    with ThreadPoolExecutor(2) as workers:
        for ready, count in workers.map(prepare, enumerate(concepts)):
            first = len(pools[0])
            for levels in ready:
                for pool, picture in zip(pools, levels, strict=True):
                    pool.append(picture)
            plain.append(list(range(first, first + count)))
            redrawn.append(list(range(first + count, first + len(ready))))
    return Atlas(
        pictures=tuple(np.stack(pool) for pool in pools),
        plain=plain,
        inked=redrawn,
        colour_named=[bool(_COLOUR_NAMED.search(one.name)) for one in concepts],
        sided=[bool(_SIDED.search(one.name)) for one in concepts],
    )
