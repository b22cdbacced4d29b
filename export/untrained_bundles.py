"""`python -m export.untrained_bundles DIR`: what `make bench-encoders` times.

Bundles of untrained models of published size, in every precision, calibrated on the demo's scenes.
Those that are there already are kept.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, get_args

from rich.console import Console

from export.door import export_bundle
from export.loaders import load_towers
from export.material import Material
from export.pictures import draw_scenes
from export.precision.reduction import Reduced, Reduction
from export.towers import Towers
from export.untrained import GEOMETRIES, make_untrained

MEASURED: Final = ("vit-39m-16", "vit-40m-32")
"""Geometries whose speed is a goal of ours."""

_ANY_SHIFT: Final = 1.0
"""What an untrained model finds relevant means nothing, and neither does how far it moves."""


def main(arguments: Sequence[str]) -> int:
    """Make what is missing; returns the exit status."""
    (directory,) = map(Path, arguments)
    for name in MEASURED:
        _make_missing(name, directory)
    return 0


def _make_missing(name: str, directory: Path) -> None:
    precisions: tuple[Reduced | None, ...] = (None, *get_args(Reduced))
    places = {precision: directory / f"{name}-{precision or 'fp32'}" for precision in precisions}
    missing = {precision: place for precision, place in places.items() if not place.exists()}
    if not missing:
        return
    towers = _untrained(name)
    material = _scenes(towers)
    for precision, place in missing.items():
        Console(stderr=True).print(f"making {place}", highlight=False)
        reduction = None if precision is None else Reduction(precision, material, _ANY_SHIFT)
        export_bundle(towers, place, name=place.name, reduction=reduction)


def _untrained(name: str) -> Towers:
    with tempfile.TemporaryDirectory() as scratch:
        return load_towers(make_untrained(Path(scratch) / name, GEOMETRIES[name]))


def _scenes(towers: Towers) -> Material:
    scenes = draw_scenes(towers.facts.tile_size, towers.facts.resize)
    return Material(
        calibration=tuple(scenes[0::2]),
        judged=tuple(scenes[1::2]),
        prompts=("Where is the dog?",),
        pictures_of="scenes of the demo",
        prompts_of="one question",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
