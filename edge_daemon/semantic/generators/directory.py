"""Pictures that were drawn beforehand, found by their text.

A machine with a GPU and no connection to this one fills the directory: for each text the pictures
`stem_of(text, k)` with k = 0, 1, 2 and so on, as PNG, JPEG or WebP; or under any names, which a
file `index.json` lists by text: `{"a red car": ["car-1.png", "cars/2.jpg"]}`.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, ClassVar, Final, cast

import numpy as np
from numpy.typing import NDArray

from edge_daemon.errors import EdgeError
from edge_daemon.pictures import PictureLimits, open_picture
from edge_daemon.semantic.generators.abc import Drawn, Order
from edge_daemon.semantic.notes import Note, noted

SUFFIXES: Final = (".png", ".jpg", ".webp")
INDEX: Final = "index.json"

_DIGITS: Final = 16
_LARGEST_INDEX: Final = 16 * 2**20
_LIMITS: Final = PictureLimits(max_bytes=32 * 2**20, max_pixels=4096 * 4096)


def stem_of(text: str, number: int) -> str:
    """The name, without suffix, under which picture `number` of a text is looked for.

    It is the first 16 hexadecimal digits of the SHA-256 of the text's UTF-8, a dash and the number,
    from 0.
    """
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{digest[:_DIGITS]}-{number}"


class DirectoryGenerator:
    """Looks pictures up. The directory may be filled while this runs.

    Args:
        path: Of the directory.
    """

    name: ClassVar[str] = "directory"

    def __init__(self, path: str | Path) -> None:
        self._root = Path(path)
        self.takes_side = False

    def draw(self, order: Order) -> Drawn:
        """The pictures that are there for a text, those in the index first; see `Generator`."""
        notes: list[Note] = []
        pictures: list[NDArray[np.uint8]] = []
        for file in [*self._listed(order.text, notes), *self._named(order)]:
            if len(pictures) == order.count:
                break
            try:
                _LIMITS.check_bytes(file.stat().st_size)
                pictures.append(open_picture(file.read_bytes(), _LIMITS).pixels)
            except (OSError, EdgeError) as mistake:
                why = mistake.problem if isinstance(mistake, EdgeError) else mistake.strerror
                notes.append(noted("no-picture", f"{file.name} cannot be read: {why}"))
        if not pictures and not notes:
            notes.append(
                noted("no-picture", f"no drawing {stem_of(order.text, 0)} in {self._root}")
            )
        return Drawn(tuple(pictures), notes=tuple(notes))

    def _named(self, order: Order) -> list[Path]:
        """Files that are named after the text, in order."""
        files: list[Path] = []
        for number in range(order.count):
            stem = self._root / stem_of(order.text, number)
            names = [stem.with_name(stem.name + suffix) for suffix in SUFFIXES]
            files += [name for name in names if name.is_file() and _is_inside(name, self._root)][:1]
        return files

    def _listed(self, text: str, notes: list[Note]) -> list[Path]:
        """Files that the index lists for the text; what is wrong with it becomes notes."""
        index = self._root / INDEX
        if not index.is_file():
            return []
        try:
            names = _names(index, text)
        except (OSError, ValueError, RecursionError) as mistake:
            notes.append(noted("no-picture", f"{INDEX} cannot be used: {mistake}"))
            return []
        files: list[Path] = []
        for name in names:
            file = self._root / name
            if not _is_inside(file, self._root):
                notes.append(noted("no-picture", f"{INDEX} names a file that is not in here"))
            elif not os.path.isfile(file):  # noqa: PTH113 - that of pathlib raises for long names
                notes.append(noted("no-picture", f"{INDEX} names {name!r}, which is no file"))
            else:
                files.append(file)
        return files


def _names(index: Path, text: str) -> list[str]:
    """The names that an index lists for a text.

    Raises:
        OSError: It cannot be read.
        ValueError: It is too large, or no JSON object of lists of names.
    """
    if index.stat().st_size > _LARGEST_INDEX:
        raise ValueError(f"it is larger than {_LARGEST_INDEX} bytes")
    listed: Any = json.loads(index.read_bytes())
    names: Any = cast("dict[str, Any]", listed).get(text, []) if isinstance(listed, dict) else None
    sound = isinstance(names, list) and all(
        isinstance(name, str) for name in cast("list[Any]", names)
    )
    if not sound:
        raise ValueError("it is no JSON object that lists names by text")
    return cast("list[str]", names)


def _is_inside(file: Path, root: Path) -> bool:
    """Whether a file is below a directory, wherever links lead."""
    try:
        return file.resolve().is_relative_to(root.resolve())
    except (OSError, ValueError):
        return False
