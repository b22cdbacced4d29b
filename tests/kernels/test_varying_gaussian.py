"""What every backend promises, checked against the float64 definition."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor

import cv2
import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import kernels
from kernels import CoarseSigma, cuda, varying_gaussian
from support.oracle import deviation
from support.pixels import noise, scene, slope

AVAILABLE = [
    name
    for name, status in kernels.backends().items()
    # A simulated GPU is far too slow for this; tests/kernels/test_cuda.py has tests in its measure.
    if status == "available" and not (name == "cuda" and cuda.simulated())
]
FAST = [name for name in AVAILABLE if name != "reference"]
WORST = {
    "c": 2.5,
    "cuda": 2.5,
    "opencv": 2.0,
    "reference": 0.501,
}  # grey levels from the unrounded truth
PSNR = {"c": 53.0, "cuda": 53.0, "opencv": 56.0, "reference": 99.0}  # dB from the rounded truth

each_backend = pytest.mark.parametrize("backend", AVAILABLE)
each_fast_backend = pytest.mark.parametrize("backend", FAST)


def constant(image: NDArray[np.uint8], sigma: float) -> NDArray[np.float32]:
    return np.full(image.shape[:2], sigma, np.float32)


@each_backend
@pytest.mark.parametrize("sigma", [0.26, 0.34, 0.5, 1.0, 2.5, 5.0])
def test_constant_sigma_follows_the_definition(backend: str, sigma: float) -> None:
    image = noise(33, 40)
    result = varying_gaussian(image, constant(image, sigma), backend=backend)
    found = deviation(result, image, constant(image, sigma), range(0, 33, 4), range(0, 40, 3))
    assert found.worst <= WORST[backend]
    assert found.psnr >= PSNR[backend]


@each_fast_backend
def test_gentle_map_on_a_natural_scene(backend: str) -> None:
    image = scene(200, 230)
    sigma = slope(200, 230, 0.0, 8.0)
    result = varying_gaussian(image, sigma, backend=backend)
    found = deviation(result, image, sigma, range(0, 200, 9), range(0, 230, 7))
    assert found.worst <= 2.0
    assert found.psnr >= (PSNR[backend] if backend == "opencv" else 59.0)


@each_fast_backend
@pytest.mark.parametrize("orientation", ["horizontal", "vertical", "object", "stripes", "rows"])
def test_steps_of_sigma_leave_no_trace(backend: str, orientation: str) -> None:
    image = noise(70, 150, seed=3)
    sigma = constant(image, 6.0)
    if orientation == "horizontal":
        sigma[:35] = 0.0
    elif orientation == "vertical":
        sigma[:, :67] = 0.5
    elif orientation == "object":
        sigma[20:50, 40:100] = 0.0
    elif orientation == "stripes":
        sigma[:, ::2] = 1.0
    else:
        sigma[::2] = 1.0
    result = varying_gaussian(image, sigma, backend=backend)
    found = deviation(result, image, sigma, range(12, 60, 3), range(30, 140, 3))
    assert found.worst <= WORST[backend]


@each_fast_backend
def test_sigma_at_random_per_pixel(backend: str) -> None:
    image = noise(24, 40, seed=5)
    sigma = (np.random.default_rng(5).random((24, 40)) * 7).astype(np.float32)
    found = deviation(varying_gaussian(image, sigma, backend=backend), image, sigma)
    assert found.worst <= (4.5 if backend == "opencv" else 2.5)


@each_fast_backend
@pytest.mark.parametrize(
    "shape", [(1, 1, 3), (1, 17, 3), (17, 1, 3), (2, 2, 3), (3, 5, 3), (1, 1), (7, 2), (5, 131)]
)
@pytest.mark.parametrize("sigma", [0.9, 6.0, kernels.MAX_SIGMA])
def test_windows_larger_than_the_image(backend: str, shape: tuple[int, ...], sigma: float) -> None:
    image = noise(*shape[:2], seed=7).reshape(*shape[:2], 3)[..., : shape[2] if shape[2:] else 1]
    image = np.ascontiguousarray(image.reshape(shape))
    result = varying_gaussian(image, constant(image, sigma), backend=backend)
    assert result.shape == shape
    columns = range(0, shape[1], max(shape[1] // 4, 1))
    found = deviation(result, image, constant(image, sigma), columns=columns)
    assert found.worst <= WORST[backend]


@each_fast_backend
def test_agrees_with_opencv_in_the_terms_of_the_docstring(backend: str) -> None:
    image = scene(60, 80)
    expected = cv2.GaussianBlur(image, (25, 25), 4.0)
    result = varying_gaussian(image, constant(image, 4.0), backend=backend)
    assert np.abs(result.astype(int) - expected).max() <= 1


maps_and_images = st.tuples(
    st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([1, 3])
)


@each_fast_backend
@settings(max_examples=25, deadline=None)
@given(case=maps_and_images, level=st.integers(0, 255))
def test_constant_image_stays_constant(
    backend: str, case: tuple[int, int, int, int], level: int
) -> None:
    height, width, seed, channels = case
    image = np.full((height, width, 3), level, np.uint8)
    image = image if channels == 3 else image[:, :, 0]
    sigma = (np.random.default_rng(seed).random((height, width)) ** 3 * 20).astype(np.float32)
    assert np.array_equal(varying_gaussian(image, sigma, backend=backend), image)


@each_backend
@settings(max_examples=15, deadline=None)
@given(case=maps_and_images)
def test_small_sigma_keeps_every_bit(backend: str, case: tuple[int, int, int, int]) -> None:
    height, width, seed, channels = case
    image = noise(height, width, seed=seed % 1000, channels=channels).squeeze(
        () if channels == 3 else 2
    )
    share = np.random.default_rng(seed).random((height, width))
    sigma = (share * kernels.KEEP_SIGMA).astype(np.float32)
    assert np.array_equal(varying_gaussian(image, sigma, backend=backend), image)


@each_fast_backend
@settings(max_examples=15, deadline=None)
@given(case=maps_and_images)
def test_kept_pixels_are_exact_among_smoothed_ones(
    backend: str, case: tuple[int, int, int, int]
) -> None:
    height, width, seed, _ = case
    image = noise(height, width, seed=seed % 1000)
    generator = np.random.default_rng(seed)
    sigma = (generator.random((height, width)) * 9).astype(np.float32)
    sigma[generator.random((height, width)) < 0.5] = kernels.KEEP_SIGMA
    kept = sigma <= kernels.KEEP_SIGMA
    result = varying_gaussian(image, sigma, backend=backend)
    assert np.array_equal(result[kept], image[kept])


@each_fast_backend
@settings(max_examples=15, deadline=None)
@given(case=maps_and_images, flip=st.sampled_from([0, 1]))
def test_mirrored_input_gives_mirrored_output(
    backend: str, case: tuple[int, int, int, int], flip: int
) -> None:
    height, width, seed, _ = case
    image = noise(height, width, seed=seed % 1000)
    sigma = np.full((height, width), 0.0, np.float32)
    sigma[height // 3 :, width // 3 :] = 1.0 + seed % 5
    straight = varying_gaussian(image, sigma, backend=backend)
    mirrored = varying_gaussian(np.flip(image, flip), np.flip(sigma, flip), backend=backend)
    assert np.abs(np.flip(mirrored, flip).astype(int) - straight).max() <= 1


@each_fast_backend
@settings(max_examples=15, deadline=None)
@given(
    cells=arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 6), st.integers(1, 6)),
        elements=st.floats(0, 10, width=32),
    ),
    height=st.integers(1, 50),
    width=st.integers(1, 150),
)
def test_coarse_map_equals_its_full_size_form(
    backend: str, cells: NDArray[np.float32], height: int, width: int
) -> None:
    image = noise(height, width, seed=11)
    coarse = CoarseSigma.covering(cells, height, width)
    direct = varying_gaussian(image, coarse, backend=backend)
    full = varying_gaussian(image, coarse.materialise(height, width), backend=backend)
    # Sigma may differ in its last bit, which may fall on either side of a rounding.
    assert (direct != full).mean() <= 0.01
    assert np.abs(direct.astype(int) - full).max() <= 1


@each_fast_backend
def test_mean_is_preserved(backend: str) -> None:
    image = noise(64, 64, seed=13)
    result = varying_gaussian(image, constant(image, 1.5), backend=backend)
    assert abs(float(result[8:-8, 8:-8].mean()) - float(image.mean())) < 4.0
    assert abs(float(result.mean()) - float(image.mean())) < 2.5


@each_fast_backend
def test_batch_equals_its_images(backend: str) -> None:
    batch = np.stack([noise(20, 37, seed=s) for s in range(3)])
    maps = np.stack([slope(20, 37, 0, high) for high in (1.0, 5.0, 9.0)])
    together = varying_gaussian(batch, maps, backend=backend)
    for image, sigma, result in zip(batch, maps, together, strict=True):
        assert np.array_equal(result, varying_gaussian(image, sigma, backend=backend))
    shared = varying_gaussian(batch, maps[1], backend=backend)
    assert np.array_equal(shared[1], together[1])
    coarse = CoarseSigma.covering(maps[:, ::7, ::9], 20, 37)
    third = CoarseSigma.covering(maps[2, ::7, ::9], 20, 37)
    assert np.array_equal(
        varying_gaussian(batch, coarse, backend=backend)[2],
        varying_gaussian(batch[2], third, backend=backend),
    )
    assert varying_gaussian(batch[:0], maps[1], backend=backend).shape == (0, 20, 37, 3)


@each_fast_backend
def test_grey_equals_each_channel_of_colour(backend: str) -> None:
    image, sigma = noise(30, 41), slope(30, 41, 0, 6)
    result = varying_gaussian(image, sigma, backend=backend)
    for channel in range(3):
        grey = varying_gaussian(image[:, :, channel], sigma, backend=backend)
        assert np.abs(grey.astype(int) - result[:, :, channel]).max() <= 1


@each_fast_backend
def test_any_strides_and_read_only_input(backend: str) -> None:
    image, sigma = noise(40, 60), slope(40, 60, 0, 5)
    views = (np.s_[::-1], np.s_[:, ::-1], np.s_[::2, 1::3], np.s_[5:20, 7:30])
    image.flags.writeable = sigma.flags.writeable = False
    for view in views:
        packed = varying_gaussian(np.copy(image[view]), np.copy(sigma[view]), backend=backend)
        out = np.zeros((*image[view].shape[:2], 6), np.uint8)[:, ::-1, ::2]
        returned = varying_gaussian(image[view], sigma[view], backend=backend, out=out)
        assert returned is out
        assert np.array_equal(out, packed)
    records = np.zeros((40, 60), np.dtype([("flag", np.uint8), ("sigma", np.float32)]))
    records["sigma"] = sigma
    rows = np.frombuffer(bytearray(40 * 241 + 1), np.uint8)[1:].reshape(40, 241)
    odd = np.ndarray((40, 60), np.float32, rows, strides=(241, 4))
    odd[...] = sigma
    for misaligned in (records["sigma"], odd):
        assert np.array_equal(
            varying_gaussian(image, misaligned, backend=backend),
            varying_gaussian(image, sigma, backend=backend),
        )
    planes = np.transpose(np.ascontiguousarray(np.transpose(image, (2, 0, 1))), (1, 2, 0))
    assert np.array_equal(
        varying_gaussian(planes, sigma, backend=backend),
        varying_gaussian(image, sigma, backend=backend),
    )


@each_fast_backend
def test_output_over_its_input(backend: str) -> None:
    image, sigma = noise(40, 60), slope(40, 60, 0, 5)
    expected = varying_gaussian(image, sigma, backend=backend)
    in_place = np.copy(image)
    assert varying_gaussian(in_place, sigma, backend=backend, out=in_place) is in_place
    assert np.array_equal(in_place, expected)

    shifted = np.concatenate([image, image[:5]])
    varying_gaussian(shifted[:40], sigma, backend=backend, out=shifted[5:])
    assert np.array_equal(shifted[5:], expected)

    memory = bytearray(sigma.tobytes())
    over_map = np.frombuffer(memory, np.uint8, count=40 * 60 * 3).reshape(40, 60, 3)
    map_there = np.frombuffer(memory, np.float32).reshape(40, 60)
    varying_gaussian(image, map_there, backend=backend, out=over_map)
    assert np.array_equal(over_map, expected)


@each_fast_backend
def test_threads_share_a_call_without_a_trace(backend: str) -> None:
    batch = np.stack([noise(90, 200, seed=s) for s in range(2)])
    sigma = slope(90, 200, 0, 12)
    alone = varying_gaussian(batch, sigma, backend=backend)
    assert np.array_equal(varying_gaussian(batch, sigma, backend=backend, threads=4), alone)


@each_fast_backend
def test_concurrent_calls_do_not_disturb_each_other(backend: str) -> None:
    images = [noise(60, 140, seed=s) for s in range(4)]
    sigma = slope(60, 140, 0, 6)
    expected = [varying_gaussian(image, sigma, backend=backend) for image in images]
    smooth = functools.partial(varying_gaussian, sigma=sigma, backend=backend, threads=2)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(smooth, images * 6))
    assert all(np.array_equal(r, e) for r, e in zip(results, expected * 6, strict=True))
