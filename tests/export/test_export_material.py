from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_daemon.demo.scenes import icon_names
from edge_daemon.pictures import save_picture
from export.errors import ExportError
from export.material import LEAST_PICTURES, MOST_JUDGED, PHOTOGRAPH_PROMPTS, gather
from export.pictures import SCENES, read_pictures

pytestmark = pytest.mark.export

TILE = 32


def _fill(folder: Path, count: int) -> Path:
    rng = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    for number in range(count):
        pixels = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        save_picture(pixels, folder / f"{number:03}.png")
    return folder


def _silent(line: str) -> None:
    raise AssertionError(line)


def test_calibration_and_judging_share_no_picture(tmp_path: Path) -> None:
    folder = _fill(tmp_path / "yard", LEAST_PICTURES)
    material = gather(TILE, "area", calibrate=True, folder=folder, say=_silent)
    names = [{one.name for one in part} for part in (material.calibration, material.judged)]
    assert [len(part) for part in names] == [LEAST_PICTURES / 2, LEAST_PICTURES / 2]
    assert names[0].isdisjoint(names[1])
    assert (material.pictures_of, material.prompts) == ("yard", PHOTOGRAPH_PROMPTS)


def test_a_bounded_number_is_read_always_the_same(tmp_path: Path) -> None:
    folder = _fill(tmp_path / "many", 3 * MOST_JUDGED)
    first, second = (
        gather(TILE, "area", calibrate=False, folder=folder, say=_silent) for _ in range(2)
    )
    assert len(first.judged) == MOST_JUDGED
    assert first.calibration == ()
    names = [one.name for one in first.judged]
    assert names == [one.name for one in second.judged]
    # A draw and not the first ones: cameras name files by time.
    assert max(names) > f"{MOST_JUDGED:03}.png"


def test_tiles_are_cut_as_the_prefilter_cuts_them(tmp_path: Path) -> None:
    folder = _fill(tmp_path / "one", 1)
    (picture,) = read_pictures(folder, TILE, "area", most=5, say=_silent)
    assert picture.grid.source_width == 64
    assert picture.tiles.shape == (picture.grid.count, TILE, TILE, 3)


def test_what_is_no_picture_or_shows_nothing_is_skipped_aloud(tmp_path: Path) -> None:
    folder = _fill(tmp_path / "mixed", 2)
    (folder / "deeper").mkdir()
    (folder / "deeper" / "notes.txt").write_text("not a picture")
    (folder / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    save_picture(np.full((48, 64, 3), 90, np.uint8), folder / "flat.png")
    said: list[str] = []
    found = read_pictures(folder, TILE, "area", most=9, say=said.append)
    assert sorted(one.name for one in found) == ["000.png", "001.png"]
    assert len(said) == 3
    for start in (
        "skipped cut.jpg: the JPEG data is truncated",
        "skipped flat.png: it shows nothing but one colour",
        "skipped deeper/notes.txt: the payload is in no supported picture format",
    ):
        assert any(line.startswith(start) for line in said), start


def test_pictures_of_one_flat_colour_do_not_calibrate(tmp_path: Path) -> None:
    folder = tmp_path / "night"
    folder.mkdir()
    for number in range(LEAST_PICTURES):
        save_picture(np.full((48, 64, 3), 4 * number, np.uint8), folder / f"{number}.png")
    with pytest.raises(ExportError, match="holds 0 usable pictures, but 8 are needed"):
        gather(TILE, "area", calibrate=True, folder=folder)


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    folder = _fill(tmp_path / "few", LEAST_PICTURES - 1)
    with pytest.raises(ExportError, match=r"few: holds 7 usable pictures, but 8 are needed.*more"):
        gather(TILE, "area", calibrate=True, folder=folder)
    assert len(gather(TILE, "area", calibrate=False, folder=folder).judged) == 7


def test_int8_without_pictures_is_refused() -> None:
    with pytest.raises(ExportError, match=r"--pictures .*int8-dynamic, which needs none"):
        gather(TILE, "area", calibrate=True)


def test_without_pictures_the_demos_scenes_are_judged() -> None:
    material = gather(TILE, "area", calibrate=False)
    assert [one.name for one in material.judged] == [f"demo scene {n + 1}" for n in range(SCENES)]
    assert len(material.prompts) == 8
    for prompt in material.prompts:
        assert prompt.removeprefix("Where is the ").removesuffix("?") in icon_names()
    assert material.pictures_of == "scenes of the demo"


def test_prompts_are_lines_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("  Is the gate open? \n\n   \na red lorry\n", encoding="utf-8")
    folder = _fill(tmp_path / "yard", 1)
    material = gather(TILE, "area", calibrate=False, folder=folder, prompts=file)
    assert material.prompts == ("Is the gate open?", "a red lorry")
    assert material.prompts_of == "mine.txt"


@pytest.mark.parametrize(
    ("content", "words"), [(b"\n \n", "holds no prompt"), (b"\xff\xfe", "cannot be read as UTF-8")]
)
def test_a_file_without_readable_prompts_is_refused(
    tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "p.txt").write_bytes(content)
    with pytest.raises(ExportError, match=words):
        gather(TILE, "area", calibrate=False, prompts=tmp_path / "p.txt")


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="none: is no directory"):
        gather(TILE, "area", calibrate=False, folder=tmp_path / "none")
