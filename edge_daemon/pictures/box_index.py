"""Where the things of a folder's pictures are: an index of boxes.

It is JSON beside the pictures, in one of two forms, told apart by their content:

- COCO's own annotations: an object with `images` (`id`, `file_name`, `width`, `height`),
  `categories` (`id`, `name`) and `annotations` (`image_id`, `category_id`, `bbox`, `iscrowd`).
- A list of pictures, each with `file`, `width`, `height` and `objects`, which have a `name`, a
  `box_xywh`, and `crowd`, true for boxes around many things at once.

Files are relative to the index; boxes are left, top, width and height in pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from edge_daemon.errors import EdgeError
from edge_daemon.pictures.boxes import BoxedPicture, Thing

INDEX: Final = "coco.json"
_TOLD: Final = 5
"""Most mistakes that are told at once."""


class BoxesError(EdgeError):
    """An index of boxes that is missing, malformed, or at odds with its pictures."""

    code = "bad_boxes"


def find_index(place: Path) -> Path:
    """The index of a folder.

    Args:
        place: A folder with `coco.json`, or with one JSON file of any name; or the index itself.

    Raises:
        BoxesError: There is none, or it cannot be told which it is.
    """
    if place.is_file():
        return place
    if (place / INDEX).is_file():
        return place / INDEX
    found = sorted(place.glob("*.json"))
    if not found:
        raise BoxesError(
            "no photographs with boxes there",
            value=str(place),
            remedy=f"name a folder with a {INDEX}, or the file itself: COCO's annotations, or a "
            "list of pictures with `file`, `width`, `height` and `objects`",
        )
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise BoxesError("several JSON files there", value=names, remedy="name one of them")
    return found[0]


def read_boxes(index: Path) -> list[BoxedPicture]:
    """The pictures of an index, in order.

    Args:
        index: See `find_index`. Whether the pictures are there is not looked at.

    Raises:
        BoxesError: It cannot be read, or entries of it are malformed, contradict each other or
            occur twice; the message lists the first of them.
    """
    try:
        content = index.read_bytes()
    except OSError as error:
        raise BoxesError(
            f"cannot read the index of boxes: {error.strerror}",
            value=str(index),
            remedy="name a readable file",
        ) from error
    read = _of_coco if content.lstrip()[:1] == b"{" else _of_list
    try:
        pictures = read(index, content)
    except ValidationError as error:
        raise _malformed(index, [_worded(item) for item in error.errors()]) from error
    counts = Counter(picture.name for picture in pictures)
    twice = [f"{name}: listed {count} times" for name, count in counts.items() if count > 1]
    if twice:
        raise _malformed(index, twice)
    return pictures


class _Read(BaseModel):
    """Part of an index; what else it says of a thing is not our business."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


_Place = Annotated[float, Field(allow_inf_nan=False)]
_Length = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
_Side = Annotated[int, Field(ge=1)]
_Name = Annotated[str, Field(min_length=1)]
_Edges = tuple[_Place, _Place, _Length, _Length]


class _ListedThing(_Read):
    name: _Name
    box_xywh: _Edges
    crowd: bool = False


class _ListedPicture(_Read):
    file: _Name
    width: _Side
    height: _Side
    objects: tuple[_ListedThing, ...]


class _CocoImage(_Read):
    id: int
    file_name: _Name
    width: _Side
    height: _Side


class _CocoCategory(_Read):
    id: int
    name: _Name


class _CocoAnnotation(_Read):
    image_id: int
    category_id: int
    bbox: _Edges
    iscrowd: Literal[0, 1] = 0


class _Coco(_Read):
    images: tuple[_CocoImage, ...]
    categories: tuple[_CocoCategory, ...]
    annotations: tuple[_CocoAnnotation, ...]


_LIST: Final = TypeAdapter(tuple[_ListedPicture, ...])


def _of_list(index: Path, content: bytes) -> list[BoxedPicture]:
    return [
        BoxedPicture(
            entry.file,
            index.parent / entry.file,
            entry.width,
            entry.height,
            tuple(Thing(thing.name, *thing.box_xywh, thing.crowd) for thing in entry.objects),
        )
        for entry in _LIST.validate_json(content)
    ]


def _of_coco(index: Path, content: bytes) -> list[BoxedPicture]:
    coco = _Coco.model_validate_json(content)
    names = {category.id: category.name for category in coco.categories}
    things: dict[int, list[Thing]] = {image.id: [] for image in coco.images}
    lost: list[str] = []
    for number, annotation in enumerate(coco.annotations):
        if annotation.image_id not in things:
            lost.append(f"annotations[{number}]: no image has the id {annotation.image_id}")
        elif annotation.category_id not in names:
            lost.append(f"annotations[{number}]: no category has the id {annotation.category_id}")
        else:
            thing = Thing(names[annotation.category_id], *annotation.bbox, bool(annotation.iscrowd))
            things[annotation.image_id].append(thing)
    lost += _repeated("images", (image.id for image in coco.images))
    lost += _repeated("categories", (category.id for category in coco.categories))
    if lost:
        raise _malformed(index, lost)
    return [
        BoxedPicture(
            image.file_name,
            index.parent / image.file_name,
            image.width,
            image.height,
            tuple(things[image.id]),
        )
        for image in coco.images
    ]


def _repeated(what: str, ids: Iterable[int]) -> list[str]:
    counts = Counter(ids)
    return [f"{what}: {count} have the id {one}" for one, count in counts.items() if count > 1]


def _worded(item: ErrorDetails) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in item["loc"])
    where = "".join(steps).removeprefix(".") or "the whole file"
    return f"{where}: {item['msg']}"


def _malformed(index: Path, mistakes: list[str]) -> BoxesError:
    more = [f"and {len(mistakes) - _TOLD} more"] if len(mistakes) > _TOLD else []
    lines = "\n".join(f"  {line}" for line in (*mistakes[:_TOLD], *more))
    return BoxesError(
        f"{index}: {len(mistakes)} mistake(s)\n{lines}\n",
        remedy="correct these entries, or leave them out",
    )
