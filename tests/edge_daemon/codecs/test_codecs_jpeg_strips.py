"""JPEG by several threads: strips of one picture, each made on its own."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Literal

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_daemon.codecs import jpeg_blocks
from edge_daemon.codecs.jpeg import Jpeg, threads_for
from edge_daemon.codecs.jpeg_blocks import Coding, encode
from edge_daemon.errors import EncodeError
from edge_daemon.quantiser import QuantiserMap
from support.pictures import busy_picture

pytestmark = pytest.mark.skipif(
    jpeg_blocks.status() != jpeg_blocks.AVAILABLE, reason=jpeg_blocks.status()
)

SEVERAL = (2, 3, 4)
GRID = QuantiserMap(np.array([[0, 6, 12], [20, 3, 0.5]], np.float32))

Look = Literal["busy", "noise", "bands"]


def picture(width: int, height: int, look: Look, seed: int = 0) -> NDArray[np.uint8]:
    """Bands are as high as rows of blocks, and differ as much as means can."""
    if look == "busy":
        return busy_picture(width, height, seed)
    rng = np.random.default_rng(seed)
    if look == "noise":
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    colours = rng.choice([0, 255], (-(-height // 8), 1, 3)).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(colours.repeat(8, 0)[:height], (height, width, 3)))


def leave_memory_for_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """libjpeg takes memory for one row of MCUs whatever it costs, but not for a second one."""
    monkeypatch.setenv("JPEGMEM", "1")  # kilobyte


@pytest.fixture
def opencv_threads() -> Generator[Callable[[int], None]]:
    """Sets how many threads OpenCV may use, until the test is over."""
    before = cv2.getNumThreads()
    yield cv2.setNumThreads
    cv2.setNumThreads(before)


@given(
    width=st.integers(1, 70),
    height=st.integers(1, 150),
    look=st.sampled_from(["busy", "noise", "bands"]),
    seed=st.integers(0, 99),
    quality=st.integers(1, 100),
    halved=st.booleans(),
    coding=st.sampled_from(Coding),
    offsets=st.sampled_from([None, GRID]),
)
@settings(deadline=None, max_examples=150)
def test_the_bitstream_is_the_same_with_any_number_of_threads(
    width: int,
    height: int,
    look: Look,
    seed: int,
    quality: int,
    halved: bool,
    coding: Coding,
    offsets: QuantiserMap | None,
) -> None:
    pixels = picture(width, height, look, seed)

    def encoded(threads: int) -> bytes:
        return encode(
            pixels,
            quality=quality,
            halved=halved,
            coding=coding,
            offsets=offsets,
            threads=threads,
        )

    alone = encoded(1)
    for threads in SEVERAL:
        assert encoded(threads) == alone, threads


@pytest.mark.parametrize("offsets", [None, GRID])
@pytest.mark.parametrize("halved", [True, False])
@pytest.mark.parametrize("coding", Coding)
def test_strips_may_end_anywhere_near_the_last_row(
    coding: Coding, halved: bool, offsets: QuantiserMap | None
) -> None:
    whole = 16 if halved else 8
    for rows in (1, 2, 3, 4, 8):
        for height in {1, rows * whole - 1, rows * whole, rows * whole + 1}:
            pixels = picture(2 * whole + 1, height, "noise")
            found = {
                encode(
                    pixels,
                    quality=75,
                    halved=halved,
                    coding=coding,
                    offsets=offsets,
                    threads=threads,
                )
                for threads in (1, *SEVERAL)
            }
            assert len(found) == 1, height


def test_no_threads_are_refused() -> None:
    pixels = picture(16, 16, "noise")
    with pytest.raises(ValueError, match="threads must be at least 1, not 0"):
        encode(pixels, quality=75, halved=True, coding=Coding.OPTIMISED, offsets=GRID, threads=0)


def test_a_strip_that_fails_costs_one_picture_and_nothing_is_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def encoded(threads: int) -> bytes:
        return encode(
            busy_picture(160, 3 * 16),
            quality=75,
            halved=True,
            coding=Coding.OPTIMISED,
            offsets=GRID,
            threads=threads,
        )

    expected = encoded(1)
    with monkeypatch.context() as scarce:
        leave_memory_for_one_row(scarce)
        for threads in (1, 2):  # three rows; one row, which is made, and two
            with pytest.raises(EncodeError, match=r"libjpeg failed.*Backing store.*160x48"):
                encoded(threads)
        assert encoded(3) == expected
    assert encoded(2) == expected
    assert capfd.readouterr() == ("", "")


def test_threads_are_at_most_four_at_most_opencvs_and_one_for_a_small_picture(
    opencv_threads: Callable[[int], None],
) -> None:
    sizes = {"small": (480, 640), "720p": (720, 1280), "4K": (2160, 3840)}
    pixels = {name: np.zeros((*size, 3), np.uint8) for name, size in sizes.items()}
    for most, expected in ((1, [1, 1, 1]), (2, [1, 2, 2]), (3, [1, 3, 3]), (16, [1, 3, 4])):
        opencv_threads(most)
        assert [threads_for(one) for one in pixels.values()] == expected


def test_a_large_picture_is_cut_into_a_strip_for_each_thread(
    monkeypatch: pytest.MonkeyPatch, opencv_threads: Callable[[int], None]
) -> None:
    pixels = busy_picture(2**14, 2 * 16)
    expected = Jpeg().encode(pixels)
    leave_memory_for_one_row(monkeypatch)
    opencv_threads(2)
    assert Jpeg().encode(pixels) == expected
    opencv_threads(1)
    with pytest.raises(EncodeError, match="Backing store"):
        Jpeg().encode(pixels)
