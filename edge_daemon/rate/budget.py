"""What a frame may take, what became of it, and the account of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from edge_daemon.errors import OverBudgetError, SettingsError, Verbatim
from edge_daemon.rate.path import Attempt
from edge_daemon.rate.search import Found, Tried

T = TypeVar("T")


@dataclass(frozen=True)
class Budget:
    """What a frame may take. With both limits the smaller one counts.

    Args:
        frame_bytes: Most bytes of this frame, at least 1; `None` for no such limit.
        kbps: The camera's rate in 1000 bits per second, above 0; `None` for no such limit.
        burst_s: Seconds of the rate that a camera may save up, above 0.

    Raises:
        SettingsError: A limit outside those bounds, or none at all.
    """

    frame_bytes: int | None = None
    kbps: float | None = None
    burst_s: float = 2.0

    def __post_init__(self) -> None:
        if self.frame_bytes is None and self.kbps is None:
            raise SettingsError(
                "a budget needs a limit", remedy="set budget_bytes, budget_kbps or both"
            )
        for name, value, least in (
            ("budget_bytes", self.frame_bytes, 1),
            ("budget_kbps", self.kbps, 1e-3),
            ("burst_s", self.burst_s, 1e-3),
        ):
            if value is not None and not least <= value <= 1e12:
                raise SettingsError(
                    f"{name} must be at least {least:g}",
                    value=value,
                    remedy=f"give a number of at least {least:g}, or leave it out",
                )


@dataclass(frozen=True)
class Fitted(Generic[T]):
    """A frame that fits its budget.

    Attributes:
        bitstream: At most `budget` bytes.
        extra: What `encode` returned beside it.
        attempt: How it was made.
        budget: Bytes that the frame could have taken.
        tried: Every encode, in order, with its bytes.
        ceiling: Whether it is the finest attempt allowed, so that no more could have been used.
    """

    bitstream: bytes
    extra: T
    attempt: Attempt
    budget: int
    tried: tuple[Tried, ...]
    ceiling: bool

    @property
    def encodes(self) -> int:
        """Number of encodes that it took, at least 1."""
        return len(self.tried)

    @property
    def share(self) -> float:
        """Share of the budget that is used, 0..1."""
        return len(self.bitstream) / self.budget


@dataclass(frozen=True)
class Counters:
    """A camera's account.

    Attributes:
        frames: All of them.
        within: Those that fitted; the others were refused with `OverBudgetError`.
        at_ceiling: Those that fitted in the best form allowed.
        encodes: Of all frames.
        shares: Sum of the used shares of the budget, of those that fitted below the ceiling.
    """

    frames: int = 0
    within: int = 0
    at_ceiling: int = 0
    encodes: int = 0
    shares: float = 0.0

    @property
    def mean_encodes(self) -> float:
        """Encodes per frame."""
        return self.encodes / max(1, self.frames)

    @property
    def mean_share(self) -> float | None:
        """Mean share used, where the budget was what limited the frame; `None` if it never was."""
        limited = self.within - self.at_ceiling
        return self.shares / limited if limited else None

    def plus(self, found: Found[T], fitted: Fitted[T] | None) -> Counters:
        """With one more frame."""
        limited = fitted is not None and not fitted.ceiling
        return Counters(
            self.frames + 1,
            self.within + (fitted is not None),
            self.at_ceiling + (fitted is not None and fitted.ceiling),
            self.encodes + len(found.tried),
            self.shares + (fitted.share if fitted is not None and limited else 0.0),
        )


def over_budget(least: int, limit: int, retry_after_s: float | None) -> OverBudgetError:
    """The error for a frame of which not even the smallest attempt, of `least` bytes, fits."""
    return OverBudgetError(
        "within the operator's bounds the frame does not fit its budget: "
        f"the smallest attempt takes {least} bytes, {least - limit} more than the {limit} allowed",
        value=Verbatim(f"{least} bytes"),
        remedy="raise the budget, or allow coarser quality, stronger smoothing or a smaller scale",
        retry_after_s=retry_after_s,
    )
