"""What the codec needs of this machine, apart from any picture's configuration.

A configuration travels with the bitstream, and so says nothing of where this machine keeps its
weights or how many threads it has. That is told once per process, at start.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_daemon.codecs.cheng2020.weights import Variant, weights_files

DEFAULT_PYTHON: Final = Path(".venv-cheng2020/bin/python")
WORKER: Final = Path(__file__).with_name("worker")
_SOURCE_TREE: Final = Path(__file__).parents[3]


@dataclass(frozen=True)
class Resources:
    """Which Python runs the worker, with what.

    Args:
        python: Interpreter of the environment that `make cheng2020` builds. A relative path is
            looked for in the current directory, then in the source tree.
        weights: A file of weights or a directory of them (see `weights.weights_files`).
        threads: Threads for the transforms between pixels and latents, at least 1. The entropy
            coder always gets one, so that the number changes no bitstream's decoding.
        timeout_s: Seconds that one picture may take, the wait for the picture before it and the
            start of the worker included.
        untrained_seed: For tests and benches only: a model with arbitrary weights made from this
            number takes the place of every trained one. Its pictures are noise.

    Raises:
        ValueError: A number is out of range.
    """

    python: Path = DEFAULT_PYTHON
    weights: Path | None = None
    threads: int = 2
    timeout_s: float = 900.0
    untrained_seed: int | None = None

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ValueError(f"threads must be at least 1, not {self.threads}")
        if not 0.0 < self.timeout_s < float("inf"):
            raise ValueError(f"timeout_s must be a positive number, not {self.timeout_s}")
        if self.untrained_seed is not None and self.untrained_seed < 0:
            raise ValueError(f"untrained_seed must not be negative, not {self.untrained_seed}")

    @property
    def interpreter(self) -> Path | None:
        """The interpreter's absolute path, or None if there is none.

        Links are kept: through its link a virtual environment's interpreter knows the environment.
        """
        for place in (Path.cwd(), _SOURCE_TREE):
            path = place / self.python
            if path.is_file():
                return path
        return None

    @property
    def compressai_version(self) -> str:
        """The version installed beside the interpreter; empty if there is none."""
        interpreter = self.interpreter
        if interpreter is None:
            return ""
        packages = interpreter.parent.parent.glob("lib*/python3*/site-packages")
        for folder in packages:
            for found in folder.glob("compressai-*.dist-info"):
                return found.name.removeprefix("compressai-").removesuffix(".dist-info")
        return ""

    def any_weights(self) -> bool:
        """Whether there are weights of any variant."""
        return bool(weights_files(self.weights))

    def weights_of(self, variant: Variant) -> Path | None:
        """The file of a variant's weights, or None."""
        return weights_files(self.weights).get(variant)


_lock = threading.Lock()
_current = Resources()


def configure(
    python: Path = DEFAULT_PYTHON,
    weights: Path | None = None,
    threads: int = 2,
    timeout_s: float = 900.0,
    untrained_seed: int | None = None,
) -> None:
    """Tells this process what to use from now on; the next picture gets a worker of that kind.

    The arguments and errors are those of `Resources`.
    """
    global _current  # noqa: PLW0603
    resources = Resources(python, weights, threads, timeout_s, untrained_seed)
    with _lock:
        _current = resources


def current() -> Resources:
    """What was configured last, or the defaults."""
    with _lock:
        return _current
