"""Pixels in, pixels out: the spatially varying Gaussian and its backends."""

from kernels.coarse import AxisMap, CoarseSigma
from kernels.definition import KEEP_SIGMA, MAX_SIGMA
from kernels.errors import KernelError
from kernels.gaussian import backends, default_backend, varying_gaussian
from kernels.native import scratch_bytes

__all__ = [
    "KEEP_SIGMA",
    "MAX_SIGMA",
    "AxisMap",
    "CoarseSigma",
    "KernelError",
    "backends",
    "default_backend",
    "scratch_bytes",
    "varying_gaussian",
]
