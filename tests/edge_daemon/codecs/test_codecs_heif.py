from __future__ import annotations

import io

import numpy as np
import pytest
from pillow_heif import HeifImageFile

from edge_daemon.codecs.heif import Heif
from edge_daemon.errors import BadQualityError, DecodeError
from support.pictures import busy_picture


@pytest.mark.parametrize(("width", "height"), [(1, 1), (64, 48), (53, 37), (3, 90)])
def test_the_file_itself_states_the_exact_size(width: int, height: int) -> None:
    image = HeifImageFile(io.BytesIO(Heif().encode(busy_picture(width, height))))
    assert image.size == (width, height)
    assert np.asarray(image, np.uint8).shape == (height, width, 3)


def test_the_file_states_its_colours() -> None:
    image = HeifImageFile(io.BytesIO(Heif().encode(busy_picture(64, 48))))
    profile = image.info["nclx_profile"]
    assert profile["matrix_coefficients"] in {5, 6}  # BT.601
    assert profile["full_range_flag"] == 1


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.9])
def test_truncation_is_refused(kept: float) -> None:
    bitstream = Heif().encode(busy_picture(120, 90))
    with pytest.raises(DecodeError, match="damaged"):
        Heif().decode(bitstream[: int(len(bitstream) * kept)], width=120, height=90)


def test_an_unknown_preset_lists_the_known() -> None:
    with pytest.raises(BadQualityError, match=r"placebo.*ultrafast, superfast"):
        Heif(preset="placebo")
