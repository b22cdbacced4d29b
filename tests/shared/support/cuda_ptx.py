"""Compiles the CUDA kernels (for colour) without a GPU and prints the PTX of each as JSON.

Where numba lacks the libraries to compile anything, it prints the reason instead, as "fault".

Run in a process of its own (`python -m support.cuda_ptx MAJOR MINOR`): numba asks the current
device what to compile its functions for, and is given an answer here.
"""

from __future__ import annotations

import importlib
import json
import sys
from types import SimpleNamespace
from typing import Any


def _nothing(_: Any) -> None: ...


def main(capability: tuple[int, int]) -> None:
    dispatcher: Any = importlib.import_module("numba.cuda.dispatcher")
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
    cuda: Any = importlib.import_module("numba.cuda")
    types: Any = importlib.import_module("numba").types
    try:
        cuda.compile_ptx(_nothing, types.void(types.int32), cc=capability)
    except Exception as error:
        json.dump({"fault": " ".join(str(error).split())}, sys.stdout)
        return
    pyramid: Any = importlib.import_module("kernels.cuda_pyramid")
    tile: Any = importlib.import_module("kernels.cuda_tile")

    def array(scalar: Any, axes: int) -> Any:
        return types.Array(scalar, axes, "C")

    picture, level, maps = array(types.uint8, 3), array(types.int16, 3), array(types.float32, 3)
    values, samples, number = array(types.float32, 1), array(types.int16, 1), types.int64
    axes, begins = types.UniTuple(types.float32, 4), types.UniTuple(number, 5)
    kernels: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "range": (pyramid.range_kernel(), (values, types.float32, values))
    }
    channels = 3
    for from_picture, below in ((True, picture), (False, level)):
        kernel = pyramid.reduce_kernel(channels, from_picture=from_picture)
        kernels[f"reduce, {from_picture=}"] = (kernel, (below, level, number, number))
    for coarse in (False, True):
        kernels[f"tile, {coarse=}"] = (
            tile.tile_kernel(channels, coarse=coarse),
            (picture, picture, maps, axes, samples, number, begins, number),
        )
    compiled = {
        name: cuda.compile_ptx(kernel.py_func, types.void(*signature), cc=capability)[0]
        for name, (kernel, signature) in kernels.items()
    }
    json.dump(compiled, sys.stdout)


if __name__ == "__main__":
    main((int(sys.argv[1]), int(sys.argv[2])))
