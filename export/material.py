"""What a reduced precision is calibrated with and judged by: tiles of pictures, and prompts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_daemon.demo.scenes import icon_names
from export.errors import ExportError
from export.pictures import TiledPicture, draw_scenes, read_pictures
from models.preprocess import Resize

LEAST_PICTURES: Final = 8
"""With fewer, the half that calibrates is too few to show what cameras see."""
MOST_JUDGED: Final = 12
"""Pictures for the agreement report: 480 tiles at the default tile budget."""

_SCENE_QUESTIONS: Final = 8

PHOTOGRAPH_PROMPTS: Final = (
    "Where are the people?",
    "What does the sign say?",
    "Is there a dog or a cat in the picture?",
    "How many cars are on the road?",
    "What is on the table?",
    "a building with windows",
    "trees and grass",
    "the sky above the water",
)


@dataclass(frozen=True)
class Material:
    """Pictures and prompts, in words too.

    Attributes:
        calibration: Where scales are found; empty if the precision needs none.
        judged: What the agreement is measured on; none of it served for calibration.
        prompts: As a user would type them.
        pictures_of: Where the pictures are from.
        prompts_of: Where the prompts are from.
    """

    calibration: tuple[TiledPicture, ...]
    judged: tuple[TiledPicture, ...]
    prompts: tuple[str, ...]
    pictures_of: str
    prompts_of: str


def gather(
    tile_size: int,
    resize: Resize,
    *,
    calibrate: bool,
    folder: Path | None = None,
    prompts: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Material:
    """Read pictures and prompts.

    Args:
        tile_size: The model's, in pixels.
        resize: The model's.
        calibrate: Whether pictures are needed for scales; every second one then serves for that.
        folder: Of pictures; without it the demo's scenes are judged.
        prompts: A file with one prompt per line; without it there are some that suit the pictures.
        say: Told of every file that is skipped.

    Raises:
        ExportError: Pictures or prompts are missing, too few, or unreadable.
    """
    texts = None if prompts is None else _read_prompts(prompts)
    if folder is None:
        if calibrate:
            raise ExportError(
                "int8 finds its scales on pictures, and there are none",
                remedy="give --pictures with a directory of pictures from your cameras, or take "
                "--precision int8-dynamic, which needs none",
            )
        found, of = draw_scenes(tile_size, resize), "scenes of the demo"
        ready, ready_of = _scene_prompts(), "questions for the demo's scenes"
    else:
        most, least = (2 * MOST_JUDGED, LEAST_PICTURES) if calibrate else (MOST_JUDGED, 1)
        found, of = read_pictures(folder, tile_size, resize, most=most, say=say), folder.name
        ready, ready_of = PHOTOGRAPH_PROMPTS, "built-in prompts for photographs"
        if len(found) < least:
            raise ExportError(
                f"holds {len(found)} usable pictures, but {least} are needed",
                file=folder,
                remedy="name a directory with more pictures, of different things",
            )
    return Material(
        calibration=tuple(found[0::2]) if calibrate else (),
        judged=tuple(found[1::2] if calibrate else found),
        prompts=ready if texts is None else texts,
        pictures_of=of,
        prompts_of=ready_of if prompts is None else prompts.name,
    )


def _scene_prompts() -> tuple[str, ...]:
    names = icon_names()
    return tuple(f"Where is the {name}?" for name in names[:: -(-len(names) // _SCENE_QUESTIONS)])


def _read_prompts(file: Path) -> tuple[str, ...]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(
            f"cannot be read as UTF-8 text ({error})", file=file, remedy="name a file of prompts"
        ) from error
    prompts = tuple(line.strip() for line in lines if line.strip())
    if not prompts:
        raise ExportError("holds no prompt", file=file, remedy="write one prompt per line")
    return prompts
