"""A model's weights: read from a file or made up, and named by a digest."""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cheng2020_protocol import RequestError

# Of an untrained model's weights: large where latents are made, which would be all zero otherwise,
# small in the synthesis, whose pixels would be all black or white otherwise.
_UNTRAINED_GAIN, _UNTRAINED_SYNTHESIS_GAIN = 4, 1.5


def stamp_of(weights: Path) -> tuple[int, int]:
    """What changes when a file is replaced: its time of change in nanoseconds and its size."""
    try:
        facts = weights.stat()
    except OSError as error:
        raise RequestError("weights", f"cannot read {weights}: {error}") from error
    return facts.st_mtime_ns, facts.st_size


def read_tensors(
    weights: Path, rename: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """The tensors of a file, by the names that `rename` gives to those of an earlier CompressAI."""
    torch: Any = importlib.import_module("torch")
    try:
        if weights.suffix == ".safetensors":
            safetensors: Any = importlib.import_module("safetensors.torch")
            state = safetensors.load_file(weights)
        else:
            # weights_only: a pickle from elsewhere must not run code
            state = torch.load(weights, map_location="cpu", weights_only=True)
        state = state.get("state_dict", state)
        state = rename(state)
        found = {type(value).__name__ for value in state.values()}
    except Exception as error:  # unpickling, parsing, reading: each has its own types
        text = re.sub(r"\s+", " ", str(error))[:300]
        raise RequestError("weights", f"{weights} is no file of weights: {text}") from error
    if not found <= {"Tensor", "Parameter"}:
        raise RequestError("weights", f"{weights} holds more than tensors: {sorted(found)}")
    return state


def digest_of(state: dict[str, Any]) -> str:
    """SHA-256, its first 8 bytes, of names, types, shapes and bytes in the order of names.

    Of the weights once loaded, not of their file: in another container, or under the names of an
    earlier CompressAI, they are the same.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name].detach().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()[:16]


def fill_untrained(net: Any, seed: int) -> None:
    """Weights that are the same on every machine: multiples of a power of two from integers."""
    numpy: Any = importlib.import_module("numpy")
    torch: Any = importlib.import_module("torch")
    rng = numpy.random.default_rng(seed)
    for name, parameter in sorted(net.named_parameters()):
        shape = tuple(parameter.shape)
        if name.startswith("entropy_bottleneck"):
            if ".biases." in name:
                steps = rng.integers(-128, 129, shape)
                parameter.copy_(torch.from_numpy(steps / 256))
            continue
        gain = _UNTRAINED_SYNTHESIS_GAIN if name.startswith("g_s") else _UNTRAINED_GAIN
        fan_in = int(numpy.prod(shape[1:])) if len(shape) > 1 else 1024
        scale = 2.0 ** -round(numpy.log2(fan_in) / 2)
        steps = rng.integers(-256, 257, shape) * (gain * scale / 512)
        parameter.copy_(torch.from_numpy(steps))
