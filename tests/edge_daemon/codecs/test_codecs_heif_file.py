from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.codecs.heif import Heif
from edge_daemon.codecs.heif_file import Contents, contents
from support.pictures import busy_picture


def box(kind: bytes, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def size_box(width: int, height: int) -> bytes:
    return box(b"ispe", bytes(4) + width.to_bytes(4, "big") + height.to_bytes(4, "big"))


def file_of(properties: bytes, items: int = 1, version: int = 0) -> bytes:
    count = items.to_bytes(4 if version else 2, "big")
    info = bytes([version, 0, 0, 0]) + count + box(b"infe", bytes(4)) * items
    meta = bytes(4) + box(b"iinf", info) + box(b"iprp", box(b"ipco", properties))
    return box(b"ftyp", b"heic") + box(b"meta", meta) + box(b"mdat", bytes(3))


def test_a_file_of_the_codec_is_one_item() -> None:
    found = contents(Heif().encode(busy_picture(53, 37)))
    assert found.items == 1
    assert 53 <= found.width <= 53 + 64
    assert 37 <= found.height <= 37 + 64


@pytest.mark.parametrize("version", [0, 1])
def test_items_and_the_largest_size_are_found(version: int) -> None:
    file = file_of(size_box(10, 90) + size_box(70, 5), items=3, version=version)
    assert contents(file) == Contents(3, 70, 90)


def test_boxes_of_long_size_and_up_to_the_end_are_read() -> None:
    long = b"\x00\x00\x00\x01mdat" + (16 + 5).to_bytes(8, "big") + bytes(5)
    last = b"\x00\x00\x00\x00mdat" + bytes(9)
    assert contents(file_of(size_box(7, 6)) + long + last) == Contents(1, 7, 6)


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (b"", "one still picture"),
        (box(b"ftyp", b"heic"), "one still picture"),
        (file_of(size_box(8, 8)) * 2, "one still picture"),
        (file_of(size_box(8, 8)) + box(b"moov", b""), "one still picture"),
        (box(b"mini", b"") + file_of(size_box(8, 8)), "one still picture"),
        (file_of(b""), "no picture size"),
        (file_of(box(b"ispe", bytes(7))), "cut off"),
        (file_of(size_box(8, 8)) + b"\x00\x00", "cut off"),
        (file_of(size_box(8, 8)) + b"\x00\x00\x00\x07mdat", "impossible size"),
        (file_of(size_box(8, 8)) + b"\x00\x00\x00\x09mdat", "impossible size"),
        (file_of(size_box(8, 8)) + b"\x00\x00\x00\x01mdat" + bytes(8), "impossible size"),
        (file_of(size_box(8, 8)) + b"\x00\x00\x00\x01mdat" + b"\xff" * 8, "impossible size"),
    ],
)
def test_other_layouts_are_refused(file: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        contents(file)


@given(data=st.binary(max_size=200), tail=st.booleans())
def test_any_bytes_are_read_or_refused(data: bytes, tail: bool) -> None:
    try:
        found = contents(file_of(size_box(4, 4) + data) if tail else data)
    except ValueError:
        return
    assert found.width >= 0
    assert found.items >= 0
