"""What a finished bundle can do, measured on new pictures through its ONNX graphs.

Tiles: one whole icon on a background, cut from no picture that was trained on; its name must be
the nearest of all concepts' names. Scenes: 1920x1080 pixels, 12 icons on a busy background; of 40
tiles that the prefilter cuts, overlapping by half whatever its defaults are, so that bundles of any
age are measured alike, the one nearest to a question must overlap the icon asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from edge_daemon.prefilter.assembly import Prefilter
from edge_daemon.settings import PrefilterSettings
from export.nano import backgrounds, icons
from export.nano.concepts import Concept
from export.nano.library import Library
from export.nano.scenes import SCENE_ICON_SIZES, SCENE_ICONS, Scene, Shelf, scene, tile
from models import Bundle, load_bundle

TILE_ICON_SIZES = {"half the area": 158, "half the side": 112}
"""What "an icon fills half a tile" can mean: its longer side in pixels of a 224 px tile."""

_TILING = PrefilterSettings(tile_budget=40, overlap=0.5)
_SEED = 20_011
_QUESTION = "Where is the {}?"
_POOL = 80

Say = Callable[[str], None]


@dataclass(frozen=True)
class Counts:
    """How much to measure.

    Attributes:
        tiles: For each size and group of styles.
        scenes: For each group of styles; each asks for all its icons.
    """

    tiles: int = 1500
    scenes: int = 60


def _cosines(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Every row of `one` with every row of `other`."""
    return np.einsum("nd,md->nm", one, other)


def _share(hits: int, of: int) -> float:
    return round(hits / of, 4)


def _tiles(
    bundle: Bundle,
    names: NDArray[np.float32],
    shelf: Shelf,
    concepts: list[int],
    size: int,
    rng: np.random.Generator,
) -> dict[str, JsonValue]:
    pool = backgrounds.pool(_SEED, _POOL, 256, backgrounds.TEST_PHOTOGRAPHS)
    first, five = 0, 0
    for start in range(0, len(concepts), 100):
        shown = np.array(concepts[start : start + 100])
        pictures = np.stack([tile(shelf, int(one), size, pool, rng) for one in shown])
        distances = -_cosines(bundle.encode_tiles(pictures), names)
        order = np.argsort(distances, axis=1)[:, :5]
        hits = order == shown[:, None]
        first += int(hits[:, 0].sum())
        five += int(hits.any(1).sum())
    of = len(concepts)
    return {"top1": _share(first, of), "top5": _share(five, of), "tiles": of}


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _scene_hits(
    prefilter: Prefilter, concepts: list[Concept], picture: Scene
) -> tuple[int, int, float]:
    """Best tiles that overlap their icon; that hold its middle; the chance of an overlap."""
    questions = [_QUESTION.format(concepts[icon.concept].name) for icon in picture.icons]
    plan = prefilter.plan(picture.picture, questions, _TILING)
    assert plan.grid is not None
    boxes = [
        (left, top, left + width, top + height) for left, top, width, height in plan.grid.boxes()
    ]
    (scores,) = prefilter.score([plan])
    overlaps, middles, chance = 0, 0, 0.0
    for icon, prompt in zip(picture.icons, plan.prompts, strict=True):
        overlapping = [_overlap(box, icon.box) for box in boxes]
        chance += sum(overlapping) / len(boxes)
        best = int(scores.values[plan.texts.index(prompt.text)].argmax())
        overlaps += overlapping[best]
        x, y = (icon.box[0] + icon.box[2]) // 2, (icon.box[1] + icon.box[3]) // 2
        middles += _overlap(boxes[best], (x, y, x + 1, y + 1))
    return overlaps, middles, chance


def _scenes(
    prefilter: Prefilter,
    shelf: Shelf,
    concepts: list[Concept],
    count: int,
    rng: np.random.Generator,
) -> dict[str, JsonValue]:
    overlaps, middles, chance = 0, 0, 0.0
    for _ in range(count):
        found = _scene_hits(prefilter, concepts, scene(shelf, rng))
        overlaps, middles, chance = overlaps + found[0], middles + found[1], chance + found[2]
    of = count * SCENE_ICONS
    return {
        "best_tile_overlaps_icon": _share(overlaps, of),
        "best_tile_holds_middle": _share(middles, of),
        "chance_of_overlap": round(chance / of, 4),
        "scenes": count,
        "questions": of,
    }


def definitions(concepts: int) -> dict[str, JsonValue]:
    """What the figures mean, for whoever reads them in the manifest."""
    least, most = SCENE_ICON_SIZES
    return {
        "tiles": (
            "224 px tile, one whole icon at a random place on a background from photographs and "
            "seeds not trained on; right if its name is nearest among the names of all "
            f"{concepts} concepts"
        ),
        "icon_size": "longer side: half the area = 158 px, half the side = 112 px",
        "scenes": (
            f"1920x1080, {SCENE_ICONS} different icons, longer side {least} to {most} px, on a "
            f"busy background; every icon is asked for with '{_QUESTION.format('NAME')}' through "
            "the prefilter's default mode, in at most 40 tiles that overlap by half"
        ),
        "seen_styles": "new composites of drawings that were trained on",
        "held_out_style": (
            f"{icons.HELD_OUT_SET.package}, no drawing of which was trained on; that it is drawn "
            "with dark outlines was known when the training pictures were designed"
        ),
    }


def measure(bundle_dir: Path, library: Library, counts: Counts, say: Say) -> dict[str, JsonValue]:
    """All figures of a bundle, with their definitions, for its manifest.

    Args:
        bundle_dir: A bundle made by the export door.
        library: Concepts and rendered icons.
        counts: How much to measure.
        say: Told each figure as it is found.
    """
    bundle = load_bundle(bundle_dir)
    prefilter = Prefilter(bundle)
    names = bundle.encode_texts([concept.name for concept in library.concepts])
    groups = {
        "seen_styles": tuple(one.style for one in icons.TRAINING_SETS),
        "held_out_style": (icons.HELD_OUT_SET.style,),
    }
    figures: dict[str, JsonValue] = {"definitions": definitions(len(library.concepts))}
    for group, styles in groups.items():
        shelf = Shelf(library.icons, styles, library.concepts)
        rng = np.random.default_rng((_SEED, len(styles)))
        found: dict[str, JsonValue] = {}
        for words, size in TILE_ICON_SIZES.items():
            chosen = [int(one) for one in rng.choice(shelf.emoji, counts.tiles)]
            found[f"icon fills {words}"] = _tiles(bundle, names, shelf, chosen, size, rng)
            say(f"{group}, {words}: {found[f'icon fills {words}']}")
        found["scenes"] = _scenes(prefilter, shelf, library.concepts, counts.scenes, rng)
        say(f"{group}, scenes: {found['scenes']}")
        figures[group] = found
    drawn = list(range(library.emoji, len(library.concepts)))
    shelf = Shelf(library.icons, (), library.concepts)
    rng = np.random.default_rng((_SEED, 0))
    chosen = [int(one) for one in rng.choice(drawn, counts.tiles // 2)]
    size = TILE_ICON_SIZES["half the area"]
    figures["drawn_shapes_and_signs"] = _tiles(bundle, names, shelf, chosen, size, rng)
    say(f"drawn things: {figures['drawn_shapes_and_signs']}")
    return figures
