"""What a HEIF file says about itself, read before libheif sees it.

The format can hold albums, grids of tiles, overlays, thumbnails and compressed metadata, and a crop
may show a small part of a huge picture. A file of ours is one picture and nothing else, so whatever
is more is refused here, at the price of reading a few hundred bytes.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

_TOP_LEVEL = {b"ftyp", b"meta", b"mdat", b"free", b"skip"}
_CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0}  # with the bytes before their first child


class _Box(NamedTuple):
    kind: bytes
    body: memoryview


class Contents(NamedTuple):
    """What the file announces.

    Attributes:
        items: Number of pictures, metadata blocks and other parts.
        width: The widest coded picture, before any crop, in pixels.
        height: The highest one, in pixels.
    """

    items: int
    width: int
    height: int


def contents(file: bytes) -> Contents:
    """Count the parts of a HEIF file and find its largest coded size.

    Raises:
        ValueError: It is not laid out as a single still picture.
    """
    top = list(_boxes(memoryview(file)))
    kinds = [box.kind for box in top]
    if kinds.count(b"meta") != 1 or not _TOP_LEVEL.issuperset(kinds):
        raise ValueError("it is not a file with one still picture")
    boxes = list(_descendants(top))
    items = sum(_children(box) for box in boxes if box.kind == b"iinf")
    sizes = [_size(box) for box in boxes if box.kind == b"ispe"]
    if not sizes:
        raise ValueError("it states no picture size")
    return Contents(items, max(width for width, _ in sizes), max(height for _, height in sizes))


def _boxes(data: memoryview) -> Generator[_Box]:
    while data:
        if len(data) < 8:
            raise ValueError("a box is cut off")
        size, kind, start = int.from_bytes(data[:4], "big"), bytes(data[4:8]), 8
        if size == 1:
            size, start = int.from_bytes(data[8:16], "big"), 16
        elif size == 0:  # to the end
            size = len(data)
        if not start <= size <= len(data):
            raise ValueError(f"the box {kind!r} has an impossible size")
        yield _Box(kind, data[start:size])
        data = data[size:]


def _descendants(boxes: list[_Box]) -> Generator[_Box]:
    for box in boxes:
        yield box
        if box.kind in _CONTAINERS:
            yield from _descendants(list(_boxes(box.body[_CONTAINERS[box.kind] :])))


def _children(item_info: _Box) -> int:
    count_bytes = 2 if bytes(item_info.body[:1]) == b"\x00" else 4  # by the box's version
    return sum(1 for _ in _boxes(item_info.body[4 + count_bytes :]))


def _size(extents: _Box) -> tuple[int, int]:
    if len(extents.body) != 12:
        raise ValueError("a picture size is cut off")
    return int.from_bytes(extents.body[4:8], "big"), int.from_bytes(extents.body[8:12], "big")
