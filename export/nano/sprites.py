"""`python -m export.nano.sprites WORK FOLDER`: the icons that the demo carries, made anew.

The demo runs with neither npm nor torch, so it brings its own pictures: everyday things of one
permissively licensed style. WORK is the work directory of `python -m export.nano`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from export.nano import icons
from export.nano.library import library
from export.nano.pixels import read_rgba

STYLE = icons.TRAINING_SETS[0]

NAMES = (
    *("airplane", "alarm clock", "automobile", "backpack", "banana", "basketball", "bicycle"),
    *("birthday cake", "butterfly", "cactus", "camera", "carrot", "cat", "chair", "crab", "crown"),
    *("dog", "doughnut", "elephant", "fire engine", "guitar", "hamburger", "hammer", "key"),
    *("locomotive", "motorcycle", "mushroom", "owl", "penguin", "pineapple", "pizza", "red apple"),
    *("rocket", "sailboat", "scissors", "soccer ball", "strawberry", "sunflower", "teapot"),
    *("teddy bear", "telephone", "trumpet", "turtle", "umbrella", "violin", "watermelon"),
    *("wrapped gift", "zebra"),
)


def write_sprites(work: Path, folder: Path) -> None:
    """Write a palette PNG for each of `NAMES`, 256 pixels wide, and `index.json`."""
    shelf = library(work)
    codes = {concept.name: concept.codes[0] for concept in shelf.concepts if concept.codes}
    folder.mkdir(parents=True, exist_ok=True)
    index: dict[str, dict[str, str]] = {}
    for name in NAMES:
        pixels = np.array(read_rgba(shelf.icons / STYLE.style / f"{codes[name]}.0.png"))
        pixels[pixels[..., 3] == 0] = 0
        few = Image.fromarray(pixels).quantize(
            256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
        )
        file = f"{name.replace(' ', '-')}.png"
        few.save(folder / file, optimize=True)
        index[name] = {
            "file": file,
            "source": STYLE.package,
            "version": STYLE.version,
            "code": codes[name],
        }
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m export.nano.sprites", description=__doc__)
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    options = parser.parse_args(arguments)
    write_sprites(options.work, options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
