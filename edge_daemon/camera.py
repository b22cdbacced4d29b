"""Where pictures come from: files, folders, cameras and streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.errors import NotAnImageError

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".avif", ".heic", ".heif", ".bmp", ".tif", ".tiff"}
)


@dataclass(frozen=True)
class Shot:
    """One picture to send.

    Attributes:
        name: What to call it in messages.
        image: A file to send as it is, or uint8 RGB pixels `(height, width, 3)`.
    """

    name: str
    image: Path | NDArray[np.uint8]


def is_live(source: str) -> bool:
    """Whether a source is a camera or a stream: a number, `/dev/video*`, or a URL."""
    return source.isdigit() or source.startswith("/dev/video") or "://" in source


def files_of(sources: Sequence[str]) -> list[Shot]:
    """The picture files that the sources name; a folder stands for the pictures in it, by name.

    Raises:
        NotAnImageError: A source does not exist, or a folder has no picture.
    """
    shots: list[Shot] = []
    for source in sources:
        path = Path(source)
        found = (
            sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
            if path.is_dir()
            else [path]
        )
        if not found or not path.exists():
            raise NotAnImageError(
                "no picture there",
                value=source,
                remedy="name a picture, a folder of pictures, a camera number or a stream's URL",
            )
        shots.extend(Shot(file.name, file) for file in found)
    return shots


def frames_of(source: str, count: int | None) -> Iterator[Shot]:
    """Frames of a camera or stream until it ends, or `count` of them.

    Raises:
        NotAnImageError: It cannot be opened.
    """
    capture = cv2.VideoCapture(int(source)) if source.isdigit() else cv2.VideoCapture(source)
    try:
        if not capture.isOpened():
            raise NotAnImageError(
                "the camera cannot be opened",
                value=source,
                remedy="check that it is plugged in, not in use, and readable by this user",
            )
        number = 0
        while count is None or number < count:
            there, bgr = capture.read()
            if not there:
                return
            pixels = np.ascontiguousarray(bgr[:, :, ::-1].astype(np.uint8, copy=False))
            yield Shot(f"{source} frame {number}", pixels)
            number += 1
    finally:
        capture.release()
