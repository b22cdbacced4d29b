"""In the place of onnxruntime-gpu on a machine with a GPU: computes on the CPU, and says otherwise.

It takes after what ONNX Runtime does there: a session may come without the provider that was asked
for, and nodes may be placed on another one than the rest, both without a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.backends.cuda import CUDA
from models.backends.ort import CPU


class Node:
    """A node of a graph, as ONNX Runtime tells where it was placed."""

    def __init__(self, operator: str) -> None:
        self.op_type = operator


class Part:
    """Nodes that were placed on one provider."""

    def __init__(self, provider: str, operators: Sequence[str]) -> None:
        self.ep_name = provider
        self._operators = operators

    def get_nodes(self) -> list[Node]:
        return [Node(operator) for operator in self._operators]


class StandInGpuSession:
    """A session on the CPU that says what it is told to of where it runs.

    Without parts, it is of a version that does not tell where it placed its nodes.
    """

    def __init__(self, session: Any, providers: Sequence[str], parts: Sequence[Part]) -> None:
        self._real = session
        self._providers = providers
        self._parts = parts

    def __getattr__(self, name: str) -> Any:
        if name == "get_provider_graph_assignment_info":
            if not self._parts:
                raise AttributeError(name)
            return lambda: self._parts
        return getattr(self._real, name)

    def get_providers(self) -> list[str]:
        return list(self._providers)

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        return {CUDA: {"device_id": "0"}, CPU: {}}


class StandInGpuRuntime:
    """The module `onnxruntime` of a machine with a GPU.

    Args:
        real: The module that is here.
        providers: Those that sessions turn out to have.
        on_gpu: Operators of the nodes that were placed on the GPU.
        on_cpu: Operators of those that were not.
        tells: Whether sessions tell where nodes were placed, as newer versions do.
    """

    def __init__(
        self,
        real: Any,
        *,
        providers: Sequence[str] = (CUDA, CPU),
        on_gpu: Sequence[str] = ("Conv", "MatMul", "MatMul"),
        on_cpu: Sequence[str] = ("Shape", "Gather"),
        tells: bool = True,
    ) -> None:
        self._real = real
        self._providers = providers
        self._parts = (Part(CUDA, on_gpu), Part(CPU, on_cpu)) if tells else ()
        self.asked: list[tuple[list[Any], int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def get_available_providers(self) -> list[str]:
        return [CUDA, CPU]

    def InferenceSession(  # noqa: N802 (ONNX Runtime's name)
        self, content: bytes, *, sess_options: Any, providers: Sequence[Any], enable_fallback: int
    ) -> Any:
        session = self._real.InferenceSession(content, sess_options=sess_options, providers=[CPU])
        if list(providers) == [CPU]:
            return session
        self.asked.append((list(providers), enable_fallback))
        return StandInGpuSession(session, self._providers, self._parts)
