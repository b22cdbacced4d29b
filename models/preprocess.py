"""From pictures to what an encoder was trained to see: how they are resized, how normalised.

Both are facts of a bundle, not choices of its user (`models.manifest.Preprocessing`). Graphs that
this version's export makes normalise by themselves; for older ones `Normalising` does it.
"""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from models.bicubic import bicubic
from models.session import EncoderSession, SharedStream, stream_of

Resize = Literal["area", "bicubic"]
"""`bicubic`: Pillow's, antialiased, as CLIP models are trained with. `area`: shrinking averages
areas, enlarging is bilinear; many times as fast, for models that were trained on it."""

RESIZES: Final[tuple[Resize, ...]] = get_args(Resize)

_BOX_FROM: Final = 3
"""Times by which a picture must shrink before boxes of pixels are averaged first. What is
left to the filter is 1.5 times or more; the result moves by 0.3 grey levels on average."""

_LINEAR_TO: Final = 1.25
"""Times by which bilinear interpolation may shrink: its two pixels still see nearly every one, and
it is four times as fast as averaging fractions of pixels."""


def resized(image: NDArray[np.uint8], width: int, height: int, method: Resize) -> NDArray[np.uint8]:
    """A picture at another size, not antialiased twice and never aliased.

    Args:
        image: uint8 (H, W, 3); returned itself if it has that size already.
        width: Pixels, at least 1.
        height: Pixels, at least 1.
        method: See `Resize`.

    Returns:
        uint8 (height, width, 3).
    """
    if image.shape[:2] == (height, width):
        return image
    return _bicubic(image, width, height) if method == "bicubic" else _area(image, width, height)


def _bicubic(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    rows, columns = image.shape[:2]
    box = int(min(rows / height, columns / width) / (_BOX_FROM / 2))
    if box >= 2:
        # OpenCV averages boxes several times as fast as Pillow filters.
        image = _cv2_resized(image, round(columns / box), round(rows / box), cv2.INTER_AREA)
    return bicubic(image, width, height)


def _area(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    box = int(min(image.shape[0] / height, image.shape[1] / width))
    if box >= 2:
        # Whole boxes are averaged several times as fast as fractions of pixels. What is left over
        # at the far sides, less than a box, is less than a pixel of the result.
        rows, columns = (side // box for side in image.shape[:2])
        whole = image[: rows * box, : columns * box]
        image = _cv2_resized(whole, columns, rows, cv2.INTER_AREA)
    rows, columns = image.shape[:2]
    shrinks = max(rows / height, columns / width)
    if _LINEAR_TO < shrinks <= 2:
        # To twice the size, where two pixels see every one, and then in boxes again.
        image = _cv2_resized(image, 2 * width, 2 * height, cv2.INTER_LINEAR)
        return _cv2_resized(image, width, height, cv2.INTER_AREA)
    if shrinks > 2:
        # One axis may shrink while the other grows, and area averaging is for shrinking alone.
        image = _cv2_resized(image, min(width, columns), min(height, rows), cv2.INTER_AREA)
    if image.shape[:2] != (height, width):
        image = _cv2_resized(image, width, height, cv2.INTER_LINEAR)
    return image


def _cv2_resized(
    image: NDArray[np.uint8], width: int, height: int, interpolation: int
) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(image, (width, height), interpolation=interpolation), np.uint8)


class Normalising:
    """Lets a graph that takes normalised planes take tiles; an `EncoderSession` around another.

    Args:
        session: Takes float32 (N, 3, S, S).
        mean: Of pixels scaled to 0..1, in the order red, green, blue.
        std: Likewise.
    """

    def __init__(
        self,
        session: EncoderSession,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        self._session = session
        self.batch = session.batch
        # (x / 255 - mean) / std as one multiplication and one addition per channel.
        deviation = np.asarray(std, dtype=np.float64)
        self._scale = (1.0 / (255.0 * deviation)).astype(np.float32)[:, None, None]
        self._offset = (-np.asarray(mean) / deviation).astype(np.float32)[:, None, None]

    def encode(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Embeddings of tiles, uint8 (N, S, S, 3)."""
        planes = np.empty((len(batch), 3, *batch.shape[1:3]), dtype=np.float32)
        planes[...] = np.moveaxis(batch, 3, 1)
        planes *= self._scale
        planes += self._offset
        return self._session.encode(planes)

    def describe(self) -> dict[str, Any]:
        """See `EncoderSession.describe`."""
        return self._session.describe()

    @property
    def stream(self) -> SharedStream | None:
        """The other session's; see `stream_of`."""
        return stream_of(self._session)
