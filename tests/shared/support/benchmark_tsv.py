"""Benchmarks in VLMEvalKit's format about plain colours, and a stand-in for a model that sees them.

The stand-in decodes the picture it is sent and answers what it is asked about its colour, so what
it says depends on question, options and picture alone.
"""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_daemon.pictures import open_picture, to_png
from support.stand_in_endpoint import Asked, Part, Pieces, answer

COLOURS = {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220)}
SIZE = (40, 56)
"""Height and width."""


def picture(colour: str) -> NDArray[np.uint8]:
    return np.full((*SIZE, 3), COLOURS[colour], np.uint8)


def base64_png(colour: str) -> str:
    return base64.b64encode(to_png(picture(colour))).decode("ascii")


def write_tsv(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """All columns that any row has, in the order of their first appearance."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter="\t", lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def choice(index: int, colour: str, **others: object) -> dict[str, object]:
    """A question of MMBench's kind about a picture of one colour."""
    letters = dict(zip("ABC", COLOURS, strict=True))
    right = next(letter for letter, name in letters.items() if name == colour)
    row = {"index": index, "image": base64_png(colour), "question": "What colour is it?"}
    return {**row, **letters, "answer": right, "category": f"of {colour}", **others}


def pair(index: int, colour: str, category: str, wrong: str) -> list[dict[str, object]]:
    """The two questions that MME asks of a picture; yes is right for the first."""
    return [
        {
            "index": index + number,
            "image": base64_png(colour),
            "question": f"Is it {asked}? Please answer yes or no.",
            "answer": expected,
            "category": category,
            "image_path": f"{category}/{index}.png",
        }
        for number, (asked, expected) in enumerate([(colour, "Yes"), (wrong, "No")])
    ]


def prompt_in(asked: Asked) -> str:
    """The question of a chat request."""
    return asked.json()["messages"][0]["content"][1]["text"]


def pixels_in(asked: Asked) -> NDArray[np.uint8]:
    """The picture of a chat request."""
    url = asked.json()["messages"][0]["content"][0]["image_url"]["url"]
    head, data = url.split(",")
    assert head == "data:image/png;base64"
    return open_picture(base64.b64decode(data)).pixels


def seen_in(asked: Asked) -> str:
    """The colour that its picture shows."""
    mean = pixels_in(asked).reshape(-1, 3).mean(axis=0)
    return min(COLOURS, key=lambda name: float(np.abs(mean - COLOURS[name]).sum()))


def sees(asked: Asked) -> str:
    """The right letter, or whether the colour is in the question."""
    prompt, colour = prompt_in(asked), seen_in(asked)
    if "Options:" not in prompt:
        return "Yes." if colour in prompt else "No, it is not."
    return next(line[0] for line in prompt.splitlines() if line[1:] == f". {colour}")


def model(speak: Callable[[Asked], str]) -> Part:
    """A part of the stand-in endpoint's script that answers each request by looking at it."""

    def part(asked: Asked) -> Pieces:
        value = {"choices": [{"message": {"role": "assistant", "content": speak(asked)}}]}
        yield answer(json.dumps(value).encode())

    return part
