from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from edge_daemon.codecs.jpeg import Jpeg
from edge_daemon.errors import BadQualityError, DecodeError, EncodeError
from support.pictures import busy_picture, psnr


def test_444_keeps_colour_detail_that_420_loses() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, ::2, 0] = 255
    fidelity = {
        subsampling: psnr(
            codec.decode(codec.encode(pixels), width=64, height=64),
            pixels,
        )
        for subsampling in ("420", "444")
        for codec in [Jpeg(quality=95, subsampling=subsampling)]
    }
    assert fidelity["444"] > fidelity["420"] + 10


@pytest.mark.parametrize("subsampling", ["422", 420, ["444"]])
def test_subsampling_is_one_of_two(subsampling: str) -> None:
    with pytest.raises(BadQualityError, match=r"420, 444.*got"):
        Jpeg(subsampling=subsampling)


def test_pillow_sees_the_same_picture() -> None:
    pixels = busy_picture(53, 37)
    bitstream = Jpeg().encode(pixels)
    image = Image.open(io.BytesIO(bitstream))
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (53, 37))
    assert psnr(np.asarray(image, np.uint8), Jpeg().decode(bitstream, width=53, height=37)) > 45


def test_a_grey_jpeg_decodes_to_rgb() -> None:
    file = io.BytesIO()
    Image.fromarray(busy_picture(40, 30)[..., 0]).save(file, "JPEG", quality=95)
    decoded = Jpeg().decode(file.getvalue(), width=40, height=30)
    assert decoded.shape == (30, 40, 3)
    assert np.array_equal(decoded[..., 0], decoded[..., 2])


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_truncation_is_never_filled_in(kept: float) -> None:
    bitstream = Jpeg().encode(busy_picture(120, 90))
    with pytest.raises(DecodeError):
        Jpeg().decode(bitstream[: int(len(bitstream) * kept)], width=120, height=90)


def test_a_side_beyond_the_format_is_refused_by_name() -> None:
    with pytest.raises(EncodeError, match=r"65500.*65501x1"):
        Jpeg().encode(np.zeros((1, 65_501, 3), np.uint8))
