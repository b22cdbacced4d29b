"""What is described: an operator's photographs, and scenes whose content is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.demo.scenes import make_scene
from edge_daemon.errors import NotAnImageError
from edge_daemon.pictures import open_picture

ICON_SCENES: Final = "icon scenes"
_ENDINGS: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif"})
_SCENE_SIZE: Final = (640, 480)


@dataclass(frozen=True, eq=False)
class Case:
    """One picture that is to be described.

    Attributes:
        group: What it is averaged with.
        name: What to call it; unique in its group.
        pixels: uint8 (H, W, 3), sRGB.
        question: What it will be asked; may be empty.
        caption: What a client would say of it; may be empty.
    """

    group: str
    name: str
    pixels: NDArray[np.uint8]
    question: str = ""
    caption: str = ""


def photographs(folder: Path) -> Iterator[Case]:
    """The pictures of a folder and those below it, in order of their paths.

    An index `coco.json` anywhere in it (a list of objects with `file`, relative to the index, and
    `captions`) gives those that it names their first caption.

    Args:
        folder: Its name is the group's.

    Raises:
        NotAnImageError: There are no pictures, or one of them cannot be opened.
    """
    captions = {
        (index.parent / entry["file"]).resolve(): _first_caption(entry)
        for index in sorted(folder.rglob("coco.json"))
        for entry in json.loads(index.read_text(encoding="utf-8"))
    }
    files = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in _ENDINGS]
    if not files:
        raise NotAnImageError(
            "no pictures in this folder",
            value=str(folder),
            remedy="name a folder with JPEG, PNG, WebP, BMP, TIFF or AVIF files in it",
        )
    for file in files:
        pixels = open_picture(file.read_bytes()).pixels
        name = file.relative_to(folder).with_suffix("").as_posix()
        yield Case(folder.name, name, pixels, caption=captions.get(file.resolve(), ""))


def icon_scenes(count: int, seed: int) -> Iterator[Case]:
    """Generated scenes of five to nine icons, each asked about one of them.

    Args:
        count: How many.
        seed: Decides everything.
    """
    width, height = _SCENE_SIZE
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        things = int(rng.integers(5, 10))
        scene = make_scene(seed + number, width=width, height=height, count=things)
        asked = scene.things[int(rng.integers(things))].name
        yield Case(ICON_SCENES, f"scene-{number + 1}", scene.pixels, f"Where is the {asked}?")


def _first_caption(entry: dict[str, Any]) -> str:
    return " ".join(next(iter(entry.get("captions", ())), "").split())
