from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import AvifImagePlugin, Image, ImageFile, features

from edge_daemon.codecs.avif import Avif
from edge_daemon.errors import BadQualityError, DecodeError, EncodeError, NoEncoderError
from support.codec_checks import SATURATED
from support.pictures import busy_picture, psnr, smooth_picture

GOLDEN = Path(__file__).parent / "golden"


def foreign_file(image: Image.Image, **options: Any) -> bytes:
    """A file that another program might write."""
    file = io.BytesIO()
    image.save(file, "AVIF", **options)
    return file.getvalue()


def test_the_file_states_its_colours() -> None:
    bitstream = Avif().encode(busy_picture(64, 48))
    start = bitstream.index(b"colrnclx") + 8
    primaries, transfer, matrix = (
        int.from_bytes(bitstream[start + at : start + at + 2], "big") for at in (0, 2, 4)
    )
    assert (primaries, transfer) == (1, 13)  # sRGB
    assert matrix in {5, 6}  # BT.601
    assert bitstream[start + 6] == 0x80  # full range


def test_general_viewers_show_the_picture() -> None:
    pixels = smooth_picture(53, 37)
    image = Image.open(io.BytesIO(Avif(quality=90).encode(pixels)), formats=["AVIF"])
    assert image.size == (53, 37)
    assert psnr(np.asarray(image.convert("RGB")), pixels) > 35


def test_colours_of_an_old_file_come_back() -> None:
    """Not bit for bit: the conversion to RGB is libavif's, and may differ between versions."""
    decoded = Avif().decode((GOLDEN / "avif-colours.avif").read_bytes(), width=128, height=64)
    for n, colour in enumerate(SATURATED):
        row, column = 32 * (n // 4), 32 * (n % 4)
        patch = decoded[row + 4 : row + 28, column + 4 : column + 28].astype(int)
        assert np.abs(patch - colour).max() <= 5, colour


@pytest.mark.parametrize("threads", [1, 2, 16])
def test_bytes_do_not_depend_on_the_machines_cores(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = busy_picture(320, 240)
    expected = Avif().encode(pixels)
    monkeypatch.setattr(AvifImagePlugin, "DEFAULT_MAX_THREADS", threads)
    assert Avif().encode(pixels) == expected


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.9, 0.99])
def test_truncation_is_refused_even_where_pillow_is_told_to_tolerate_it(
    kept: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    bitstream = Avif().encode(busy_picture(120, 90))
    with pytest.raises(DecodeError, match="damaged"):
        Avif().decode(bitstream[: int(len(bitstream) * kept)], width=120, height=90)


def test_alpha_and_animations_are_refused_by_name() -> None:
    image = Image.fromarray(busy_picture(64, 48))
    half_clear = image.copy()
    half_clear.putalpha(120)
    with pytest.raises(DecodeError, match=r"without alpha.*1 of mode RGBA"):
        Avif().decode(foreign_file(half_clear), width=64, height=48)
    animation = foreign_file(image, save_all=True, append_images=[image.rotate(90)])
    with pytest.raises(DecodeError, match=r"one picture.*2 of mode RGB"):
        Avif().decode(animation, width=64, height=48)


def test_a_large_picture_as_announced_raises_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    bitstream = Avif().encode(busy_picture(64, 48))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Avif().decode(bitstream, width=64, height=48).shape == (48, 64, 3)


@pytest.mark.parametrize("size", [(1, 32_769), (32_769, 1), (16_385, 16_384)])
def test_what_no_decoder_takes_is_refused_by_name(size: tuple[int, int]) -> None:
    pixels = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (size[1], size[0], 3))
    with pytest.raises(EncodeError, match=f"32768 pixels.*{size[0]}x{size[1]}"):
        Avif()._encode(pixels)  # pyright: ignore[reportPrivateUsage] # as `encode` would copy it


def test_coarseness_falls_with_quality_and_bytes_follow() -> None:
    steps = [Avif(quality=quality).coarseness for quality in range(101)]
    assert steps == sorted(steps, reverse=True)
    assert len(set(steps)) == 64  # quantisers
    pixels = busy_picture(160, 120)
    qualities = range(10, 100, 10)
    octaves = [np.log2(len(Avif(quality=quality).encode(pixels))) for quality in qualities]
    assert np.corrcoef([steps[quality] for quality in qualities], octaves)[0, 1] < -0.97


@pytest.mark.parametrize("missing", ["module", "encoder"])
def test_a_pillow_without_avif_is_reported_and_not_tried(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacks(feature: str) -> bool:
        return feature != "avif"

    def has_none(_: str) -> None:
        return None

    if missing == "module":
        monkeypatch.setattr(features, "check", lacks)
    else:
        monkeypatch.setattr(AvifImagePlugin, "get_codec_version", has_none)
    assert "install Pillow's wheel" in Avif.status().problem
    with pytest.raises(NoEncoderError, match="cannot write AVIF"):
        Avif().encode(busy_picture(64, 48))


def test_full_colour_resolution_keeps_what_the_other_mixes() -> None:
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:, ::2] = (255, 0, 0)
    pixels[:, 1::2] = (0, 0, 255)
    errors = {
        subsampling: np.abs(
            (codec := Avif(quality=100, subsampling=subsampling))
            .decode(codec.encode(pixels), width=64, height=48)
            .astype(int)
            - pixels
        ).max()
        for subsampling in ("420", "444")
    }
    assert errors["444"] <= 3
    assert errors["420"] > 60


@pytest.mark.parametrize(
    ("options", "allowed"),
    [
        ({"subsampling": "422"}, "420, 444"),
        ({"subsampling": 420}, "420, 444"),
        ({"speed": 11}, "0 to 10"),
        ({"speed": -1}, "0 to 10"),
        ({"speed": True}, "0 to 10"),
    ],
)
def test_other_options_are_refused(options: dict[str, Any], allowed: str) -> None:
    with pytest.raises(BadQualityError, match=allowed):
        Avif(**options)
