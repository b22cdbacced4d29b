"""What a method is: a way to send a picture for a question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from edge_daemon.quantiser import Quantiser, QuantiserMap
from edge_daemon.study.methods.desk import Desk
from edge_daemon.study.tasks.task import Pixels


@dataclass(frozen=True, eq=False)
class Prepared:
    """A picture on its way into a codec.

    Attributes:
        pixels: Of the source's size or another one.
        offsets: For codecs that take a map.
    """

    pixels: Pixels
    offsets: QuantiserMap | None = None


class Method(Protocol):
    """A way to send pictures. Picklable and small."""

    @property
    def name(self) -> str:
        """As on the command line; the name of its curve."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """What its pictures depend on beyond its name, the question and the study's bundle; JSON.

        Raises:
            BundleError: It names a bundle that is not there.
        """
        ...

    def prepare(self, desk: Desk, quantiser: Quantiser) -> Prepared:
        """Everything before the codec.

        Args:
            desk: The question, and what has been found out about it already.
            quantiser: Of the codec at its quality.
        """
        ...
