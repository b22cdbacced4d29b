"""What every CLIP checkpoint has in common, whichever loader reads it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from torch import nn

from models.manifest import Recommended

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)

RECOMMENDED = Recommended(lambda_=50.0, sigma_min=0.5, sigma_max=10.0)
"""The released defaults for TinyCLIP ViT-39M/16 Text-19M."""

UNKNOWN_LICENCE = "unknown; ask the publisher of the checkpoint"


def default_name(stem: str) -> str:
    """A bundle's name made of a file's or directory's: letters, digits, `.`, `_`, `-`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("._-") or "clip"


def millions(tower: nn.Module, *, less: int = 0) -> int:
    """Parameters of a tower in millions, as models are named; `less` of them are not counted."""
    return round((sum(weight.numel() for weight in tower.parameters()) - less) / 1e6)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
