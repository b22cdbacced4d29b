"""The search along one frame's path: few encodes, never above the budget, always an end.

Each encode is chosen for what it is worth: the share of the budget that it can be expected to use
if it fits, less the price of the encode that follows if it does not, or if it leaves too much
unused. Known attempts bracket the next one, so every encode narrows the path; bytes that do not
fall evenly cost encodes, but nothing else, because only what was encoded and fits is returned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_daemon.errors import DeadlineError
from edge_daemon.rate.model import FrameModel
from edge_daemon.rate.path import Attempt, Path
from edge_daemon.rate.policy import Policy

_PRICE: Final = 0.10
"""What one more encode costs, as a share of the bytes that it ends with."""
_TYPICAL_SHARE: Final = 0.93
"""What a search ends with."""
_CAREFUL: Final = {2: NormalDist().inv_cdf(0.95), 3: NormalDist().inv_cdf(0.8)}
"""By the encodes that are left while nothing fits: standard deviations to keep below the budget.
The last one is kept for the end of the path."""
_SURE: Final = NormalDist().inv_cdf(0.9)
"""Standard deviations below the budget with which the finest attempt left is worth trying first."""
_QUANTILES: Final = np.array([NormalDist().inv_cdf((n + 0.5) / 16) for n in range(16)])

T = TypeVar("T")
Encode = Callable[[Attempt], tuple[bytes, T]]


@dataclass(frozen=True)
class Tried:
    """One encode.

    Attributes:
        attempt: What was asked of the encoder.
        size: What it took, in bytes.
    """

    attempt: Attempt
    size: int


@dataclass(frozen=True)
class Found(Generic[T]):
    """What a search ended with.

    Attributes:
        best: The largest bitstream that fits and what else `encode` returned with it; `None` if
            nothing fits.
        attempt: That of `best`.
        tried: Every encode, in order; never empty.
        ceiling: Whether `best` is the finest attempt of the path, so that no more bytes could have
            been used.
    """

    best: tuple[bytes, T] | None
    attempt: Attempt | None
    tried: tuple[Tried, ...]
    ceiling: bool


def search(
    path: Path,
    model: FrameModel,
    budget: int,
    encode: Encode[T],
    policy: Policy,
    stretch: Callable[[int], bool] | None = None,
) -> Found[T]:
    """Look for the finest attempt that fits.

    Args:
        path: From finest to coarsest.
        model: Of this frame; learns every encode.
        budget: Most bytes.
        encode: Makes an attempt: the bitstream, and anything else. Its errors pass through, but a
            `DeadlineError` after something has fitted only ends the search.
        policy: `accept_share` and `max_encodes`.
        stretch: Asked whether so many bytes may be taken after all, when not even the end of the
            path fits, before the semantic attempt.
    """
    bracket = _Bracket(path, model, budget, policy)
    tried: list[Tried] = []
    best: tuple[bytes, T] | None = None
    at: int | None = None
    while (index := bracket.next()) is not None:
        try:
            made = encode(path.attempts[index])
        except DeadlineError:
            if best is None:
                raise
            break
        size = len(made[0])
        tried.append(Tried(path.attempts[index], size))
        bracket.record(index, size)
        fits = size <= budget
        if not fits and bracket.exhausted and stretch is not None:
            fits = stretch(size)
        if fits and (best is None or size > len(best[0])):
            best, at = made, index
    attempt = None if at is None else path.attempts[at]
    if best is None and path.semantic is not None:
        last = replace(path.semantic, room=budget)
        made = encode(last)
        tried.append(Tried(last, len(made[0])))
        if len(made[0]) <= budget:
            best, attempt = made, last
    return Found(best, attempt, tuple(tried), ceiling=at == 0)


class _Bracket:
    """Where on the path the next encode should be, given those so far."""

    def __init__(self, path: Path, model: FrameModel, budget: int, policy: Policy) -> None:
        self._model, self._budget = model, budget
        self._accept = policy.accept_share
        self._left = policy.max_encodes - (path.semantic is not None)
        self._end = len(path) - 1
        self._finest, self._coarsest = 0, self._end
        """What may still be tried."""
        self._fits = False
        self._share = 0.0
        """Of the best that fits."""
        self.exhausted = False
        """Whether the end of the path was tried and does not fit."""

    def record(self, index: int, size: int) -> None:
        """An attempt took `size` bytes."""
        self._left -= 1
        self._model.observe(index, size)
        if size <= self._budget:
            self._fits = True
            self._share = max(self._share, size / max(1, self._budget))
            self._coarsest = index - 1
        else:
            self._finest = index + 1
            self.exhausted |= index == self._end

    def next(self) -> int | None:
        """Index of the attempt to make; `None` if the search is over."""
        if self._left == 0 or self._finest > self._coarsest or self._share >= self._accept:
            return None
        if not self._fits and self._left == 1:
            return self._end
        candidates = np.arange(self._finest, self._coarsest + 1)
        means, spreads = self._model.predict()
        excess = means - self._model.logarithm(self._budget)
        if not self._fits:
            if excess[self._end] > 0:
                return self._end  # most likely nothing fits: the end is what settles it
            if self._left in _CAREFUL:
                fits = excess + _CAREFUL[self._left] * spreads <= 0
                fits[self._end] = True
                candidates = candidates[fits[candidates]]
        finest = candidates[0]
        if not self._fits and excess[finest] + _SURE * spreads[finest] <= 0:
            return int(finest)
        worth = self._worth(excess[candidates], spreads[candidates])
        most = int(np.argmax(worth))
        if self._fits and worth[most] * (1 - _PRICE) <= self._share:
            return None
        return int(candidates[most])

    def _worth(
        self, excess: NDArray[np.float64], spreads: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The share that the search can be expected to end with, by what is encoded next.

        Args:
            excess: Expected octaves above the budget.
            spreads: Their standard deviations.
        """
        shares = np.exp2(excess[:, None] + spreads[:, None] * _QUANTILES)
        # On a path of coarse steps the best that fits may be far below the budget.
        fitting = np.where(excess <= 0, excess, -np.inf).max()
        reach = min(_TYPICAL_SHARE, float(np.exp2(fitting)))
        otherwise = self._share if self._left == 1 else max(self._share, reach * (1 - _PRICE))
        content = (shares >= self._accept) & (shares <= 1)
        below = np.where(shares > 1, otherwise, np.maximum(shares, otherwise))
        return np.where(content, shares, below).mean(axis=1)
