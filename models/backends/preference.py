"""Which backends come into question for a precision, and in which order, with the reasons.

A GPU comes before a CPU: it is an order of magnitude faster with any of these encoders, and leaves
the cores to codecs. Among GPUs, TensorRT comes first: it compiles for the very device.

Among CPU backends the figures are ours, processor time per tile on two cores of an AMD Zen 3 (AVX2,
no VNNI), ONNX Runtime 1.32 against OpenVINO 2026.4:

| graph | ONNX Runtime | OpenVINO |
|---|---|---|
| nano-icons, fp32 | 2.7 ms | 2.8 ms |
| ViT-39M/16, fp32 | 245 ms | 230 ms |
| ViT-39M/16, fp16 | 257 ms | 235 ms |
| nano-icons, int8 | 2.6 ms | 1.9 ms |
| ViT-39M/16, int8 | 170 ms | 270 ms |
| ViT-39M/16, int8-dynamic | 150 ms | 335 ms |

OpenVINO costs half a second and more at every start, so it must be clearly faster to be considered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_CPU_FACTS: Final = Path("/proc/cpuinfo")

_NO_FASTER: Final = "no faster than ONNX Runtime on a CPU with this precision"
_NO_VNNI: Final = (
    "without VNNI instructions, which this CPU lacks, its int8 is slower than ONNX Runtime's"
)
_DYNAMIC: Final = "int8-dynamic is for ONNX Runtime on the CPU alone; export int8 or fp16 for this"


@dataclass(frozen=True)
class Preference:
    """The backends for a precision.

    Attributes:
        order: Their names, the best first; "cpu", which always serves, is the last.
        set_aside: Why the others do not come into question, by name.
    """

    order: tuple[str, ...]
    set_aside: Mapping[str, str] = field(default_factory=dict[str, str])


def preference(precision: str) -> Preference:
    """The backends for a bundle of this precision on this machine.

    Args:
        precision: As in the manifest. "int8" is quantised with fixed scales (nodes that quantise
            and dequantise), "int8-dynamic" with scales found while running.
    """
    if precision == "int8-dynamic":
        others = ("tensorrt", "cuda", "openvino")
        return Preference(("cpu",), dict.fromkeys(others, _DYNAMIC))
    if precision == "int8" and _has_vnni():
        return Preference(("tensorrt", "cuda", "openvino", "cpu"))
    reason = _NO_VNNI if precision == "int8" else _NO_FASTER
    return Preference(("tensorrt", "cuda", "cpu"), {"openvino": reason})


def _has_vnni() -> bool:
    """Whether the CPU has instructions for dot products of 8 bits, as Linux lists them on x86."""
    try:
        facts = _CPU_FACTS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return not {"avx512_vnni", "avx_vnni"}.isdisjoint(facts.split())
