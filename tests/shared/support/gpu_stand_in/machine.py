"""What the stand-ins have in common: which GPU they play, what goes wrong, what they were asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from support.gpu_stand_in.cuda import CudaStandIn
from support.gpu_stand_in.driver import DriverStandIn


@dataclass
class Faults:
    """What shall go wrong, and how slow it shall be; JSON-ready, for a child process.

    Attributes:
        parse: What the parser finds wrong.
        build: What the builder says and gives up for.
        crash: Whether the builder takes the process along.
        step_s: Seconds that each of the builder's steps takes, unless the timing cache knows it.
        disagree: What is added to every embedding's first component, before it is cut to length 1.
        captures: Whether runs can be captured.
        runs: How many runs succeed before all others fail; None for all.
    """

    parse: str = ""
    build: str = ""
    crash: bool = False
    step_s: float = 0.0
    disagree: float = 0.0
    captures: bool = True
    runs: int | None = None


@dataclass
class Seen:
    """What was asked of TensorRT.

    Attributes:
        network_flags: Of every network.
        workspace_bytes: The last limit.
        aux_streams: That the last build might use.
        runs: Rows of each, and whether it went into a graph.
        steps: That the builder had to work for.
    """

    network_flags: list[int] = field(default_factory=list[int])
    workspace_bytes: int = 0
    aux_streams: int | None = None
    runs: list[tuple[int, bool]] = field(default_factory=list[tuple[int, bool]])
    steps: int = 0


@dataclass
class Machine:
    """A machine with a GPU and a version of TensorRT; all of it stands in for the real thing."""

    version: str = "10.3.0"
    cuda: CudaStandIn = field(default_factory=CudaStandIn)
    driver: DriverStandIn = field(default_factory=DriverStandIn)
    faults: Faults = field(default_factory=Faults)
    seen: Seen = field(default_factory=Seen)

    @property
    def identity(self) -> list[Any]:
        """What engines and timing caches are bound to, as JSON gives it back."""
        return [self.version, list(self.driver.capability), self.driver.processors]
