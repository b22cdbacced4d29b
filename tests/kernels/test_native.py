"""The C library by itself: vector levels, threads, memory, failure."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels import MAX_SIGMA, CoarseSigma, native, scratch_bytes
from support.oracle import deviation
from support.pixels import noise, slope

pytestmark = pytest.mark.skipif(native.status() != "available", reason=native.status())

VECTORS = range(native.best_vectors() + 1) if native.status() == "available" else range(0)


def maps(height: int, width: int) -> list[NDArray[np.float32]]:
    """A slope, an object in front of it, and sigma at random."""
    gentle = slope(height, width, 0, 14)
    stepped = np.copy(gentle)
    stepped[height // 4 : height // 2, width // 5 : width // 2] = 0
    random = (np.random.default_rng(3).random((height, width)) * 9).astype(np.float32)
    return [gentle, stepped, random]


@pytest.mark.parametrize("vectors", VECTORS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (40, 139), (70, 64), (33, 200)])
def test_every_vector_level_and_thread_count_gives_the_same_bytes(
    vectors: int, channels: int, size: tuple[int, int]
) -> None:
    image = noise(*size, channels=channels)
    for sigma in maps(*size):
        expected, out = np.empty_like(image), np.empty_like(image)
        native.smooth(image, sigma, 14.0, expected, vectors=0)
        for threads in (1, 3):
            out.fill(0)
            native.smooth(image, sigma, 14.0, out, vectors=vectors, threads=threads)
            assert np.array_equal(out, expected)


@pytest.mark.parametrize("steepness", [0.02, 0.1, 0.5, 2.0])
def test_slopes_cost_nothing(steepness: float) -> None:
    image = noise(90, 24, channels=1, seed=2)
    rows = np.abs(steepness * np.arange(90) % 12 - 6).astype(np.float32)
    sigma = np.repeat(rows[:, None], 24, axis=1)
    turned = np.ascontiguousarray(np.swapaxes(sigma, 0, 1))
    for picture, around in ((image, sigma), (np.swapaxes(image, 0, 1), turned)):
        out = np.empty_like(np.ascontiguousarray(picture))
        native.smooth(picture, around, 6.0, out)
        assert deviation(out, picture, around, range(4, len(out) - 4, 5)).worst <= 2.5


def test_values_that_change_after_their_check_stay_harmless() -> None:
    image = noise(50, 70)
    sigma = np.full((50, 70), 3.0, np.float32)
    sigma[::7, ::5] = [[np.nan, 1e30, -4.0, np.inf, -np.inf, 60.0, 3.5] * 2] * 8
    out = np.empty_like(image)
    native.smooth(image, sigma, 3.0, out)
    assert np.array_equal(out[::7, 10], image[::7, 10])  # negative: a copy
    plain = np.empty_like(image)
    native.smooth(image, np.full((50, 70), 3.0, np.float32), 3.0, plain)
    assert np.array_equal(out[1::7], plain[1::7])  # what surrounds the bad values
    # Too large a value counts as the widest scale that the pyramid was made for, 4 px here.
    widest = np.empty_like(image)
    native.smooth(image, np.full((50, 70), 4.0, np.float32), 4.0, widest)
    assert np.array_equal(out[::7, 5::35], widest[::7, 5::35])  # 1e30
    native.smooth(image, np.full((50, 70), 60.0, np.float32), 3.0, out)
    assert np.array_equal(out, widest)
    native.smooth(image, CoarseSigma.covering(sigma, 50, 70), 3.0, out)


def test_coarse_map_finer_than_the_image() -> None:
    image = noise(9, 11)
    cells = (np.random.default_rng(1).random((300, 1000)) * 4).astype(np.float32)
    coarse = CoarseSigma.covering(cells, 9, 11)
    out = np.empty_like(image)
    native.smooth(image, coarse, 4.0, out)
    assert deviation(out, image, coarse.materialise(9, 11)).worst <= 2.5


def test_working_memory_is_reported_and_bounded() -> None:
    plain = scratch_bytes(1080, 1920, 3, max_sigma=2.0)
    wide = scratch_bytes(1080, 1920, 3, max_sigma=16.0)
    widest = scratch_bytes(1080, 1920, 3, max_sigma=MAX_SIGMA)
    assert plain < 1 << 18  # no pyramid, a thread's share only
    assert plain < wide < 1080 * 1920 * 3
    assert wide < widest < 1080 * 1920 * 5
    assert scratch_bytes(1080, 1920, 3, 16.0, threads=3) == wide + 2 * (
        scratch_bytes(1080, 1920, 3, 16.0, threads=2) - wide
    )
    assert scratch_bytes(1080, 1920, 1, 16.0) < wide / 2


def test_wide_sigma_after_narrow_and_large_after_small() -> None:
    """The memory that a thread keeps grows with the need for it."""
    for height, width, sigma in ((20, 30, 2.0), (20, 30, 30.0), (90, 150, 5.0), (20, 30, 9.0)):
        image = noise(height, width)
        full = np.full((height, width), sigma, np.float32)
        out = np.empty_like(image)
        native.smooth(image, full, sigma, out)
        found = deviation(out, image, full, range(0, height, 7), range(0, width, 11))
        assert found.worst <= 2.5


def test_smoothing_goes_on_in_a_forked_child() -> None:
    image = noise(80, 150)
    sigma = slope(80, 150, 0, 9)
    expected, out = np.empty_like(image), np.empty_like(image)
    native.smooth(image, sigma, 9.0, expected, threads=2)
    child = os.fork()
    if child == 0:  # nothing may leave this branch but by _exit
        status = 2
        try:
            native.smooth(image, sigma, 9.0, out, threads=2)
            status = 0 if np.array_equal(out, expected) else 1
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    ("content", "message"), [(None, "not built: .* install gcc"), (b"\x7fELF", "cannot be loaded")]
)
def test_missing_or_damaged_library_says_what_to_do(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    library = tmp_path / "_smooth.so"
    if content is not None:
        library.write_bytes(content)
    with pytest.raises(native.LibraryError, match=message):
        native.load(library)


@pytest.mark.skipif("KERNELS_UNDER_TEST" not in os.environ, reason="for `make sanitize`")
def test_the_sanitized_library_is_the_one_under_test() -> None:
    assert Path(native.__file__).is_relative_to(Path(os.environ["KERNELS_UNDER_TEST"]).resolve())
    assert hasattr(ctypes.CDLL(None), "__asan_init")
