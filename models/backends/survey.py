"""Every backend tried on one bundle: which work here, and which of them "auto" takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.backends.choice import BACKENDS, CannotServeError, Proof
from models.backends.contract import ImageGraph, Resources
from models.backends.preference import preference


@dataclass(frozen=True)
class BackendStatus:
    """How one backend is on this machine, for one bundle.

    Attributes:
        version: The library and its version; empty if it is not installed.
        problem: Why it cannot serve, and what would help; empty if it was seen to work.
        runs_on: What its session said of itself; empty if there is none.
        auto: Whether "auto" takes it.
        set_aside: Why "auto" does not consider it for the bundle's precision; empty if it does.
    """

    version: str
    problem: str = ""
    runs_on: Mapping[str, Any] = field(default_factory=dict[str, Any])
    auto: bool = False
    set_aside: str = ""


def survey(graph: ImageGraph, resources: Resources) -> dict[str, BackendStatus]:
    """Try every backend, by name, in the order in which they are listed.

    Raises:
        BundleError: The graph is damaged.
    """
    proof = Proof(graph, resources)
    preferred = preference(graph.precision)
    problems: dict[str, str] = {}
    runs_on: dict[str, Mapping[str, Any]] = {}
    for name, backend in BACKENDS.items():
        try:
            runs_on[name] = proof.session(backend).describe()
        except CannotServeError as error:
            problems[name] = str(error)
    taken = next(name for name in preferred.order if name in runs_on)
    return {
        name: BackendStatus(
            version=backend.version(),
            problem=problems.get(name, ""),
            runs_on=runs_on.get(name, {}),
            auto=name == taken,
            set_aside=preferred.set_aside.get(name, ""),
        )
        for name, backend in BACKENDS.items()
    }
