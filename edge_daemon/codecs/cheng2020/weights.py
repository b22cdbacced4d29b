"""Which trained model a configuration means, and which file holds it.

CompressAI publishes one file per model, metric and quality, and files are known by the names under
which it does: `cheng2020-anchor-3-e49be189.pth.tar`, `cheng2020_attn-ms-ssim-1-c5381d91.pth.tar`.
What follows the quality is free, so is "-" or "_", a missing metric means mse, and the file may be
`.pth.tar`, `.pth`, `.pt` or `.safetensors`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MODELS: Final = ("anchor", "attention")
METRICS: Final = ("mse", "ms-ssim")
QUALITIES: Final = (1, 6)

_NAME = re.compile(
    r"cheng2020[-_](?P<model>anchor|attn|attention)"
    r"(?:[-_](?P<metric>mse|ms[-_]ssim))?"
    r"[-_](?P<quality>[1-6])"
    r"(?:[-_.][^/]*)?(?P<suffix>\.pth\.tar|\.pth|\.pt|\.safetensors)"
)


@dataclass(frozen=True, order=True)
class Variant:
    """One of CompressAI's trained models.

    Args:
        model: One of `MODELS`.
        metric: What it was trained for, one of `METRICS`.
        quality: 1 (smallest) to 6 (best).
    """

    model: str
    metric: str
    quality: int

    @property
    def channels(self) -> int:
        """Channels of the latents: 128 up to quality 3, 192 above."""
        return 128 if self.quality <= 3 else 192

    @property
    def file_name(self) -> str:
        """How a file of these weights may be called."""
        model = "attn" if self.model == "attention" else self.model
        return f"cheng2020-{model}-{self.metric}-{self.quality}.pth.tar"


def weights_files(weights: Path | None) -> dict[Variant, Path]:
    """The files that a file or directory of weights offers.

    Args:
        weights: A file, a directory of files, or None. Files with other names are passed over. Of
            two for the same variant the safetensors file is taken, else the first by name.

    Returns:
        Absolute paths; empty if there is nothing, or nothing readable.
    """
    if weights is None:
        return {}
    try:
        files = sorted(weights.iterdir()) if weights.is_dir() else [weights]
        files = [file.absolute() for file in files if file.is_file()]
    except OSError:
        return {}
    found: dict[Variant, Path] = {}
    for file in sorted(files, key=lambda file: file.suffix != ".safetensors"):
        name = _NAME.fullmatch(file.name)
        if name is not None:
            model = "anchor" if name["model"] == "anchor" else "attention"
            metric = (name["metric"] or "mse").replace("_", "-")
            found.setdefault(Variant(model, metric, int(name["quality"])), file)
    return found
