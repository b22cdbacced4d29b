from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edge_daemon.cloud.follow_up.jobs import Job
from edge_daemon.cloud.follow_up.regeneration import Regeneration, fitted
from edge_daemon.cloud.kept import Kept, Kind
from edge_daemon.errors import StorageError, TooManyPixelsError
from edge_daemon.pictures import PictureLimits, save_picture
from edge_daemon.semantic.generators.abc import Drawn, Order
from edge_daemon.semantic.notes import Note
from edge_daemon.wire import unpack_envelope
from support.sealed import sealed, sealed_text

RED = np.full((20, 40, 3), (255, 0, 0), np.uint8)


class Painter:
    """Stands in for a model: returns what a test gives it, and tells what was ordered."""

    name: ClassVar[str] = "painter"

    def __init__(self, drawn: Drawn, *, takes_side: bool = False) -> None:
        self.takes_side = takes_side
        self._drawn = drawn
        self.orders: list[Order] = []

    def draw(self, order: Order) -> Drawn:
        self.orders.append(order)
        return self._drawn


def task_of(painter: Painter, directory: Path) -> Regeneration:
    return Regeneration(painter, directory, PictureLimits(max_pixels=10_000), 9.0)


def kept(directory: Path, *, thumbnail: bool = False, **changes: Any) -> Job:
    """A job about a text of a picture of 16x12 pixels."""
    (directory / "cam").mkdir()
    (directory / "cam" / "7.txt").write_text("Où est le vélo ?", encoding="utf-8")
    files: dict[Kind, str] = {"text": "cam/7.txt"}
    if thumbnail:
        save_picture(RED[:4, :4], directory / "cam" / "7.thumbnail.png")
        files["thumbnail"] = "cam/7.thumbnail.png"
    return Job(Kept(unpack_envelope(sealed_text(7, **changes)).header, files))


def test_a_text_is_drawn_in_the_source_s_size_and_the_picture_says_so(tmp_path: Path) -> None:
    painter = Painter(Drawn((RED,), cost=0.04))
    said = task_of(painter, tmp_path).do(kept(tmp_path, thumbnail=True))
    assert said == {
        "picture": "cam/7.png",
        "generator": "painter",
        "cost": 0.04,
        "notes": [],
    }
    picture = Image.open(tmp_path / "cam" / "7.png")
    assert picture.size == (16, 12)
    assert np.all(np.asarray(picture) == (255, 0, 0))
    assert picture.info["Comment"].startswith("Generated from text by painter")
    (order,) = painter.orders
    assert (order.text, order.count, order.width, order.height) == ("Où est le vélo ?", 1, 16, 12)
    assert (order.side, order.timeout_s) == (None, 9.0)


def test_who_takes_side_information_gets_it(tmp_path: Path) -> None:
    painter = Painter(Drawn((RED,)), takes_side=True)
    task_of(painter, tmp_path).do(kept(tmp_path, thumbnail=True))
    side = painter.orders[0].side
    assert side is not None
    assert side.kind == "thumbnail"
    np.testing.assert_array_equal(side.pixels, RED[:4, :4])


def test_no_picture_is_a_line_with_the_reason(tmp_path: Path) -> None:
    painter = Painter(Drawn((), notes=(Note("endpoint-down", "no connection"),)), takes_side=True)
    said = task_of(painter, tmp_path).do(kept(tmp_path))
    assert painter.orders[0].side is None
    assert said["picture"] is None
    assert said["notes"] == [{"trouble": "endpoint-down", "detail": "no connection"}]
    assert not (tmp_path / "cam" / "7.png").exists()


def test_a_source_of_an_impossible_size_is_not_drawn(tmp_path: Path) -> None:
    painter = Painter(Drawn((RED,)))
    job = kept(tmp_path, width=2**31 - 1, height=2**31 - 1)
    with pytest.raises(TooManyPixelsError):
        task_of(painter, tmp_path).do(job)
    assert painter.orders == []


def test_a_disk_that_takes_no_picture_is_to_be_tried_again(tmp_path: Path) -> None:
    job = kept(tmp_path)
    (tmp_path / "cam" / "7.png").mkdir()
    with pytest.raises(StorageError) as caught:
        task_of(Painter(Drawn((RED,))), tmp_path).do(job)
    assert caught.value.retry_after_s is not None


def test_only_texts_are_drawn(tmp_path: Path) -> None:
    task = task_of(Painter(Drawn((RED,))), tmp_path)
    assert task.prompts_of(unpack_envelope(sealed_text(1)).header) == (None,)
    assert task.prompts_of(unpack_envelope(sealed(1)).header) == ()


@pytest.mark.parametrize(
    ("size", "middle"),
    [((10, 10), slice(20, 80)), ((100, 100), slice(20, 80)), ((300, 100), slice(80, 220))],
)
def test_the_shape_of_what_is_drawn_is_kept(size: tuple[int, int], middle: slice) -> None:
    """A square drawing with a round spot: it stays round, and what is cut off is shared out."""
    yy, xx = np.mgrid[:120, :120]
    spot = (np.hypot(xx - 59.5, yy - 59.5) < 20)[..., None] * np.uint8(255)
    drawing: NDArray[np.uint8] = np.repeat(spot, 3, axis=2)
    out = fitted(drawing, *size)
    assert out.shape == (size[1], size[0], 3)
    dark_rows, dark_columns = (np.flatnonzero(out[..., 0].max(axis) > 127) for axis in (1, 0))
    assert abs(len(dark_rows) - len(dark_columns)) <= max(2, 0.1 * len(dark_rows))
    assert abs(dark_columns.mean() - (size[0] - 1) / 2) <= 1
    assert abs(dark_rows.mean() - (size[1] - 1) / 2) <= 1
