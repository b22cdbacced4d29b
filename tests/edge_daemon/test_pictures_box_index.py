from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.pictures.box_index import BoxesError, find_index, read_boxes
from support.boxed_photos import HEIGHT, WIDTH, coco, listed


def index_of(folder: Path, content: object, name: str = "coco.json") -> Path:
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_both_forms_say_the_same_whatever_the_file_is_called(tmp_path: Path) -> None:
    ours = read_boxes(index_of(tmp_path, listed(), "boxes.json"))
    theirs = read_boxes(index_of(tmp_path, coco(), "coco.json"))
    assert ours == theirs
    assert [picture.name for picture in ours] == ["a.png", "in/b.png", "empty.png"]
    assert ours[1].path == tmp_path / "in" / "b.png"
    assert (ours[0].width, ours[0].height) == (WIDTH, HEIGHT)
    assert ours[0].things[0].left == 8.4


def test_what_can_be_asked_is_rounded_clipped_and_large_enough(tmp_path: Path) -> None:
    first, second, empty = read_boxes(index_of(tmp_path, listed()))
    assert first.boxes() == {"sign": ((8, 16, 32, 32),), "Kettle": ((56, 8, 32, 32),)}
    assert second.boxes() == {"sign": ((0, 0, 30, 20),), "bird": ((40, 20, 20, 20),)}
    assert empty.boxes() == {}


def test_an_index_is_found_by_its_usual_name_or_as_the_only_one(tmp_path: Path) -> None:
    with pytest.raises(BoxesError, match="no photographs with boxes there"):
        find_index(tmp_path)
    one = index_of(tmp_path, listed(), "one.json")
    assert find_index(tmp_path) == find_index(one) == one
    other = index_of(tmp_path, listed(), "other.json")
    with pytest.raises(BoxesError, match=r"several.*one\.json, other\.json"):
        find_index(tmp_path)
    usual = index_of(tmp_path, listed())
    assert find_index(tmp_path) == usual
    assert find_index(other) == other


def changed(change: Callable[[list[dict[str, Any]]], object]) -> list[dict[str, Any]]:
    index = listed()
    change(index)
    return index


def changed_coco(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    index = coco()
    change(index)
    return index


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "the whole file: Invalid JSON"),
        ("7", "the whole file: Input should be a valid array"),
        (changed(lambda index: index[1].pop("width")), r"\[1\]\.width: Field required"),
        (changed(lambda index: index[0].update(height=0)), r"\[0\]\.height: .*greater"),
        (
            changed(lambda index: index[0]["objects"][1].update(box_xywh=[1, 2, 3])),
            r"\[0\]\.objects\[1\]\.box_xywh\[3\]: Field required",
        ),
        (
            changed(lambda index: index[1]["objects"][0].update(box_xywh=[1, 2, -3, 4])),
            r"\[1\]\.objects\[0\]\.box_xywh\[2\]: .*greater",
        ),
        (
            changed(lambda index: index[1]["objects"][0].update(name="")),
            r"\[1\]\.objects\[0\]\.name: .*at least 1 character",
        ),
        (changed(lambda index: index.append(index[0])), r"a\.png: listed 2 times"),
        (changed_coco(lambda index: index.pop("categories")), "categories: Field required"),
        (
            changed_coco(lambda index: index["annotations"][2].update(image_id=99)),
            r"annotations\[2\]: no image has the id 99",
        ),
        (
            changed_coco(lambda index: index["annotations"][0].update(category_id=1)),
            r"annotations\[0\]: no category has the id 1",
        ),
        (
            changed_coco(lambda index: index["annotations"][1].update(bbox=["8", 0, 1, 1])),
            r"annotations\[1\]\.bbox\[0\]: .*valid number",
        ),
        (changed_coco(lambda index: index["images"][1].update(id=7)), "images: 2 have the id 7"),
    ],
)
def test_mistakes_are_told_by_entry(tmp_path: Path, content: object, message: str) -> None:
    index = index_of(tmp_path, content)
    with pytest.raises(BoxesError, match=f"(?s)coco.json: .*mistake.*{message}"):
        read_boxes(index)


def test_of_many_mistakes_the_first_are_told(tmp_path: Path) -> None:
    index = index_of(tmp_path, [{"file": f"{number}.png"} for number in range(4)])
    with pytest.raises(BoxesError) as caught:
        read_boxes(index)
    lines = str(caught.value).splitlines()
    assert "12 mistake(s)" in lines[0]
    assert len(lines) == 8
    assert "and 7 more" in lines[6]


def test_an_index_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BoxesError, match="cannot read the index"):
        read_boxes(tmp_path / "missing.json")
