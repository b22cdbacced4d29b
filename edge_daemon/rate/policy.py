"""The operator's word on what may be given up for bytes, in which order and how far."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from edge_daemon.codecs import Codec
from edge_daemon.errors import SettingsError
from edge_daemon.rate.scales import at_share, useful_range

Knob = Literal["quality", "smoothing", "scale", "semantic"]

KNOBS: Final[tuple[Knob, ...]] = ("quality", "smoothing", "scale", "semantic")
MOST_STRENGTH: Final = 64.0
LEAST_SCALE: Final = 1 / 64


@dataclass(frozen=True)
class Policy:
    """What may be given up, in order of preference, and how far.

    Args:
        order: The knobs that may be turned, each at most once. The first is turned to its bound
            before the second is touched. "semantic" (text instead of pixels) can only be last.
        worst_quality: The bound of the quality: by codec id in the codec's own unit, or for all
            codecs as a share of their scale, 0 (the scale's worst) to 1 (its best). A codec that
            a mapping leaves out keeps its worst useful quality.
        strongest: The bound of the smoothing: how many times as hard as usual, 1 to 64.
        least_scale: The bound of the scale: a share of width and height, 1/64 to 1.
        accept_share: The share of the budget with which a frame is content, 0.01 to 1.
        max_encodes: Most encodes for one frame, 2 to 32 (3 if "semantic" is in the order): the
            last ones are kept for the end of the path.

    Raises:
        SettingsError: A value outside those bounds.
    """

    order: tuple[Knob, ...] = ("quality", "smoothing", "scale")
    worst_quality: Mapping[str, int] | float | None = None
    strongest: float = 4.0
    least_scale: float = 0.25
    accept_share: float = 0.85
    max_encodes: int = 6

    def __post_init__(self) -> None:
        unknown = [knob for knob in self.order if knob not in KNOBS]
        if unknown or len(set(self.order)) != len(self.order):
            raise SettingsError(
                "the order of the rate controller names each knob at most once",
                value=list(self.order),
                remedy=f"use some of: {', '.join(KNOBS)}",
            )
        if "semantic" in self.order[:-1]:
            raise SettingsError(
                "nothing can follow 'semantic' in the order of the rate controller",
                value=list(self.order),
                remedy="put 'semantic' last, or leave it out",
            )
        self._check_within("strongest", self.strongest, 1.0, MOST_STRENGTH)
        self._check_within("least_scale", self.least_scale, LEAST_SCALE, 1.0)
        self._check_within("accept_share", self.accept_share, 0.01, 1.0)
        least = 3 if "semantic" in self.order else 2
        self._check_within("max_encodes", self.max_encodes, least, 32)
        if isinstance(self.worst_quality, int | float):
            self._check_within("worst_quality as a share", self.worst_quality, 0.0, 1.0)

    def worst_of(self, codec: type[Codec]) -> int:
        """The bound of a codec's quality, in its own unit.

        Raises:
            SettingsError: The mapping's value is outside the codec's scale.
        """
        if isinstance(self.worst_quality, int | float):
            return at_share(codec, self.worst_quality)
        worst = (self.worst_quality or {}).get(codec.codec_id)
        if worst is None:
            return useful_range(codec)[0]
        low, high = sorted(codec.qualities)
        self._check_within(f"worst_quality of {codec.codec_id}", worst, low, high)
        return worst

    @staticmethod
    def _check_within(name: str, value: float, low: float, high: float) -> None:
        if not (math.isfinite(value) and low <= value <= high):
            raise SettingsError(
                f"{name} must be within {low:g} to {high:g} for the rate controller",
                value=value,
                remedy=f"give a number from {low:g} to {high:g}",
            )
