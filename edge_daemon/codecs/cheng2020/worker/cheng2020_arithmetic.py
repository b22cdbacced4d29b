"""Arithmetic that two machines repeat to the last bit, where the entropy coder depends on it."""

from __future__ import annotations

import importlib
from typing import Any


def make_exact(net: Any) -> None:
    """Double precision for all that the entropy coder depends on.

    Two machines round sums differently, and a difference that makes one symbol's table another
    spoils the picture. In single precision that is common between unlike processors; in double
    precision it is some hundred million times rarer. Only the transforms between pixels and
    latents, which nobody has to repeat to the last bit, stay in single precision.
    """
    net.h_a.double()
    net.h_s.double()
    net.entropy_bottleneck.double()
    net.context_prediction.double()
    net.entropy_parameters.double()

    def latents_to_double(_: object, _given: object, latents: Any) -> Any:
        return latents.double()

    def to_double(_: object, given: tuple[Any]) -> tuple[Any]:
        return (given[0].double(),)

    def to_single(_: object, given: tuple[Any]) -> tuple[Any]:
        return (given[0].float(),)

    net.g_a.register_forward_hook(latents_to_double)
    net.h_s.register_forward_pre_hook(to_double)
    net.g_s.register_forward_pre_hook(to_single)


def give_threads(threads: int, *transforms: Any) -> None:
    """Several threads for the transforms between pixels and latents, one for all the rest.

    Both ends must compute the entropy coder's parameters alike to the last bit, and another
    number of threads adds up in another order. That part is many small steps, besides, which
    threads only slow down.
    """
    torch: Any = importlib.import_module("torch")

    def many(*_: object) -> None:
        torch.set_num_threads(threads)

    def one(*_: object) -> None:
        torch.set_num_threads(1)

    for transform in transforms:
        transform.register_forward_pre_hook(many)
        transform.register_forward_hook(one)
