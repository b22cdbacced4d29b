from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.errors import BadPixelsError, PayloadTooLargeError, TooManyPixelsError
from edge_daemon.pictures import PictureLimits, from_raw
from edge_daemon.pictures.convert import sixteen_to_eight, to_rgb, upright
from support.pictures import busy_picture

RGB = busy_picture(12, 9)


def test_eight_bit_rgb_is_taken_as_it_is() -> None:
    picture = from_raw(RGB.tobytes(), RGB.shape, "uint8")
    np.testing.assert_array_equal(picture.pixels, RGB)
    assert (picture.source_format, picture.notes) == ("raw", ())


@pytest.mark.parametrize("shape", [(9, 12), (9, 12, 1)])
def test_grey_becomes_rgb(shape: tuple[int, ...]) -> None:
    picture = from_raw(RGB[..., 0].tobytes(), shape, "uint8")
    np.testing.assert_array_equal(picture.pixels, np.repeat(RGB[..., :1], 3, axis=2))


def test_alpha_is_composited_over_white() -> None:
    alpha = np.full((9, 12, 1), 51, np.uint8)
    picture = from_raw(np.dstack([RGB, alpha]).tobytes(), [9, 12, 4], "uint8")
    expected = np.round(RGB * 0.2 + 255 * 0.8)
    assert np.abs(picture.pixels - expected).max() <= 1
    assert picture.notes == ("alpha composited over white",)


def test_sixteen_bits_and_floats_are_scaled() -> None:
    deep = RGB.astype("<u2") * 257
    picture = from_raw(deep.tobytes(), RGB.shape, "uint16")
    np.testing.assert_array_equal(picture.pixels, RGB)
    assert picture.notes == ("16-bit samples scaled to 8 bits",)
    floats = (RGB / 255).astype("<f4")
    np.testing.assert_array_equal(from_raw(floats.tobytes(), RGB.shape, "float32").pixels, RGB)


def test_the_buffer_may_be_reused() -> None:
    buffer = bytearray(RGB.tobytes())
    pixels = from_raw(buffer, RGB.shape, "uint8").pixels
    buffer[:] = bytes(len(buffer))
    np.testing.assert_array_equal(pixels, RGB)
    pixels[0, 0] = 1


def test_without_a_copy_rgb_stays_where_it_is_and_all_else_is_the_pictures_own() -> None:
    buffer = bytearray(RGB.tobytes())
    pixels = from_raw(buffer, RGB.shape, "uint8", copy=False).pixels
    grey = from_raw(buffer, (RGB.size, 1), "uint8", copy=False).pixels
    buffer[:] = bytes(len(buffer))
    assert not pixels.any()
    assert grey.any()


def test_a_memoryview_of_any_kind_is_read() -> None:
    picture = from_raw(memoryview(bytearray(RGB.tobytes())), RGB.shape, "uint8")
    np.testing.assert_array_equal(picture.pixels, RGB)


@pytest.mark.parametrize(
    "dtype", ["float64", "int8", ">u2", ">f4", "<u2", "object", "O", "u1", "bool", "", 8, None]
)
def test_other_dtypes_are_refused(dtype: Any) -> None:
    with pytest.raises(BadPixelsError, match="uint8, uint16, float32"):
        from_raw(RGB.tobytes(), RGB.shape, dtype)


@pytest.mark.parametrize(
    "shape",
    [
        (0, 12, 3),
        (9, 0),
        (-9, -12, 3),
        (9, -12, 3),
        (9, 12, 2),
        (9, 12, 5),
        (324,),
        (1, 9, 12, 3),
        (),
        (9.0, 12, 3),
        (True, 324),
        ("9", "12"),
        "99",
        (None, 3),
    ],
)
def test_other_shapes_are_refused(shape: Any) -> None:
    with pytest.raises(BadPixelsError, match="a shape is") as caught:
        from_raw(RGB.tobytes(), shape, "uint8")
    assert caught.value.value == repr(shape)


@pytest.mark.parametrize("length", [0, 1, 323, 325, 648])
def test_a_buffer_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(BadPixelsError, match=rf"make 324 bytes \(got '{length} bytes'\)"):
        from_raw(bytes(length), (9, 12, 3), "uint8")


def test_limits_come_before_anything_is_made() -> None:
    with pytest.raises(TooManyPixelsError, match="100000x100000"):
        from_raw(b"", (100_000, 100_000, 3), "uint8")
    with pytest.raises(TooManyPixelsError):
        from_raw(b"", (2**62, 2**62), "uint8")
    with pytest.raises(PayloadTooLargeError):
        from_raw(bytes(100), (1, 100), "uint8", PictureLimits(max_bytes=99))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -0.01, 1.01, 255.0])
def test_floats_outside_their_range_are_refused(value: float) -> None:
    floats = (RGB / 255).astype("<f4")
    floats[3, 4, 1] = value
    with pytest.raises(BadPixelsError, match="1 of 324 float samples") as caught:
        from_raw(floats.tobytes(), floats.shape, "float32")
    assert caught.value.value is not None
    assert float(caught.value.value) == pytest.approx(value, nan_ok=True)


@given(
    data=st.binary(max_size=64),
    shape=st.lists(st.integers(-2, 9), max_size=4),
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
)
@settings(deadline=None, max_examples=150)
def test_any_buffer_is_a_picture_or_refused(data: bytes, shape: list[int], dtype: str) -> None:
    try:
        pixels = from_raw(data, shape, dtype).pixels
    except BadPixelsError:
        return
    assert pixels.shape == (shape[0], shape[1], 3)


def test_sixteen_to_eight_is_exact_everywhere() -> None:
    every = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(sixteen_to_eight(every), np.floor(every / 257 + 0.5))


def test_compositing_keeps_the_ends() -> None:
    opaque = np.dstack([RGB, np.full((9, 12, 1), 255, np.uint8)])
    clear = np.dstack([RGB, np.zeros((9, 12, 1), np.uint8)])
    np.testing.assert_array_equal(to_rgb(opaque)[0], RGB)
    assert (to_rgb(clear)[0] == 255).all()


@pytest.mark.parametrize("orientation", [0, 1, 9, 255])
def test_unknown_orientations_leave_the_picture(orientation: int) -> None:
    np.testing.assert_array_equal(upright(RGB, orientation), RGB)
