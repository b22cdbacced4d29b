"""The C library by itself: vector levels, slopes, memory, failure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kernels import MAX_SIGMA, CoarseSigma, gather, scratch_bytes
from support.oracle import deviation
from support.pixels import noise, slope

pytestmark = pytest.mark.skipif(gather.status() != "available", reason=gather.status())

LEVELS = range(gather.best_level() + 1) if gather.status() == "available" else range(0)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_vector_level_follows_the_definition(level: int, channels: int) -> None:
    image = noise(40, 139, channels=channels)
    sigma = slope(40, 139, 0, 5)
    sigma[10:20, 30:70] = 0
    out = np.empty_like(image)
    gather.smooth(image, sigma, 5.0, out, level=level)
    assert deviation(out, image, sigma, range(0, 40, 5), range(0, 139, 3)).worst <= 7.0
    best = np.empty_like(image)
    gather.smooth(image, sigma, 5.0, best)
    assert np.abs(out.astype(int) - best).max() <= 1


@pytest.mark.parametrize(
    ("steepness", "worst"), [(0.02, 2.5), (0.05, 6.0), (0.1, 12.0), (0.2, 12.0), (0.4, 4.0)]
)
def test_vertical_slopes_cost_at_most_what_is_documented(steepness: float, worst: float) -> None:
    image = noise(90, 24, channels=1, seed=2)
    rows = np.abs(steepness * np.arange(90) % 12 - 6).astype(np.float32)
    sigma = np.repeat(rows[:, None], 24, axis=1)
    out = np.empty_like(image)
    gather.smooth(image, sigma, 6.0, out)
    assert deviation(out, image, sigma, columns=range(4, 20, 2)).worst <= worst


def test_values_that_change_after_their_check_cannot_overrun_the_scratch_memory() -> None:
    image = noise(50, 70)
    sigma = np.full((50, 70), 3.0, np.float32)
    sigma[::7, ::5] = [[np.nan, 1e30, -4.0, np.inf, -np.inf, 60.0, 3.5] * 2] * 8
    out = np.empty_like(image)
    gather.smooth(image, sigma, 3.0, out)
    assert np.array_equal(out[::7, 10], image[::7, 10])  # negative: a copy
    coarse = CoarseSigma.covering(sigma, 50, 70)
    gather.smooth(image, coarse, 3.0, out)


def test_coarse_map_finer_than_the_image() -> None:
    image = noise(9, 11)
    cells = (np.random.default_rng(1).random((300, 1000)) * 4).astype(np.float32)
    coarse = CoarseSigma.covering(cells, 9, 11)
    out = np.empty_like(image)
    gather.smooth(image, coarse, 4.0, out)
    assert deviation(out, image, coarse.materialise(9, 11)).worst <= 4.0


def test_scratch_memory_is_bounded_and_grows_with_sigma_only() -> None:
    assert scratch_bytes(0.0) < scratch_bytes(8.0) < scratch_bytes(MAX_SIGMA) < 2 << 20


def test_refused_allocation_becomes_a_memory_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Exhausted:
        gather_run = staticmethod(lambda *_: 1)
        gather_best_level = staticmethod(lambda: 0)
        gather_scratch_bytes = staticmethod(lambda *_: 4096)

    monkeypatch.setattr(gather, "load", lambda: Exhausted)
    image = noise(4, 4)
    with pytest.raises(MemoryError, match="4096 bytes"):
        gather.smooth(image, np.ones((4, 4), np.float32), 1.0, np.empty_like(image))


@pytest.mark.parametrize(
    ("content", "message"), [(None, "not built: .* install gcc"), (b"\x7fELF", "cannot be loaded")]
)
def test_missing_or_damaged_library_says_what_to_do(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    library = tmp_path / "_gather.so"
    if content is not None:
        library.write_bytes(content)
    with pytest.raises(gather.LibraryError, match=message):
        gather.load(library)
