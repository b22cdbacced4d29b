"""What the CUDA kernels are written in: numba's dialect of Python, and the habits it calls for.

- numba computes a mixture of float32 with an integer, or with a Python float, in float64, which
  most GPUs have at 1/32 or 1/64 of the float32 rate. Hence the many `F32(...)`.
- `a[i]` with an `i` that may be negative counts from the end, as in Python; that costs a comparison
  and a selection for each access. An index that was made with `U32(...)` cannot be negative.
- The sum of two unsigned numbers is a uint64, and a uint64 with an int64 makes, again, a float64.
  So `U32(...)` comes last, when an index is complete.
- A division by a number that the compiler knows becomes a multiplication, and is shorter for
  unsigned numbers. Hence `U32(task) // samples`.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

cuda: Any = importlib.import_module("numba.cuda")
config: Any = importlib.import_module("numba").config

F32: Any = np.float32
I16: Any = np.int16
I32: Any = np.int32
U8: Any = np.uint8
U32: Any = np.uint32
WARP = 32  # threads that run in step

SIMULATED: bool = bool(config.ENABLE_CUDASIM)
"""Whether numba simulates the GPU; decided by the environment when it is imported."""


def device(function: Any) -> Any:
    """A function for kernels to call; one of another module than theirs must not mention `cuda`.

    Simulated, it stays plain Python: the simulator would spend most of its time on such calls, by
    exchanging the module `cuda` in the function's module before and after each.
    """
    return function if SIMULATED else cuda.jit(device=True)(function)


def kernel(function: Any, *, registers: int | None = None) -> Any:
    """A function for the host to launch; compiled for its arguments' types when it first is.

    `registers` is what a thread may use, lest too few blocks fit on a processor at once.
    """
    limits = {} if SIMULATED or registers is None else {"max_registers": registers}
    return cuda.jit(**limits)(function)
