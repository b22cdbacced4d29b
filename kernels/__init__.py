"""Pixels in, pixels out: the spatially varying Gaussian and its backends."""

from kernels.coarse import AxisMap, CoarseSigma
from kernels.definition import KEEP_SIGMA, MAX_SIGMA
from kernels.errors import KernelError
from kernels.gather import scratch_bytes
from kernels.gaussian import backends, varying_gaussian

__all__ = [
    "KEEP_SIGMA",
    "MAX_SIGMA",
    "AxisMap",
    "CoarseSigma",
    "KernelError",
    "backends",
    "scratch_bytes",
    "varying_gaussian",
]
