from __future__ import annotations

import io

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from edge_daemon.codecs.heif import Heif
from edge_daemon.codecs.hevc import PRESETS, SUBSAMPLINGS
from edge_daemon.errors import BadQualityError, DecodeError, UnsupportedError
from edge_daemon.quantiser import QuantiserMap
from support.pictures import busy_picture

both_subsamplings = pytest.mark.parametrize("subsampling", SUBSAMPLINGS)


def foreign_file(image: Image.Image, *others: Image.Image, **options: object) -> bytes:
    """A file that another program might write."""
    file = io.BytesIO()
    heif = pillow_heif.from_pillow(image)
    for other in others:
        heif.add_from_pillow(other)
    heif.save(file, quality=40, **options)
    return file.getvalue()


def stating_size(file: bytes, width: int, height: int) -> bytes:
    """The file with another coded size in its header."""
    at = file.index(b"ispe") + 8
    return file[:at] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + file[at + 8 :]


@both_subsamplings
@pytest.mark.parametrize(("width", "height"), [(1, 1), (64, 48), (53, 37), (3, 90)])
def test_the_file_itself_states_the_exact_size(width: int, height: int, subsampling: str) -> None:
    bitstream = Heif(subsampling=subsampling).encode(busy_picture(width, height))
    image = pillow_heif.HeifImageFile(io.BytesIO(bitstream))
    assert image.size == (width, height)
    assert np.asarray(image, np.uint8).shape == (height, width, 3)


@both_subsamplings
def test_the_file_states_its_colours(subsampling: str) -> None:
    bitstream = Heif(subsampling=subsampling).encode(busy_picture(64, 48))
    image = pillow_heif.HeifImageFile(io.BytesIO(bitstream))
    profile = image.info["nclx_profile"]
    assert profile["matrix_coefficients"] in {5, 6}  # BT.601
    assert profile["full_range_flag"] == 1
    assert image.info["chroma"] == int(subsampling)


@pytest.mark.parametrize("preset", PRESETS)
def test_full_colour_resolution_keeps_finer_colour(preset: str) -> None:
    small = np.random.default_rng(5).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    pixels = np.asarray(cv2.resize(small, (192, 144), interpolation=cv2.INTER_CUBIC), np.uint8)
    errors: dict[str, float] = {}
    for subsampling in SUBSAMPLINGS:
        codec = Heif(quality=70, preset=preset, subsampling=subsampling)
        shown = codec.decode(codec.encode(pixels), width=192, height=144)
        chroma = [
            cv2.cvtColor(one, cv2.COLOR_RGB2YCrCb)[..., 1:].astype(float) for one in (shown, pixels)
        ]
        errors[subsampling] = float(np.mean((chroma[0] - chroma[1]) ** 2))
    assert errors["444"] < 0.6 * errors["420"]


def test_either_subsampling_decodes_the_other() -> None:
    """The file says which it is."""
    pixels = busy_picture(64, 48)
    for one, other in (SUBSAMPLINGS, SUBSAMPLINGS[::-1]):
        bitstream = Heif(subsampling=one).encode(pixels)
        decoded = Heif(subsampling=other).decode(bitstream, width=64, height=48)
        same = Heif(subsampling=one).decode(bitstream, width=64, height=48)
        assert np.array_equal(decoded, same)


def test_a_configuration_without_subsampling_means_420() -> None:
    config = {"id": "heif", "quality": 40, "preset": "medium"}
    assert Heif.from_config(config) == Heif(40, "medium", "420")


def test_a_map_is_refused_by_name() -> None:
    assert not Heif.takes_map()
    with pytest.raises(UnsupportedError, match="heif takes no quantiser map"):
        Heif().encode(busy_picture(32, 32), QuantiserMap(np.ones((1, 1), np.float32)))


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.9])
def test_truncation_is_refused(kept: float) -> None:
    bitstream = Heif().encode(busy_picture(120, 90))
    with pytest.raises(DecodeError, match="damaged"):
        Heif().decode(bitstream[: int(len(bitstream) * kept)], width=120, height=90)


def test_albums_alpha_metadata_and_tiles_are_refused() -> None:
    image = Image.fromarray(busy_picture(640, 560))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    files = {
        "album": foreign_file(image, image),
        "alpha": foreign_file(image.convert("RGBA")),
        "metadata": foreign_file(image, exif=exif.tobytes()),
        "tiles": foreign_file(image, tile_size=512),
    }
    for name, file in files.items():
        with pytest.raises(DecodeError, match=r"more than one picture.*items"):
            Heif().decode(file, width=640, height=560)
        assert len(file) > 500, name


def test_grey_is_refused_by_name() -> None:
    file = foreign_file(Image.fromarray(busy_picture(64, 48)).convert("L"))
    with pytest.raises(DecodeError, match=r"not in colour.*'L'"):
        Heif().decode(file, width=64, height=48)


@pytest.mark.parametrize("side", [200, 20_000, 60_000, 2**32 - 1])
def test_a_huge_coded_size_is_refused_before_anything_is_decoded(side: int) -> None:
    file = stating_size(Heif().encode(busy_picture(48, 40)), side, side)
    with pytest.raises(DecodeError, match=f"{side}x{side} pixels"):
        Heif().decode(file, width=48, height=40)
    with pytest.raises(DecodeError):
        Heif().decode(file, width=side, height=side)


def test_a_picture_larger_than_its_header_says_is_not_decoded() -> None:
    file = stating_size(Heif(quality=0).encode(np.zeros((1200, 1200, 3), np.uint8)), 64, 48)
    with pytest.raises(DecodeError, match="damaged"):
        Heif().decode(file, width=64, height=48)


def test_the_version_is_that_of_x265() -> None:
    status = Heif.status()
    assert status.version.startswith(tuple("3456789"))
    assert status.version.endswith(f"(pillow-heif {pillow_heif.__version__})")
    assert not status.problem


def test_an_unknown_preset_lists_the_known() -> None:
    with pytest.raises(BadQualityError, match=r"placebo.*ultrafast, superfast"):
        Heif(preset="placebo")


def test_an_unknown_subsampling_lists_the_known() -> None:
    with pytest.raises(BadQualityError, match=r"422.*420, 444"):
        Heif(subsampling="422")
