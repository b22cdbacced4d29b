from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from export.nano.icons import (
    HELD_OUT_SET,
    RENDER_SIZE,
    TRAINING_SETS,
    Collection,
    IconSet,
    render_all,
)
from support.nano import write_package

pytestmark = pytest.mark.export


def collection(modules: Path, *, with_codes: bool) -> Collection:
    write_package(modules, "plain", with_codes=with_codes)
    return Collection(modules, IconSet("plain", "1.0.0", "MIT", "nobody"))


def test_the_held_out_style_is_not_trained_on() -> None:
    assert HELD_OUT_SET not in TRAINING_SETS


def test_an_icon_is_found_by_its_code(tmp_path: Path) -> None:
    assert collection(tmp_path, with_codes=True).find("1f34e", frozenset()) == ["red-apple"]


@pytest.mark.parametrize(
    ("names", "found"),
    [({"red-apple"}, ["red-apple"]), ({"apple"}, ["red-apple"]), ({"dog"}, ["dog-1"]), ({"x"}, [])],
)
def test_without_a_code_an_icon_is_found_by_its_names(
    tmp_path: Path, names: set[str], found: list[str]
) -> None:
    assert collection(tmp_path, with_codes=False).find("1f34e", frozenset(names)) == found


def test_the_view_box_is_the_icons_own(tmp_path: Path) -> None:
    icons = collection(tmp_path, with_codes=False)
    assert 'viewBox="0 0 16 16"' in icons.svg("red-apple")
    assert 'viewBox="0 0 32 16"' in icons.svg("dog-1")


def test_a_picture_that_fails_leaves_the_others(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    good = collection(tmp_path, with_codes=False).svg("red-apple")
    first, bad, last = render_all([good, "no picture", good])
    assert bad == b""
    assert first == last
    pixels = cv2.imdecode(np.frombuffer(first, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    assert pixels.shape == (RENDER_SIZE, RENDER_SIZE, 4)
    assert pixels[128, 128].tolist() == [0, 0, 255, 255]
    assert pixels[2, 2, 3] == 0
