"""TensorRT, on NVIDIA's Jetson and on cards whose TensorRT is installed."""

from __future__ import annotations

from models import tensorrt
from models.backends.contract import ImageGraph, Resources
from models.session import EncoderSession
from models.tensorrt import calls


class TensorRTBackend:
    """See `Backend`."""

    name = "tensorrt"

    def version(self) -> str:
        """See `Backend.version`; TensorRT is not touched where there is no GPU."""
        return "" if tensorrt.problem() else f"tensorrt {calls.version()}"

    def problem(self) -> str:
        """See `Backend.problem`."""
        return tensorrt.problem()

    def open(
        self, graph: ImageGraph, resources: Resources, reference: EncoderSession
    ) -> EncoderSession:
        """See `Backend.open`; the reference serves until there is an engine."""
        return tensorrt.open_session(
            graph.content,
            graph.spec,
            manifest=graph.manifest,
            engines=resources.engines or graph.file.parent / "engines",
            standby=reference,
            file=graph.file,
            build=resources.build_engines,
        )
