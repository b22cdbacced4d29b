"""How faithful a picture is where it counts: PSNR and SSIM inside boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.errors import UnsupportedError
from edge_daemon.study.tasks.task import Box, Pixels

PSNR_CAP_DB: Final = 60.0
"""PSNR of identical pixels too. No eye sees beyond it, and no question may outweigh the others."""
_RADIUS: Final = 5
"""Of SSIM's window, 11 x 11 pixels."""


class Fidelity:
    """Compares pictures with their source inside some boxes, all boxes together.

    Args:
        source: The original.
        boxes: At least one, of at least 11 pixels a side; what several share counts once.

    Raises:
        UnsupportedError: scikit-image is not installed.
    """

    def __init__(self, source: Pixels, boxes: Sequence[Box]) -> None:
        self._ssim = structural_similarity()
        self._source = source
        self._inside = np.zeros(source.shape[:2], np.bool_)
        for left, top, width, height in boxes:
            self._inside[top : top + height, left : left + width] = True
        rows, columns = (np.flatnonzero(self._inside.any(axis)) for axis in (1, 0))
        # SSIM next to a box's edge depends on what lies beyond it, within the window.
        self._around = tuple(
            slice(max(0, along[0] - _RADIUS), along[-1] + 1 + _RADIUS) for along in (rows, columns)
        )

    def psnr(self, picture: Pixels) -> float:
        """Peak signal-to-noise ratio over all channels in dB, at most `PSNR_CAP_DB`."""
        mask = self._inside.view(np.uint8)
        squares = cv2.norm(picture, self._source, cv2.NORM_L2SQR, mask)
        if squares == 0.0:
            return PSNR_CAP_DB
        samples = picture.shape[2] * np.count_nonzero(mask)
        return min(PSNR_CAP_DB, 10.0 * math.log10(255.0**2 * samples / squares))

    def ssim(self, picture: Pixels) -> float:
        """Mean structural similarity of luma, 0..1; negative similarity counts as none.

        As published: a Gaussian window of 11 x 11 pixels, sigma 1.5 (Wang et al., 2004). Windows
        are centred on the boxes' pixels and may reach beyond their edges.
        """
        _, values = self._ssim(
            _luma(self._source[self._around]),
            _luma(picture[self._around]),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
            full=True,
        )
        return max(0.0, float(values[self._inside[self._around]].mean()))


def structural_similarity() -> Any:
    """scikit-image's function of that name.

    Raises:
        UnsupportedError: It is not installed.
    """
    try:
        from skimage import metrics  # noqa: PLC0415
    except ImportError as missing:
        raise UnsupportedError(
            "structural similarity needs scikit-image, which is not installed",
            value=missing.name,
            remedy="install the extra: pip install 'edge-daemon[study]'",
        ) from missing
    untyped: Any = metrics
    return untyped.structural_similarity


def _luma(pixels: Pixels) -> NDArray[np.float32]:
    """Of 0..255. As bytes, scikit-image would convert it anew for each of its filters."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.float32)
