"""What a graph sees of a picture, against Hugging Face's own preprocessing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

torch = pytest.importorskip("torch")
clip_processing: Any = pytest.importorskip(
    "transformers.models.clip.image_processing_pil_clip", reason="needs transformers 5"
)

from torch import nn  # noqa: E402

from export.graph import TileTower  # noqa: E402
from export.hf_clip import OPENAI_MEAN, OPENAI_STD  # noqa: E402
from models.preprocess import resized  # noqa: E402

pytestmark = pytest.mark.export

SIDE = 224
PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "data" / "photos"


def _pictures() -> Iterator[Any]:
    rng = np.random.default_rng(5)
    for width, height in [(224, 224), (300, 240), (641, 479), (1920, 1080), (200, 900), (90, 120)]:
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
        noisy = np.clip(smooth + rng.integers(-16, 17, smooth.shape), 0, 255).astype(np.uint8)
        yield pytest.param(noisy, id=f"made-{width}x{height}")
    for path in sorted(PHOTOS.glob("*/*.[jp][pn]g")):
        yield pytest.param(path, id=path.stem)


def _seen(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The centre of a picture as it reaches the image tower, (3, 224, 224)."""
    height, width = picture.shape[:2]
    # As CLIP's processor rounds: the longer side down.
    shorter = min(width, height)
    small = resized(picture, width * SIDE // shorter, height * SIDE // shorter, "bicubic")
    top, left = (small.shape[0] - SIDE) // 2, (small.shape[1] - SIDE) // 2
    tile = np.array(small[top : top + SIDE, left : left + SIDE])
    planes = TileTower(nn.Identity(), OPENAI_MEAN, OPENAI_STD)(torch.as_tensor(tile[None]))
    return planes[0].double().numpy()


@pytest.mark.parametrize("picture", list(_pictures()))
def test_the_tower_sees_what_hugging_face_s_processor_would_show_it(picture: Any) -> None:
    if isinstance(picture, Path):
        picture = np.asarray(Image.open(picture).convert("RGB"))
    processor = clip_processing.CLIPImageProcessorPil()
    wanted = processor(Image.fromarray(picture), return_tensors="np")["pixel_values"][0]
    # Both are normalised: bring the difference back to shares of the range from black to white.
    off = np.abs(_seen(picture) - wanted) * np.asarray(OPENAI_STD)[:, None, None]
    assert off.shape == (3, SIDE, SIDE)
    assert off.mean() < 1 / 255
    assert off.max() < 16 / 255
