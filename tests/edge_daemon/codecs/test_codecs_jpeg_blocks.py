"""JPEG with a quantiser map, judged by the coefficients that are found in the bitstream."""

from __future__ import annotations

import functools
import io
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from edge_daemon.codecs import jpeg_blocks
from edge_daemon.codecs.jpeg import Jpeg
from edge_daemon.errors import EncodeError
from edge_daemon.quantiser import MAX_OFFSET, QuantiserMap
from support.jpeg_coefficients import ZIGZAG, coefficients
from support.pictures import busy_picture, psnr

pytestmark = pytest.mark.skipif(
    jpeg_blocks.status() != jpeg_blocks.AVAILABLE, reason=jpeg_blocks.status()
)

CODECS = [
    Jpeg(75, subsampling, optimise, progressive)
    for subsampling in ("420", "444")
    for optimise, progressive in ((False, False), (True, False), (True, True))
]


def offsets(rows: object) -> QuantiserMap:
    return QuantiserMap(np.asarray(rows, np.float32))


def everywhere(offset: float) -> QuantiserMap:
    return offsets([[offset]])


def decoded(bitstream: bytes, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return Jpeg().decode(bitstream, width=pixels.shape[1], height=pixels.shape[0])


def luma(bitstream: bytes) -> NDArray[np.uint8]:
    """The luma alone: no colour is mixed in, so no block shows in another."""
    return np.asarray(simplejpeg.decode_jpeg(bitstream, colorspace="GRAY")[..., 0], np.uint8)


Block = NDArray[np.int16]


def cheapest(size: int, zeros: int, step: float) -> int:
    """What becomes of a coefficient's absolute value, as `csrc/blocks.h` puts it."""
    candidates = [size] + [2**n - 1 for n in range(size.bit_length() - 1, -1, -1)]

    def cost(value: int) -> float:
        tenths_of_a_bit = 15 + 16 * value.bit_length() + 5 * zeros if value else 0
        return float(size - value) ** 2 + 0.01 * step * step * tenths_of_a_bit

    return min(candidates, key=cost)  # the first of equals


def coarsened(block: Block, step: float) -> Block:
    result: Block = np.array(block)
    zeros = 0
    for place in ZIGZAG[1:]:
        size = abs(int(block[place]))
        kept = cheapest(size, zeros, step) if size and step > 1 else size
        result[place] = kept if block[place] > 0 else -kept
        zeros = 0 if kept else zeros + 1
    return result


@functools.cache
def factor(offset: float) -> float:
    exponent = np.full(1, offset, np.float32) / np.float32(6)
    return float(np.exp2(exponent)[0])


@given(
    block=arrays(np.int16, (8, 8), elements=st.integers(-1023, 1023), fill=st.just(0)),
    step=st.floats(1, 370, width=32),
)
@settings(deadline=None, max_examples=300)
def test_a_block_is_coarsened_as_described(block: Block, step: float) -> None:
    found = jpeg_blocks.coarsen(block, step)
    assert np.array_equal(found, coarsened(block, step))
    assert found[0, 0] == block[0, 0]
    assert np.all(np.abs(found.astype(int)) <= np.abs(block.astype(int)))
    assert np.all(found.astype(int) * block >= 0), "a sign changed"


@given(
    block=arrays(np.int16, (8, 8), elements=st.integers(-12, 12), fill=st.just(0)),
    steps=st.tuples(st.floats(1, 30, width=32), st.floats(1, 30, width=32)),
)
@settings(deadline=None, max_examples=200)
def test_small_values_are_coarsened_as_described(block: Block, steps: tuple[float, float]) -> None:
    for step in steps:
        assert np.array_equal(jpeg_blocks.coarsen(block, step), coarsened(block, step))


def test_a_block_is_8_by_8() -> None:
    with pytest.raises(ValueError, match="8, 8"):
        jpeg_blocks.coarsen(np.zeros((4, 16), np.int16), 2.0)


@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    quality=st.integers(1, 100),
    subsampling=st.sampled_from(["420", "444"]),
    optimise=st.booleans(),
    grid=arrays(
        np.float32,
        st.tuples(st.integers(1, 6), st.integers(1, 6)),
        elements=st.sampled_from([0, 0.5, 3, 6, 7.25, 12, 20, 51]),
    ),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=60)
def test_every_block_of_the_bitstream_is_the_plain_one_coarsened_by_its_offset(
    width: int,
    height: int,
    quality: int,
    subsampling: str,
    optimise: bool,
    grid: NDArray[np.float32],
    seed: int,
) -> None:
    pixels = busy_picture(width, height, seed)
    codec = Jpeg(quality, subsampling, optimise)
    given_offsets = QuantiserMap(grid)
    plain = coefficients(codec.encode(pixels))
    mapped = coefficients(codec.encode(pixels, given_offsets))
    for k, (before, after) in enumerate(zip(plain, mapped, strict=True)):
        side = 16 if k and subsampling == "420" else 8
        steps = given_offsets.blocks(height, width, side)
        assert before.shape[:2] == after.shape[:2] == steps.shape
        for row, column in product(*map(range, steps.shape)):
            expected = coarsened(before[row, column], factor(float(steps[row, column])))
            assert np.array_equal(after[row, column], expected), (k, row, column)


@pytest.mark.parametrize("codec", CODECS)
def test_a_map_of_zeros_changes_nothing(codec: Jpeg) -> None:
    for width, height in ((1, 1), (7, 90), (53, 37), (160, 120)):
        pixels = busy_picture(width, height)
        assert codec.encode(pixels, everywhere(0)) == codec.encode(pixels)


@pytest.mark.parametrize("codec", CODECS)
def test_mapped_pictures_are_the_same_however_they_are_coded(codec: Jpeg) -> None:
    pixels = busy_picture(101, 67)
    grid = offsets([[0, 6, 12], [3, 24, 51]])
    expected = Jpeg(75, codec.subsampling, optimise=False).encode(pixels, grid)
    assert np.array_equal(decoded(codec.encode(pixels, grid), pixels), decoded(expected, pixels))


@pytest.mark.parametrize("codec", CODECS)
def test_a_sharp_quadrant_stays_where_it_is_and_as_it_is(codec: Jpeg) -> None:
    pixels = busy_picture(192, 128)
    plain = codec.encode(pixels)
    for row in (0, 1):
        for column in (0, 1):
            grid = np.full((2, 2), 12, np.float32)
            grid[row, column] = 0
            mapped = codec.encode(pixels, QuantiserMap(grid))
            kept = np.zeros(pixels.shape[:2], bool)
            kept[64 * row : 64 * row + 64, 96 * column : 96 * column + 96] = True
            same = luma(mapped) == luma(plain)
            assert same[kept].all()
            assert same[~kept].mean() < 0.5
            # a decoder mixes in the colour of the block beside
            inner = np.s_[64 * row + 8 : 64 * row + 56, 96 * column + 8 : 96 * column + 88]
            assert np.array_equal(decoded(mapped, pixels)[inner], decoded(plain, pixels)[inner])
            assert len(mapped) < 0.8 * len(plain)


@pytest.mark.parametrize("codec", CODECS)
def test_the_coarser_the_fewer_bytes(codec: Jpeg) -> None:
    pixels = busy_picture(160, 120)
    sizes = [len(codec.encode(pixels, everywhere(offset))) for offset in (0, 3, 6, 9, 12, 18, 24)]
    assert sizes == sorted(set(sizes), reverse=True)


@pytest.mark.parametrize("codec", CODECS)
def test_a_mapped_picture_is_better_than_a_plain_one_of_the_same_bytes_where_it_counts(
    codec: Jpeg,
) -> None:
    pixels = busy_picture(192, 128)
    mapped = codec.encode(pixels, offsets([[0, 12], [12, 12]]))
    coarser = (
        Jpeg(quality, codec.subsampling, codec.optimise, codec.progressive).encode(pixels)
        for quality in range(74, 0, -1)
    )
    plain = next(bitstream for bitstream in coarser if len(bitstream) <= len(mapped))
    corner = np.s_[:56, :88]
    fidelity = [psnr(decoded(one, pixels)[corner], pixels[corner]) for one in (mapped, plain)]
    assert fidelity[0] > fidelity[1] + 1


@pytest.mark.parametrize("codec", CODECS)
def test_the_largest_offset_leaves_flat_blocks(codec: Jpeg) -> None:
    pixels = busy_picture(96, 64)
    bitstream = codec.encode(pixels, everywhere(MAX_OFFSET))
    blocks = luma(bitstream).reshape(8, 8, 12, 8)
    assert np.all(blocks == blocks[:, :1, :, :1])
    assert len(np.unique(blocks)) > 3
    plain = luma(codec.encode(pixels)).reshape(8, 8, 12, 8)
    assert np.abs(blocks.mean((1, 3)) - plain.mean((1, 3))).max() <= 1


@pytest.mark.parametrize("codec", CODECS)
def test_pillow_reads_a_mapped_picture(codec: Jpeg) -> None:
    pixels = busy_picture(53, 37)
    bitstream = codec.encode(pixels, offsets([[0, 12]]))
    image = Image.open(io.BytesIO(bitstream))
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (53, 37))
    assert psnr(np.asarray(image, np.uint8), decoded(bitstream, pixels)) > 45


def test_own_tables_suit_the_coarsened_blocks() -> None:
    pixels = busy_picture(300, 200)
    fixed, optimised = (
        len(Jpeg(50, optimise=optimise).encode(pixels, everywhere(12)))
        for optimise in (False, True)
    )
    assert optimised < 0.95 * fixed


def test_threads_do_not_disturb_each_other() -> None:
    def encoded(job: tuple[Jpeg, NDArray[np.uint8], QuantiserMap]) -> bytes:
        codec, pixels, grid = job
        return codec.encode(pixels, grid)

    jobs = [
        (codec, busy_picture(40 + 24 * (n % 3), 60, seed=n), everywhere(3.0 * (n % 4)))
        for n in range(8)
        for codec in CODECS
    ]
    expected = [encoded(job) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(encoded, jobs * 3))
    assert found == expected * 3


def test_libjpegs_refusal_is_an_error_and_nothing_is_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    too_wide = np.zeros((1, 65_501, 3), np.uint8)
    for coding in jpeg_blocks.Coding:
        for grid in (None, everywhere(6)):
            with pytest.raises(EncodeError, match=r"libjpeg failed.*65500.*65501x1"):
                jpeg_blocks.encode(too_wide, quality=75, halved=True, coding=coding, offsets=grid)
    assert capfd.readouterr() == ("", "")
    assert Jpeg().encode(busy_picture(9, 9), everywhere(6))
