"""What asking a language model costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, cast

from edge_daemon.settings import ChatSettings

_BYTES_PER_TOKEN: Final = 4
"""Of English text, about; for what is not counted by the peer."""
_PER: Final = 1e6
_ROUNDING: Final = 1e-12


def tokens_of(text: str) -> int:
    """About as many tokens as a text has."""
    return math.ceil(len(text.encode("utf-8", "replace")) / _BYTES_PER_TOKEN)


@dataclass(frozen=True)
class Prices:
    """Of a million tokens each, in the unit of the settings."""

    read: float
    written: float

    @classmethod
    def of(cls, settings: ChatSettings) -> Prices:
        """Those that the settings name."""
        return cls(settings.price_in, settings.price_out)

    @property
    def free(self) -> bool:
        """Whether asking costs nothing."""
        return self.read == 0.0 and self.written == 0.0

    def cost(self, read: int, written: int) -> float:
        """Of so many tokens."""
        return (read * self.read + written * self.written) / _PER

    def affordable(self, read: int, most_written: int, budget: float | None) -> int:
        """Tokens that may be written within a budget after so many were read.

        Returns:
            At most `most_written`; 0 or less if not even reading is within the budget.
        """
        left = math.inf if budget is None else budget - self.cost(read, 0) + _ROUNDING
        if left < 0.0 or self.written == 0.0:
            return most_written if left >= 0.0 else 0
        return int(min(most_written, left * _PER / self.written))

    def charged(self, answer: dict[str, Any], read: int, content: str) -> float:
        """What an answer costs, by the tokens that it counts, or else by its length.

        Args:
            answer: The whole answer.
            read: Tokens that were sent, about.
            content: The text in it.
        """
        usage: Any = answer.get("usage")
        counts = cast("dict[str, Any]", usage) if isinstance(usage, dict) else {}
        return self.cost(
            _count(counts.get("prompt_tokens"), read),
            _count(counts.get("completion_tokens"), tokens_of(content)),
        )


def _count(value: Any, otherwise: int) -> int:
    sound = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
    return value if sound else otherwise
