"""Draws a picture of each text, in the size that the camera's had."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from edge_daemon.cloud.durable import write_file, writing_to
from edge_daemon.cloud.follow_up.files import read_file
from edge_daemon.cloud.follow_up.jobs import Job
from edge_daemon.cloud.kept import SUFFIXES, Kept, source_size
from edge_daemon.pictures import PictureLimits, open_picture
from edge_daemon.semantic.generators.abc import Generator, Order
from edge_daemon.semantic.side import Side, SideKind
from edge_daemon.wire import EnvelopeHeader

_KINDS: tuple[SideKind, ...] = ("thumbnail", "sketch")


class Regeneration:
    """The task that draws.

    Such a picture lies where a received one would. It says itself that it was generated (a PNG text
    chunk), the log has a text and no picture, and the journal names what drew it.

    Args:
        generator: What draws.
        directory: The cloud's.
        limits: Bounds on the size of the source.
        timeout_s: Seconds that one drawing may take.
    """

    name: ClassVar[str] = "regenerate"
    journal: ClassVar[str] = "regenerated.jsonl"

    def __init__(
        self, generator: Generator, directory: Path, limits: PictureLimits, timeout_s: float
    ) -> None:
        self._generator = generator
        self._directory = directory
        self._limits = limits
        self._timeout_s = timeout_s

    def prompts_of(self, header: EnvelopeHeader) -> Sequence[None]:
        """One job for a text, none for a picture."""
        return (None,) if header.mode == "semantic" else ()

    def do(self, job: Job) -> dict[str, Any]:
        """Draws a frame's text and writes the picture.

        Returns:
            `picture` (its path, or `None` if nothing was drawn), `generator`, `cost` in the unit of
            the prices in the settings, and `notes` on what went wrong.

        Raises:
            StorageError: The text cannot be read, or the picture not be written.
            TooManyPixelsError: The source was larger than a picture may be.
        """
        frame = job.frame
        width, height = source_size(frame.header)
        self._limits.check_size(width, height)
        drawn = self._generator.draw(
            Order(
                text=read_file(self._directory, frame.files["text"]).decode("utf-8"),
                count=1,
                width=width,
                height=height,
                side=self._side(frame) if self._generator.takes_side else None,
                timeout_s=self._timeout_s,
            )
        )
        path = None
        if drawn.pictures:
            path = f"{frame.header.client}/{frame.header.sequence}{SUFFIXES['picture']}"
            picture = fitted(drawn.pictures[0], width, height)
            with writing_to(self._directory):
                write_file(self._directory / path, _labelled_png(picture, self._generator.name))
        return {
            "picture": path,
            "generator": self._generator.name,
            "cost": drawn.cost,
            "notes": [asdict(note) for note in drawn.notes],
        }

    def _side(self, frame: Kept) -> Side | None:
        for kind in _KINDS:
            if kind in frame.files:
                data = read_file(self._directory, frame.files[kind])
                return Side(kind, open_picture(data, self._limits).pixels)
        return None


def fitted(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """A picture in another size: scaled to cover it, and cut evenly where the shape is another.

    Args:
        picture: uint8 (h, w, 3).
        width: Wanted, in pixels.
        height: Likewise.

    Returns:
        uint8 (height, width, 3).
    """
    own_height, own_width = picture.shape[:2]
    kept_width = min(own_width, max(1, round(own_height * width / height)))
    kept_height = min(own_height, max(1, round(own_width * height / width)))
    left, top = (own_width - kept_width) // 2, (own_height - kept_height) // 2
    cut = picture[top : top + kept_height, left : left + kept_width]
    smaller = width * height < kept_width * kept_height
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(cut, (width, height), interpolation=interpolation), np.uint8)


def _labelled_png(pixels: NDArray[np.uint8], generator: str) -> bytes:
    """A PNG that says what it is, wherever it is copied to."""
    label = PngInfo()
    label.add_text("Comment", f"Generated from text by {generator}; no camera took this picture")
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1, pnginfo=label)
    return file.getvalue()
