"""What every backend offers: why it cannot serve here, or a session where it can."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from models.errors import BundleError
from models.manifest import Manifest
from models.preprocess import Normalising
from models.session import EncoderSession, GraphSpec


@dataclass(frozen=True)
class ImageGraph:
    """A bundle's image encoder, read and verified.

    Attributes:
        content: The bytes of the `.onnx` file. Bytes and not a path, so that what was hashed is
            what runs, and so that a graph cannot pull in files that the manifest does not list.
        spec: The input and output that the graph must have.
        manifest: Of its bundle.
        file: The `.onnx` file, named in errors.
    """

    content: bytes
    spec: GraphSpec
    manifest: Manifest
    file: Path

    @property
    def precision(self) -> str:
        """As in the manifest."""
        return self.manifest.precision

    def taking_tiles(self, session: EncoderSession) -> EncoderSession:
        """The session, with the normalising in front of it that older graphs leave to others."""
        if self.manifest.preprocessing.input == "tiles":
            return session
        return Normalising(session, self.manifest.mean, self.manifest.std)


@dataclass(frozen=True)
class Resources:
    """What a session may use of this machine.

    Attributes:
        threads: CPU threads inside one operator, at least 1.
        engines: Directory where engines built on this machine are kept; `None`: the bundle's own.
        build_engines: Whether one that is not there is built, in the background.
    """

    threads: int
    engines: Path | None = None
    build_engines: bool = False


class Backend(Protocol):
    """A library that can run an image graph, and the device that it runs it on."""

    @property
    def name(self) -> str:
        """As settings and commands write it."""
        ...

    def version(self) -> str:
        """The library and its version, or "" where it is not installed; imports nothing slow."""
        ...

    def problem(self) -> str:
        """Why it cannot serve on this machine and what would help, or ""; imports nothing slow."""
        ...

    def open(
        self, graph: ImageGraph, resources: Resources, reference: EncoderSession
    ) -> EncoderSession:
        """Load a graph.

        Args:
            graph: Takes what its spec says, which need not be tiles.
            resources: What the session may use.
            reference: The same graph on the CPU.

        Raises:
            BundleError: It cannot be loaded here, or would run elsewhere than it should.
        """
        ...


def failed_to_load(library: str, error: Exception, file: Path) -> BundleError:
    """The error for a graph that a library refuses; its exceptions share no base class."""
    return BundleError(
        f"{library} cannot load the graph ({one_line(error)})",
        file=file,
        remedy=f"copy or export the bundle again, or update {library.split(maxsplit=1)[0]}",
    )


def failed_to_run(library: str, error: Exception | str, batch: Any, file: Path) -> BundleError:
    """The error for a batch that a session refuses."""
    return BundleError(
        f"{library} failed on an input of {batch.dtype} {batch.shape} ({one_line(error)})",
        file=file,
        remedy="export the bundle again; its graph refuses what its manifest promises",
    )


def one_line(error: Exception | str, longest: int = 300) -> str:
    """What an error says, short enough for a log line."""
    return " ".join(str(error).split())[:longest]
