"""Pictures that were drawn beforehand are found by their text."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_daemon.semantic.generators.abc import Drawn, Order
from edge_daemon.semantic.generators.directory import DirectoryGenerator, stem_of
from support.stand_in_endpoint import plain_png

TEXT = "ein röter Wagen"
ORDER = Order(TEXT, 3, 60, 40)


def put(root: Path, name: str, level: int) -> None:
    """A grey picture, in the format that its name says."""
    pixels = np.full((16, 16, 3), level, np.uint8)
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_bytes(cv2.imencode(Path(name).suffix, pixels)[1].tobytes())


def levels(drawn: Drawn) -> list[int]:
    return [round(float(picture.mean())) for picture in drawn.pictures]


def troubles(drawn: Drawn) -> list[str]:
    return [note.trouble for note in drawn.notes]


def test_the_name_is_a_beginning_of_the_texts_sha256() -> None:
    # printf %s 'a red car' | sha256sum
    assert stem_of("a red car", 0) == "4ff7ca0b5aba7ae1-0"
    assert stem_of("a red car", 12) == "4ff7ca0b5aba7ae1-12"


def test_pictures_named_after_the_text_come_in_order(tmp_path: Path) -> None:
    put(tmp_path, f"{stem_of(TEXT, 0)}.webp", 10)
    put(tmp_path, f"{stem_of(TEXT, 2)}.jpg", 30)
    put(tmp_path, f"{stem_of(TEXT, 1)}.png", 20)
    put(tmp_path, f"{stem_of(TEXT, 1)}.jpg", 200)
    put(tmp_path, f"{stem_of(TEXT, 3)}.png", 40)
    put(tmp_path, f"{stem_of('another', 0)}.png", 50)
    generator = DirectoryGenerator(tmp_path)
    drawn = generator.draw(ORDER)
    assert levels(drawn) == [10, 20, 30]
    assert (drawn.cost, drawn.notes) == (0.0, ())
    assert levels(generator.draw(replace(ORDER, count=1))) == [10]
    assert not generator.takes_side


def test_the_index_lists_others_first(tmp_path: Path) -> None:
    put(tmp_path, "first.png", 10)
    put(tmp_path, "more/second.png", 20)
    put(tmp_path, f"{stem_of(TEXT, 0)}.png", 30)
    (tmp_path / "index.json").write_text(json.dumps({TEXT: ["first.png", "more/second.png"]}))
    assert levels(DirectoryGenerator(str(tmp_path)).draw(ORDER)) == [10, 20, 30]


def test_a_text_without_pictures_is_a_note(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "not there yet"):
        drawn = DirectoryGenerator(root).draw(ORDER)
        assert drawn.pictures == ()
        assert troubles(drawn) == ["no-picture"]
        assert stem_of(TEXT, 0) in drawn.notes[0].detail


def test_an_unreadable_picture_is_a_note_and_the_others_are_taken(tmp_path: Path) -> None:
    (tmp_path / f"{stem_of(TEXT, 0)}.png").write_bytes(plain_png()[:-30])
    (tmp_path / f"{stem_of(TEXT, 1)}.png").write_bytes(b"")
    put(tmp_path, f"{stem_of(TEXT, 2)}.png", 30)
    drawn = DirectoryGenerator(tmp_path).draw(ORDER)
    assert levels(drawn) == [30]
    assert troubles(drawn) == ["no-picture", "no-picture"]
    assert stem_of(TEXT, 0) in drawn.notes[0].detail


def test_what_lies_outside_the_directory_is_not_read(tmp_path: Path) -> None:
    root = tmp_path / "drawings"
    root.mkdir()
    put(tmp_path, "outside.png", 10)
    (root / "link.png").symlink_to(tmp_path / "outside.png")
    names = ["../outside.png", str(tmp_path / "outside.png"), "link.png", "a/../../outside.png"]
    (root / "index.json").write_text(json.dumps({TEXT: names}))
    drawn = DirectoryGenerator(root).draw(ORDER)
    assert drawn.pictures == ()
    assert troubles(drawn) == ["no-picture"] * 4
    assert all("not in here" in note.detail for note in drawn.notes)


def test_a_link_by_the_texts_name_leads_nowhere_outside_either(tmp_path: Path) -> None:
    root = tmp_path / "drawings"
    root.mkdir()
    put(tmp_path, "outside.png", 10)
    (root / f"{stem_of(TEXT, 0)}.png").symlink_to(tmp_path / "outside.png")
    assert DirectoryGenerator(root).draw(ORDER).pictures == ()


def test_pipes_and_directories_are_no_pictures(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / f"{stem_of(TEXT, 0)}.png")
    (tmp_path / "folder").mkdir()
    names = ["folder", "", "missing.png", "a" * 5000, "nul\0"]
    (tmp_path / "index.json").write_text(json.dumps({TEXT: names}))
    drawn = DirectoryGenerator(tmp_path).draw(ORDER)
    assert drawn.pictures == ()
    assert troubles(drawn) == ["no-picture"] * 5
    assert max(len(note.detail) for note in drawn.notes) <= 200


@pytest.mark.parametrize(
    "index",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"ein r\xc3\xb6ter Wagen": "a.png"}',
        b"[" * 100_000,
        b'{"ein r\xc3\xb6ter Wagen": [1]}',
    ],
)
def test_an_index_that_is_none_is_a_note_and_names_still_count(
    tmp_path: Path, index: bytes
) -> None:
    put(tmp_path, f"{stem_of(TEXT, 0)}.png", 10)
    (tmp_path / "index.json").write_bytes(index)
    drawn = DirectoryGenerator(tmp_path).draw(ORDER)
    assert levels(drawn) == [10]
    assert troubles(drawn) == ["no-picture"]
    assert "index.json" in drawn.notes[0].detail
