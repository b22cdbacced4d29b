"""What becomes of one envelope, without a socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_daemon.cloud.keeping import Keeper
from edge_daemon.errors import (
    DecodeError,
    EscalateError,
    SequenceError,
    SettingsError,
    StorageError,
    UnknownCodecError,
)
from edge_daemon.semantic.coding import TextCoding, decode_payload, encode_payload
from edge_daemon.settings import Settings
from edge_daemon.settings.semantic import SideName
from support.pictures import busy_picture
from support.sealed import lines_of, sealed, sealed_text

Open = Callable[..., Keeper]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens keepers, one after another, on the same directory."""
    keepers: list[Keeper] = []

    def open_(**semantic: Any) -> Keeper:
        for keeper in keepers:
            keeper.close()
        keepers[:] = [Keeper(settings(tmp_path, semantic=semantic))]
        return keepers[0]

    yield open_
    for keeper in keepers:
        keeper.close()


def settings(directory: Path, **cloud: Any) -> Settings:
    return Settings.model_validate({"cloud": {"directory": str(directory), **cloud}})


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "cam").glob("*"))


def test_a_text_is_kept_with_what_is_known_of_it(opened: Open, tmp_path: Path) -> None:
    assert opened().keep(sealed_text(7, "Où ?", scores=(0.25, 0.75))) is False
    assert (tmp_path / "cam" / "7.txt").read_text("utf-8") == "Où ?"
    (line,) = lines_of(tmp_path)
    assert (line["text"], line["mode"]) == ("cam/7.txt", "semantic")
    assert not {"picture", "thumbnail", "sketch", "follow_up"} & line.keys()
    assert line["semantic"] == {
        "critic": "tiny",
        "notice": "knows colours, not things",
        "refiner": "phrases",
        "generator": None,
        "text_score": 0.25,
        "image_score": 0.75,
        "pixels_kept": True,
    }


@pytest.mark.parametrize("kind", ["thumbnail", "sketch"])
def test_side_information_is_kept_as_a_picture_that_anybody_can_open(
    opened: Open, tmp_path: Path, kind: SideName
) -> None:
    text = "A red bicycle leans on a wall, and a dog sleeps in the shade of a tree."
    coding = TextCoding(packing="packed", side=kind)
    bitstream, codec = encode_payload(text, busy_picture(64, 48), coding)
    opened().keep(sealed_text(7, bitstream, codec=codec))
    assert names(tmp_path) == [f"7.{kind}.png", "7.txt"]
    assert (tmp_path / "cam" / "7.txt").read_text("utf-8") == text
    side = decode_payload(bitstream, codec).side
    assert side is not None
    opened_picture = np.asarray(Image.open(tmp_path / "cam" / f"7.{kind}.png"))
    np.testing.assert_array_equal(opened_picture, side.pixels)
    (line,) = lines_of(tmp_path)
    assert (line["text"], line[kind]) == ("cam/7.txt", f"cam/7.{kind}.png")


def test_the_line_of_a_picture_says_nothing_of_texts(opened: Open, tmp_path: Path) -> None:
    opened().keep(sealed(7))
    (line,) = lines_of(tmp_path)
    assert line["picture"] == "cam/7.png"
    assert not {"text", "semantic", "follow_up"} & line.keys()


def test_a_poor_text_leaves_nothing_and_its_picture_takes_its_place(
    opened: Open, tmp_path: Path
) -> None:
    keeper = opened(escalate_text_below=0.3)
    for _ in range(2):
        with pytest.raises(EscalateError):
            keeper.keep(sealed_text(7, fingerprint="f"), insist=False)
    assert names(tmp_path) == []
    assert lines_of(tmp_path) == []
    assert opened(escalate_text_below=0.3).keep(sealed(7, fingerprint="f"), insist=False) is False
    assert names(tmp_path) == ["7.png"]
    # The text comes once more, because the picture's ack was lost with the link.
    assert opened(escalate_text_below=0.3).keep(sealed_text(7, fingerprint="f"), insist=False)
    assert [line.get("picture") for line in lines_of(tmp_path)] == ["cam/7.png"]


def test_a_poor_text_is_kept_where_there_is_nothing_else(opened: Open, tmp_path: Path) -> None:
    keeper = opened(escalate_text_below=0.3)
    assert keeper.keep(sealed_text(1), insist=True) is False
    assert keeper.keep(sealed_text(2)) is False  # where no word goes back
    assert keeper.keep(sealed_text(3, pixels_kept=False), insist=False) is False
    assert names(tmp_path) == ["1.txt", "2.txt", "3.txt"]


def test_a_text_that_was_kept_stays(opened: Open, tmp_path: Path) -> None:
    opened().keep(sealed_text(7, fingerprint="f"))
    keeper = opened(escalate_text_below=0.3)
    assert keeper.keep(sealed(7, fingerprint="f"), insist=False)
    assert keeper.keep(sealed_text(7, "another text of it", fingerprint="f"), insist=False)
    assert names(tmp_path) == ["7.txt"]
    with pytest.raises(SequenceError):
        keeper.keep(sealed(7, fingerprint="another"))


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (sealed_text(1)[:-1], DecodeError),
        (sealed_text(1, codec={"id": "runes"}), UnknownCodecError),
        (sealed_text(1, b"\xff"), DecodeError),
        (sealed_text(1, b"\xff" * 20, codec={"id": "text", "side": "thumbnail"}), DecodeError),
    ],
)
def test_a_damaged_text_is_refused(
    opened: Open, tmp_path: Path, payload: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        opened().keep(payload)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "cloud",
    [
        {"vlm": {"api_key_env": "EDGE_NO_SUCH_KEY"}},
        {
            "semantic": {
                "generator": "openai-images",
                "drawing": {"api_key_env": "EDGE_NO_SUCH_KEY"},
            }
        },
    ],
)
def test_a_missing_key_is_told_before_anything_is_opened(
    tmp_path: Path, cloud: dict[str, Any]
) -> None:
    with pytest.raises(SettingsError, match="EDGE_NO_SUCH_KEY"):
        Keeper(settings(tmp_path / "received", **cloud))
    assert not (tmp_path / "received").exists()


def test_a_journal_in_use_lets_the_log_go(tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").mkdir()
    with pytest.raises(StorageError):
        Keeper(settings(tmp_path, vlm={}))
    Keeper(settings(tmp_path)).close()
