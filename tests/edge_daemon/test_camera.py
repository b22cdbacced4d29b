from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_daemon.camera import files_of, frames_of, is_live
from edge_daemon.errors import NotAnImageError


def test_a_folder_stands_for_its_pictures_by_name(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert [shot.name for shot in files_of([str(tmp_path)])] == ["a.jpg", "b.PNG"]


@pytest.mark.parametrize("source", ["missing.jpg", "empty"])
def test_no_picture_there_is_named(tmp_path: Path, source: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotAnImageError, match=source):
        files_of([str(tmp_path / source)])


@pytest.mark.parametrize(
    ("source", "live"),
    [("0", True), ("/dev/video2", True), ("rtsp://host/stream", True), ("a.jpg", False)],
)
def test_what_is_a_camera(source: str, live: bool) -> None:
    assert is_live(source) is live


def test_a_missing_camera_is_named() -> None:
    with pytest.raises(NotAnImageError, match="cannot be opened"):
        next(frames_of("/dev/video-none", None))


def test_a_stream_gives_rgb_frames_up_to_the_count(tmp_path: Path) -> None:
    file = str(tmp_path / "clip.avi")
    writer = cv2.VideoWriter(file, cv2.VideoWriter.fourcc(*"MJPG"), 5.0, (64, 48))
    for _ in range(4):
        writer.write(np.full((48, 64, 3), (0, 0, 255), np.uint8))
    writer.release()
    shots = list(frames_of(file, 3))
    assert [shot.name for shot in shots] == [f"{file} frame {n}" for n in range(3)]
    pixels = shots[0].image
    assert isinstance(pixels, np.ndarray)
    assert pixels.shape == (48, 64, 3)
    red, green, blue = pixels.reshape(-1, 3).mean(axis=0)
    assert red > 200
    assert max(green, blue) < 60
    assert len(list(frames_of(file, None))) == 4
