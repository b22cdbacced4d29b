"""The tiny bundle's image graph with all that TensorRT's parts want to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models import Manifest
from models.backends.cpu import CpuSession
from models.loading import read_image_graph
from models.manifest import read_manifest
from models.session import GraphSpec
from models.tensorrt import calls, driver
from models.tensorrt.driver import Gpu
from models.tensorrt.key import EngineKey
from support.tiny_bundle import make_tiny_bundle


@dataclass(frozen=True)
class ImageGraph:
    """A graph, and the CPU to compare with."""

    file: Path
    content: bytes
    spec: GraphSpec
    manifest: Manifest
    cpu: CpuSession

    @staticmethod
    def of(directory: Path) -> ImageGraph:
        """Of a bundle."""
        manifest = read_manifest(directory)
        image = read_image_graph(directory, manifest)
        content, spec = image.content, image.spec
        file = directory / "image.onnx"
        cpu = CpuSession(content, spec, threads=1, file=file)
        return ImageGraph(file, content, spec, manifest, cpu)

    @staticmethod
    def tiny(directory: Path, image_input: Literal["tiles", "pixels"] = "tiles") -> ImageGraph:
        """Of a tiny bundle that is made there."""
        return ImageGraph.of(make_tiny_bundle(directory, image_input=image_input))

    def key(self) -> EngineKey:
        """On the machine that there is, or is played."""
        return EngineKey.of(self.content, calls.version(), driver.probe())


GPU = Gpu("Orin (stand-in)", (8, 7), 8, 8 << 30, "12.6")
"""What a stand-in plays unless it is told otherwise."""
