"""From a wish, such as "auto", to a backend that was seen to work, and why others were passed over.

A backend is not taken at its word. It serves once it has loaded the graph and embedded fixed tiles,
to unit length and as the CPU does. One that hangs instead hangs the start, as native code cannot be
interrupted; a service manager's time limit ends that, and `backend = "cpu"` gets around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.backends.contract import Backend, ImageGraph, Resources, one_line
from models.backends.cpu import CpuBackend, CpuSession
from models.backends.cuda import CudaBackend
from models.backends.openvino import OpenVinoBackend
from models.backends.preference import preference
from models.backends.tensorrt import TensorRTBackend
from models.backends.unit import not_unit
from models.errors import BundleError
from models.proof import compare, fixed_tiles
from models.session import EncoderSession

AUTO: Final = "auto"

BACKENDS: Final[Mapping[str, Backend]] = {
    backend.name: backend
    for backend in (CpuBackend(), CudaBackend(), OpenVinoBackend(), TensorRTBackend())
}
"""Every backend, by name."""

CPU: Final = "cpu"
"""The backend that is always there, and what others are held against."""
_TILES: Final = 3


@dataclass(frozen=True)
class Choice:
    """A backend that serves.

    Attributes:
        backend: Its name.
        session: Takes tiles, uint8 (N, S, S, 3).
        passed_over: Why each backend that would be better, or does not come into question, does not
            serve instead, by name. Empty if one was asked for.
    """

    backend: str
    session: EncoderSession
    passed_over: Mapping[str, str] = field(default_factory=dict[str, str])


class CannotServeError(Exception):
    """A backend cannot serve a graph on this machine; the message says why and what would help."""


class Proof:
    """A graph on the CPU, and what it makes of the fixed tiles: what other backends must match.

    Args:
        graph: Of a bundle.
        resources: What sessions may use.

    Raises:
        BundleError: The graph does not run on the CPU, so it is damaged.
    """

    def __init__(self, graph: ImageGraph, resources: Resources) -> None:
        self._graph = graph
        self._resources = resources
        self._reference = CpuSession(
            graph.content, graph.spec, threads=resources.threads, file=graph.file
        )
        self._tiles = fixed_tiles(graph.manifest.tile_size, _TILES)
        self._expected = graph.taking_tiles(self._reference).encode(self._tiles)
        problem = not_unit(self._expected, "fixed tiles")
        if problem:
            raise BundleError(
                problem,
                file=graph.file,
                remedy="export the bundle again; its graph is damaged or does not normalise",
            )

    def session(self, backend: Backend) -> EncoderSession:
        """A session of this backend that takes tiles, proven.

        Raises:
            CannotServeError: The backend says so, fails, or is wrong.
        """
        problem = backend.problem()
        if problem:
            raise CannotServeError(problem)
        try:
            opened = backend.open(self._graph, self._resources, self._reference)
            session = self._graph.taking_tiles(opened)
            if opened is self._reference:
                return session
            found = session.encode(self._tiles)
        except BundleError as error:
            raise CannotServeError(f"{error.problem}; {error.remedy}") from error
        # Libraries of others may fail in any way, which must not stop what works.
        except Exception as error:
            raise CannotServeError(f"{type(error).__name__}: {one_line(error)}") from error
        self._check(found)
        return session

    def _check(self, found: NDArray[np.float32]) -> None:
        if found.shape != self._expected.shape:
            raise CannotServeError(
                f"its embeddings have the shape {found.shape}, not {self._expected.shape}"
            )
        problem = not_unit(found, "fixed tiles")
        if problem:
            raise CannotServeError(problem)
        likeness = compare(found, self._expected)
        if not likeness.good(self._graph.precision):
            raise CannotServeError(f"its embeddings are not those of the CPU: {likeness}")


def choose(asked: str, graph: ImageGraph, resources: Resources) -> Choice:
    """Open a graph on the backend that is asked for, or on the best that works.

    Args:
        asked: A backend's name, or "auto".
        graph: Of a bundle.
        resources: What the session may use.

    Raises:
        BundleError: The graph is damaged; there is no such backend; or the one that was asked for
            by name cannot serve. Another one never takes its place.
    """
    proof = Proof(graph, resources)
    if asked != AUTO:
        return _as_asked(asked, graph, proof)
    preferred = preference(graph.precision)
    passed_over = dict(preferred.set_aside)
    for name in preferred.order:
        try:
            return Choice(name, proof.session(_backend(name)), passed_over)
        except CannotServeError as error:
            passed_over[name] = str(error)
    raise AssertionError("the CPU serves whatever passed its proof")


def _as_asked(asked: str, graph: ImageGraph, proof: Proof) -> Choice:
    try:
        return Choice(asked, proof.session(_backend(asked)))
    except CannotServeError as error:
        raise BundleError(
            f"the backend {asked!r} cannot serve: {error}",
            file=graph.file,
            remedy=f"mend that, or ask for {AUTO!r} to take the best backend that works",
        ) from error


def _backend(name: str) -> Backend:
    try:
        return BACKENDS[name]
    except KeyError:
        known = ", ".join(BACKENDS)
        raise CannotServeError(f"there is no such backend; there are {known}") from None
