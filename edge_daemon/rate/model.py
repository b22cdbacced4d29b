"""How many bytes an attempt will take: learned per camera, certain of how uncertain it is.

The usual bytes of the codec (`edge_daemon.rate.scales`) are corrected by four numbers in octaves:
an offset, and one slope each for the quantiser's step, the strength and the scale. A camera has its
corrections, which drift. A frame deviates from them by an offset of its own, and its curve strays
from the camera's the more, the farther it is from the first attempt. All of it is Gaussian and
learned together from every encode: the first encode of a frame settles its offset, the second its
slope, as a secant would, and the camera learns from both. How much frames deviate is learned too:
little in a video, more among unrelated pictures.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.rate.detail import Detail
from edge_daemon.rate.path import Path
from edge_daemon.rate.scales import Usual

Numbers = NDArray[np.float64]

_STRENGTH: Final = (-0.12, 0.15)
"""Octaves of bytes per octave of strength, and by how much that may be off for a camera."""
_SCALE: Final = (1.75, 0.2)
"""Octaves of bytes per octave of scale: 1.7 to 2.0 for JPEG and HEVC at their worst quality."""

_DEVIATION: Final = 0.12
"""Octaves by which unrelated frames differ, before it is learned; standard deviation."""
_LEAST_DEVIATION: Final = 0.01
_SLOPES: Final = np.array([0.04, 0.1, 0.15])
"""By how much a frame's slopes differ from its camera's; standard deviations."""
_BEND: Final = 0.075
"""Octaves by which the curve strays besides, one octave away from a known point; the variance
grows with the distance. For JPEG and HEVC 0.05 at half an octave, 0.07 at one, 0.1 at two."""
_NOISE: Final = 0.015
"""Octaves by which bytes are off any curve."""
_WILDEST: Final = 4.0
"""Most variance that a frame's slopes and bends can come to have."""
_DRIFT: Final = np.array([0.25, 0.02, 0.02, 0.02])
"""Of the frames' variance, what is added to that of the camera's corrections with every frame: half
of an offset is forgotten in about two frames."""
_NEWEST: Final = 1 / 8
"""Weight of a frame in what is learned of the deviation."""
_SURPRISE: Final = 3.0
"""Standard deviations beyond which a frame is odd: an exception the first time, and news of its
camera if the frame before was odd too."""
_ACQUAINTED: Final = 3
"""Frames that a camera is known by before there are exceptions."""

_OWN: Final = 4
"""Index of the frame's own offset, behind the camera's corrections."""


class BytesModel:
    """What is known of one camera's frames under one codec. Not safe for several threads.

    Args:
        usual: What is expected before anything is learned.
        middle: Coarseness about which the slope turns: amid the useful qualities.
    """

    def __init__(self, usual: Usual, middle: float) -> None:
        self._usual = usual
        self._middle = middle
        self._mean: Numbers = np.array([0.0, 0.0, _STRENGTH[0], _SCALE[0]])
        spread = np.array([usual.offset_sd, usual.slope_sd, _STRENGTH[1], _SCALE[1]])
        self._widest: Numbers = spread**2
        self._covariance: Numbers = np.diag(self._widest)
        self._deviation = _DEVIATION**2
        self._frames = 0
        self._odd = False

    def of_frame(self, detail: Detail, path: Path) -> FrameModel:
        """What is expected of one frame; its own affair until `learn`."""
        mean = np.append(self._mean, 0.0)
        covariance: Numbers = np.zeros((_OWN + 1, _OWN + 1))
        covariance[:_OWN, :_OWN] = self._covariance
        covariance[_OWN, _OWN] = self._deviation
        turns = [np.ones(len(path)), path.coarseness - self._middle]
        terms: Numbers = np.stack([*turns, path.log_strength, path.log_scale, turns[0]], axis=1)
        return FrameModel(
            self._usual,
            detail.pixels,
            self._usual.log_bytes(detail, path.coarseness) + terms @ mean,
            terms,
            mean,
            covariance,
            acquainted=self._frames >= _ACQUAINTED and not self._odd,
        )

    def learn(self, frame: FrameModel) -> None:
        """Take over what a frame's encodes have shown; nothing if there were none."""
        if frame.encodes == 0:
            return
        mean, covariance = frame.learned()
        found = min(float(mean[_OWN]) ** 2, 9 * self._deviation) + float(covariance[_OWN, _OWN])
        learned = self._deviation + _NEWEST * (found - self._deviation)
        self._deviation = max(learned, _LEAST_DEVIATION**2)
        self._mean = mean[:_OWN]
        drifted = covariance[:_OWN, :_OWN] + np.diag(_DRIFT * self._deviation)
        # What is never observed does not become less certain than it was at first.
        narrowed = np.sqrt(np.minimum(1.0, self._widest / np.diag(drifted)))
        self._covariance = drifted * np.outer(narrowed, narrowed)
        self._frames += 1
        self._odd = frame.odd


class FrameModel:
    """Predictions along one frame's path, better with each of its encodes.

    Args:
        usual: The codec's.
        pixels: Number of the frame's.
        expected: float64 (attempts,), mean of `logarithm(bytes)` before any encode.
        terms: float64 (attempts, 5): what each correction is multiplied by.
        mean: float64 (5,): the camera's corrections, and the frame's own offset.
        covariance: float64 (5, 5).
        acquainted: Whether the camera is known, so that a surprise is the frame's own.
    """

    def __init__(
        self,
        usual: Usual,
        pixels: int,
        expected: Numbers,
        terms: Numbers,
        mean: Numbers,
        covariance: Numbers,
        *,
        acquainted: bool,
    ) -> None:
        self._usual, self._pixels = usual, pixels
        self._expected, self._terms = expected, terms
        self._mean, self._covariance = mean, covariance
        self._slopes: Numbers = _SLOPES**2
        self._bend = _BEND**2
        self._acquainted = acquainted
        self._tried: list[int] = []
        self._errors: list[float] = []
        """Octaves by which the tried attempts are off what was expected."""
        self.odd = False
        """Whether the first encode was a surprise."""

    @property
    def encodes(self) -> int:
        """Number of encodes so far."""
        return len(self._tried)

    def predict(self) -> tuple[Numbers, Numbers]:
        """Mean and standard deviation of `logarithm(bytes)` at each attempt of the path.

        The means never rise along it.
        """
        means = self._expected
        variances = np.sum((self._terms @ self._covariance) * self._terms, axis=1)
        if self._tried:
            every = list(range(len(means)))
            across = self._between(every, self._tried)
            solved = self._solved(across)
            means = means + np.asarray(self._errors) @ solved
            strayed = np.diag(self._straying(every, every))
            variances = variances + strayed - np.sum(np.transpose(across) * solved, axis=0)
        return np.minimum.accumulate(means), np.sqrt(np.maximum(variances, 0.0) + _NOISE**2)

    def logarithm(self, size: float) -> float:
        """log2 of the bytes per pixel beyond the codec's overhead; at least 1/16 byte in all."""
        return float(np.log2(max(size - self._usual.overhead, 1 / 16) / self._pixels))

    def observe(self, index: int, size: int) -> None:
        """Learn that the attempt at `index` of the path took `size` bytes."""
        means, spreads = self.predict()
        found = self.logarithm(size)
        surprise, variance = (found - float(means[index])) ** 2, float(spreads[index]) ** 2
        self._tried.append(index)
        self._errors.append(found - float(self._expected[index]))
        self._doubt(surprise, variance)

    def learned(self) -> tuple[Numbers, Numbers]:
        """Mean (5,) and covariance (5, 5) of corrections and offset, after the encodes."""
        across = self._covariance @ np.transpose(self._terms[self._tried])
        solved = self._solved(across)
        covariance = self._covariance - across @ solved
        mean = self._mean + np.asarray(self._errors) @ solved
        return mean, (covariance + np.transpose(covariance)) / 2

    def _solved(self, across: Numbers) -> Numbers:
        """Weights (encodes, n) of the encodes for n numbers of given covariance with them."""
        known = self._between(self._tried, self._tried) + _NOISE**2 * np.eye(len(self._tried))
        return np.asarray(np.linalg.solve(known, np.transpose(across)), np.float64)

    def _between(self, one: list[int], other: list[int]) -> Numbers:
        """(one, other): covariance of attempts, without the noise."""
        corrected = self._terms[one] @ self._covariance @ np.transpose(self._terms[other])
        return corrected + self._straying(one, other)

    def _straying(self, one: list[int], other: list[int]) -> Numbers:
        """(one, other): covariance of how the curve strays, which starts at the first attempt."""
        first = self._tried[0]
        slopes = self._terms[:, 1:_OWN] - self._terms[first, 1:_OWN]
        rise = self._expected - self._expected[first]
        a, b = rise[one][:, None], rise[other][None, :]
        bends = self._bend * (np.abs(a) + np.abs(b) - np.abs(a - b)) / 2
        return (slopes[one] * self._slopes) @ np.transpose(slopes[other]) + bends

    def _doubt(self, surprise: float, variance: float) -> None:
        """Widen what did not foresee the latest encode.

        Args:
            surprise: Octaves squared.
            variance: What was expected of it.
        """
        oddity = max(1.0, surprise / variance)
        if self.encodes > 1:
            self._bend = min(self._bend * oddity, _WILDEST)
            steps = self._terms[self._tried[-1], 1:_OWN] - self._terms[self._tried[0], 1:_OWN]
            distance = float(steps @ steps)
            if distance > 0:
                unforeseen = max(0.0, surprise - variance)
                slopes = self._slopes + unforeseen * (steps / distance) ** 2
                self._slopes = np.minimum(slopes, _WILDEST)
            return
        # An odd frame is odd in its slopes as well.
        self._slopes = np.minimum(self._slopes * oddity, _WILDEST)
        self.odd = surprise > _SURPRISE**2 * variance
        if self.odd:
            blamed = _OWN if self._acquainted else 0
            self._covariance[blamed, blamed] += surprise
