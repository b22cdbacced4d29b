"""The two functions between an MLP's layers; which one, no tensor tells."""

from __future__ import annotations

from typing import Literal

Activation = Literal["gelu", "quick_gelu"]
"""The exact GELU, or OpenAI's approximation x * sigmoid(1.702 x)."""
