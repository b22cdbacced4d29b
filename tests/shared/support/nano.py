"""Small stand-ins for what training nano-icons works with."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from export.nano.concepts import Concept

CONCEPTS = [
    Concept("ball", ("round", "toy"), ("1",)),
    Concept("arrow left", ("arrow",), ("2",)),
    Concept("blue box", ("toy",), ("3",)),
    Concept("red circle", ()),
    Concept("blue sign", ()),
]
EMOJI = 3


def write_icons(directory: Path, style: str = "plain") -> Path:
    """Rendered icons of the emoji among `CONCEPTS`, in one style; returns `directory`."""
    folder = directory / style
    folder.mkdir(parents=True)
    for code, colour in (("1", (250, 160, 20)), ("2", (30, 30, 200)), ("3", (20, 60, 230))):
        icon = np.zeros((64, 64, 4), np.uint8)
        icon[8:56, 4:60] = (*colour, 255)
        if code == "1":
            icon[..., 3] = 0
            cv2.circle(icon, (32, 32), 26, (*colour, 255), -1)
        cv2.imwrite(str(folder / f"{code}.0.png"), cv2.cvtColor(icon, cv2.COLOR_RGBA2BGRA))
    return directory


def write_package(modules: Path, style: str, *, with_codes: bool) -> None:
    """An icon collection with two icons and an alias, as an unpacked npm package."""
    package = modules / "@iconify-json" / style
    package.mkdir(parents=True)
    square = '<path fill="#f00" d="M2 2h12v12H2z"/>'
    icons = {
        "width": 16,
        "height": 16,
        "icons": {"red-apple": {"body": square}, "dog-1": {"body": square, "width": 32}},
        "aliases": {"apple": {"parent": "red-apple"}},
    }
    (package / "icons.json").write_text(json.dumps(icons))
    chars = {"1f34e": "red-apple"} if with_codes else {}
    (package / "chars.json").write_text(json.dumps(chars))
