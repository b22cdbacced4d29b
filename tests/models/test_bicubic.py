"""Bicubic resizing in bands: the same as Pillow makes of the whole picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from models.bicubic import bicubic

BICUBIC = Image.Resampling.BICUBIC
SIDES = st.integers(1, 400)


def noise(width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)


def pillows(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The whole picture, along rows first whatever Pillow would begin with."""
    wide = Image.fromarray(image).resize((width, len(image)), BICUBIC)
    return np.asarray(wide.resize((width, height), BICUBIC))


@given(columns=SIDES, rows=SIDES, width=SIDES, height=SIDES)
@example(columns=20, rows=300, width=7, height=315)  # bands that have more rows than they make
@example(columns=30, rows=400, width=50, height=400)
@example(columns=30, rows=399, width=50, height=400)  # no row in common: one band
@example(columns=5, rows=375, width=9, height=250)
def test_bands_are_as_the_whole(columns: int, rows: int, width: int, height: int) -> None:
    picture = noise(columns, rows)
    np.testing.assert_array_equal(bicubic(picture, width, height), pillows(picture, width, height))


@pytest.mark.parametrize(
    ("source", "canvas"),
    [((1920, 1080), (1344, 756)), ((1280, 720), (1344, 756)), ((640, 480), (1195, 896))],
)
def test_canvases_of_usual_pictures_are_pillow_s(
    source: tuple[int, int], canvas: tuple[int, int]
) -> None:
    picture = noise(*source)
    whole = Image.fromarray(picture).resize(canvas, BICUBIC)
    np.testing.assert_array_equal(bicubic(picture, *canvas), np.asarray(whole))


@pytest.mark.parametrize("cores", [1, 3, 64])
def test_it_does_not_matter_how_many_cores_there_are(
    monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    monkeypatch.setattr(cv2, "getNumThreads", lambda: cores)
    picture = noise(90, 1080)
    np.testing.assert_array_equal(bicubic(picture, 63, 756), pillows(picture, 63, 756))


def test_a_view_that_is_not_contiguous_is_read_as_it_is() -> None:
    picture = noise(80, 600)[::2, ::-1]
    np.testing.assert_array_equal(bicubic(picture, 60, 450), pillows(picture, 60, 450))
