"""The stand-in for a GPU is held to the real modules, as far as those can be had here."""

from __future__ import annotations

import importlib
import importlib.util
import re
from typing import Any

import numpy as np
import pytest

from support.gpu_stand_in import CudaStandIn, Machine
from support.gpu_stand_in.cuda import CopyKind, Error
from support.gpu_stand_in.tensorrt_api import VERSIONS, described, table
from support.gpu_stand_in.tensorrt_module import make_module


def importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.skipif(not importable("tensorrt"), reason="tensorrt is not installed")
def test_the_table_is_the_real_modules() -> None:
    real: Any = importlib.import_module("tensorrt")
    if real.__version__ not in VERSIONS:
        pytest.skip(f"nobody has looked at TensorRT {real.__version__} yet")
    wanted = table(real.__version__)
    assert described(real, list(wanted)) == wanted


@pytest.mark.skipif(not importable("cuda.bindings"), reason="cuda.bindings is not installed")
def test_cudas_functions_take_what_the_real_ones_take() -> None:
    real: Any = importlib.import_module("cuda.bindings.runtime")
    for name in (name for name in dir(CudaStandIn) if name.startswith("cuda")):
        member: Any = getattr(CudaStandIn, name)
        if isinstance(member, int):
            assert int(getattr(real, name)) == member, name
        elif isinstance(member, type):
            theirs = {one: int(value) for one, value in getattr(real, name).__members__.items()}
            ours = {
                one: int(value) for one, value in CudaStandIn.__dict__[name].__members__.items()
            }
            assert ours.items() <= theirs.items(), name
        else:
            signature = re.match(rf"{name}\((.*)\)", getattr(real, name).__doc__)
            assert signature is not None, name
            theirs = [re.split(r"[ :]", part.split(":")[0].strip())[-1]
                      for part in signature[1].split(",")]  # fmt: skip
            ours = member.__code__.co_varnames[1 : member.__code__.co_argcount]
            assert list(ours) == theirs, name


@pytest.mark.parametrize("version", VERSIONS)
def test_arguments_are_held_against_the_real_signatures(version: str) -> None:
    trt: Any = make_module(Machine(version=version))

    class Logger(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

    builder = trt.Builder(Logger())
    with pytest.raises(TypeError, match="incompatible function arguments"):
        builder.create_network(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    config = builder.create_builder_config()
    with pytest.raises(TypeError, match="incompatible function arguments"):
        config.create_timing_cache("text")
    with pytest.raises(TypeError, match="incompatible function arguments"):
        config.set_timing_cache(config.create_timing_cache(b""))
    with pytest.raises(TypeError, match="incompatible function arguments"):
        trt.Builder(None)


def test_what_a_version_lacks_the_stand_in_lacks() -> None:
    older: Any = make_module(Machine(version="10.3.0"))
    newer: Any = make_module(Machine(version="11.4.0.106"))
    assert older.BuilderFlag.FP16
    assert older.NetworkDefinitionCreationFlag.EXPLICIT_BATCH
    for missing in ("BuilderFlag.FP16", "NetworkDefinitionCreationFlag.EXPLICIT_BATCH"):
        owner, name = missing.split(".")
        assert not hasattr(getattr(newer, owner), name)
        assert table("11.4.0.106")[missing] is None


def test_broken_rules_of_cuda_are_found() -> None:
    cuda = CudaStandIn()
    _, stream = cuda.cudaStreamCreateWithFlags(1)
    _, device = cuda.cudaMalloc(64)
    _, pinned = cuda.cudaHostAlloc(64, 0)
    assert isinstance(device, int)
    assert isinstance(pinned, int)
    with pytest.raises(AssertionError, match="memory is device, and has to be pinned"):
        cuda.cudaMemcpyAsync(device, device, 64, CopyKind.cudaMemcpyHostToDevice, stream)
    with pytest.raises(AssertionError, match="are in no allocation"):
        cuda.cudaMemcpyAsync(device, pinned, 65, CopyKind.cudaMemcpyHostToDevice, stream)
    cuda.bytes_at(pinned, 64, "pinned")[:] = 7
    cuda.cudaMemcpyAsync(device, pinned, 64, CopyKind.cudaMemcpyHostToDevice, stream)
    assert not np.any(cuda.bytes_at(device, 64, "device") == 7), "it ran before it was waited for"
    with pytest.raises(AssertionError, match="given back while work was queued"):
        cuda.cudaFree(device)


def test_waiting_cannot_be_captured() -> None:
    cuda = CudaStandIn()
    _, stream = cuda.cudaStreamCreateWithFlags(1)
    cuda.cudaStreamBeginCapture(stream, cuda.cudaStreamCaptureMode(1))
    assert cuda.cudaStreamSynchronize(stream) == (Error.cudaErrorStreamCaptureUnsupported,)
    assert cuda.cudaStreamEndCapture(stream) == (Error.cudaErrorStreamCaptureInvalidated, None)
