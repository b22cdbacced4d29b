"""A folder of pictures with boxes, in both forms of an index."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge_daemon.pictures import save_picture
from support.pictures import busy_picture

Objects = list[tuple[str, list[float], bool]]
"""Name, left, top, width and height, and whether it is a crowd."""

WIDTH, HEIGHT = 96, 64
THINGS: dict[str, Objects] = {
    "a.png": [
        ("sign", [8.4, 16.3, 31.7, 31.5], False),
        ("Kettle", [56, 8, 32, 32], False),
        ("sign", [56, 40, 15, 20], False),
    ],
    "in/b.png": [
        ("sign", [-10, -4, 40.0, 24], False),
        ("person", [0, 0, 96, 64], True),
        ("Kettle", [80, 50, 60, 60], False),
        ("bird", [40, 20, 20, 20], False),
    ],
    "empty.png": [],
}
"""Of the boxes, one of the signs is too narrow, the crowd is one, and the second kettle's box is
narrow once it is clipped."""


def write_pictures(folder: Path) -> None:
    """Write them: busy grey, and red inside the boxes."""
    for number, (name, objects) in enumerate(THINGS.items()):
        pixels = busy_picture(WIDTH, HEIGHT, seed=number)
        for _, (left, top, width, height), crowd in objects:
            if not crowd:
                down = slice(max(0, round(top)), round(top + height))
                across = slice(max(0, round(left)), round(left + width))
                texture = pixels[down, across, 1] // 4
                pixels[down, across] = 0
                pixels[down, across, 0] = 190 + texture
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        save_picture(pixels, folder / name)


def listed() -> list[dict[str, Any]]:
    """The index as a list of pictures."""
    return [
        {
            "file": name,
            "width": WIDTH,
            "height": HEIGHT,
            "objects": [
                {"name": thing, "box_xywh": box, "crowd": crowd} for thing, box, crowd in objects
            ],
        }
        for name, objects in THINGS.items()
    ]


def coco() -> dict[str, Any]:
    """The index as COCO's annotations."""
    names = sorted({name for objects in THINGS.values() for name, _, _ in objects})
    return {
        "info": {"year": 2026},
        "images": [
            {"id": 7 + number, "file_name": name, "width": WIDTH, "height": HEIGHT, "license": 1}
            for number, name in enumerate(THINGS)
        ],
        "categories": [
            {"id": 10 + number, "name": name, "supercategory": "thing"}
            for number, name in enumerate(names)
        ],
        "annotations": [
            {
                "id": 100 * number + place,
                "image_id": 7 + number,
                "category_id": 10 + names.index(name),
                "bbox": box,
                "iscrowd": int(crowd),
                "area": box[2] * box[3],
            }
            for number, objects in enumerate(THINGS.values())
            for place, (name, box, crowd) in enumerate(objects)
        ],
    }


def write_photos(folder: Path) -> Path:
    """The pictures and `coco.json`; returns the folder."""
    write_pictures(folder)
    (folder / "coco.json").write_text(json.dumps(listed()))
    return folder
