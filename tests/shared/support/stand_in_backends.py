"""Backends that misbehave on purpose, in the place of libraries and devices that are not here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.backends import ImageGraph, Resources
from models.loading import read_image_graph
from models.manifest import read_manifest
from models.session import EncoderSession

Embeddings = NDArray[np.float32]


class AlteredSession:
    """Another session, with its embeddings altered."""

    batch = 5

    def __init__(self, session: EncoderSession, alter: Callable[[Embeddings], Embeddings]) -> None:
        self._session = session
        self._alter = alter

    def encode(self, batch: NDArray[Any]) -> Embeddings:
        return self._alter(self._session.encode(batch))

    def describe(self) -> dict[str, Any]:
        return {"backend": "stand-in 1.0", "device": "none"}


class StandInBackend:
    """Embeds as the CPU does, altered.

    Args:
        name: Whose place it takes.
        problem: What it says keeps it from serving.
        alter: Makes its embeddings of the right ones, or raises.
    """

    def __init__(
        self,
        name: str,
        *,
        problem: str = "",
        alter: Callable[[Embeddings], Embeddings] = lambda embeddings: embeddings,
    ) -> None:
        self.name = name
        self.opened: list[Resources] = []
        self._problem = problem
        self._alter = alter

    def version(self) -> str:
        return "stand-in 1.0"

    def problem(self) -> str:
        return self._problem

    def open(
        self, graph: ImageGraph, resources: Resources, reference: EncoderSession
    ) -> EncoderSession:
        self.opened.append(resources)
        return AlteredSession(reference, self._alter)


def graph_of(directory: Path) -> ImageGraph:
    """The image graph of a bundle."""
    return read_image_graph(directory, read_manifest(directory))
