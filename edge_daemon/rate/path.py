"""The one path along which a frame gives way: from its best form to the operator's bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.codecs import Codec
from edge_daemon.rate.policy import Policy
from edge_daemon.rate.scales import useful_range

_STRENGTHS_PER_OCTAVE: Final = 4
_SCALES_PER_OCTAVE: Final = 8
"""Bytes fall with about the square of the scale: a step of an eighth octave costs a sixth."""


@dataclass(frozen=True)
class Attempt:
    """One way to encode a frame.

    Attributes:
        quality: In the codec's own unit.
        strength: Multiplies how hard irrelevant parts are treated; at least 1.
        scale: Share of width and height, above 0 to 1.
        semantic: Text instead of pixels; quality, strength and scale then mean nothing.
        room: Of a semantic attempt: bytes that it may take; `None` for no bound.
    """

    quality: int
    strength: float = 1.0
    scale: float = 1.0
    semantic: bool = False
    room: int | None = None


@dataclass(frozen=True, eq=False)
class Path:
    """Attempts from finest to coarsest; bytes fall along it, as a rule.

    Attributes:
        attempts: At least one, none of them semantic.
        semantic: The last resort behind them, if there is one.
        coarseness: float64 (attempts,), of the codec at each.
        log_strength: float64 (attempts,), octaves.
        log_scale: float64 (attempts,), octaves, at most 0.
    """

    attempts: tuple[Attempt, ...]
    semantic: Attempt | None
    coarseness: NDArray[np.float64]
    log_strength: NDArray[np.float64]
    log_scale: NDArray[np.float64]

    def __len__(self) -> int:
        """Number of attempts, without the semantic one."""
        return len(self.attempts)


def path_of(codec: Codec, policy: Policy, ceiling: int | None = None) -> Path:
    """The path of a codec under a policy.

    Args:
        codec: Its options other than the quality hold for the whole path.
        policy: Order and bounds.
        ceiling: The best quality that may be used, in the codec's own unit; `None` for the best
            useful one. A ceiling worse than the policy's bound is the only quality of the path.

    Raises:
        BadQualityError: The ceiling is outside the codec's scale.
        SettingsError: The policy's bound is outside the codec's scale.
    """
    worst = policy.worst_of(type(codec))
    start = ceiling
    if start is None:
        # Where the quality is not to be moved, it is the codec's own.
        moves = "quality" in policy.order
        start = useful_range(type(codec))[1] if moves else _quality_of(codec)
    return _path(codec, start, worst, policy.order, policy.strongest, policy.least_scale)


@lru_cache(maxsize=256)
def _path(
    codec: Codec,
    start: int,
    worst: int,
    order: tuple[str, ...],
    strongest: float,
    least_scale: float,
) -> Path:
    step = 1 if codec.qualities[1] < codec.qualities[0] else -1
    qualities = list(range(start, worst + step, step)) or [start]
    attempts = [Attempt(start)]
    for knob in order:
        at = attempts[-1]
        if knob == "quality":
            turned = [Attempt(one, at.strength, at.scale) for one in qualities[1:]]
        elif knob == "smoothing":
            strengths = _geometric(strongest, _STRENGTHS_PER_OCTAVE)
            turned = [Attempt(at.quality, one, at.scale) for one in strengths]
        elif knob == "scale":
            scales = _geometric(least_scale, _SCALES_PER_OCTAVE)
            turned = [Attempt(at.quality, at.strength, one) for one in scales]
        else:
            turned = []
        attempts += turned
    config = codec.get_config()
    coarseness = {
        one: type(codec).from_config({**config, "quality": one}).coarseness
        for one in {attempt.quality for attempt in attempts}
    }
    last = attempts[-1]
    return Path(
        tuple(attempts),
        Attempt(last.quality, last.strength, last.scale, semantic=True)
        if "semantic" in order
        else None,
        np.array([coarseness[one.quality] for one in attempts]),
        np.log2([one.strength for one in attempts]),
        np.log2([one.scale for one in attempts]),
    )


def _geometric(bound: float, per_octave: int) -> list[float]:
    """From 1 (exclusive) to the bound (inclusive), evenly spaced in octaves."""
    octaves = math.log2(bound)
    steps = max(int(bound != 1), math.ceil(abs(octaves) * per_octave - 1e-9))
    return [*(2 ** (octaves * n / steps) for n in range(1, steps)), bound][:steps]


def _quality_of(codec: Codec) -> int:
    return int(codec.get_config()["quality"])
