"""The two graphs of a pair of towers, before they are files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from export.errors import ExportError
from export.graph import TileTower, export_graph
from export.towers import Towers
from models import Bundle, BundleError
from models.backends.cpu import CpuSession
from models.manifest import BundleFile, Manifest
from models.session import GraphSpec
from models.tokenizer import PromptTokenizer

STEPS = ("image tower", "text tower")
"""What `progress` is called with, at the beginning of each."""

_EXAMPLE_ROWS = 2


@dataclass(frozen=True)
class Graphs:
    """The contents of `image.onnx` and `text.onnx`."""

    image: bytes
    text: bytes


@dataclass(frozen=True)
class Sessions:
    """Both graphs, ready to run."""

    image: CpuSession
    text: CpuSession


def export_graphs(towers: Towers, progress: Callable[[str], None] = lambda step: None) -> Graphs:
    """Both towers as graphs.

    Raises:
        ExportError: See `export_graph`.
    """
    facts = towers.facts
    progress(STEPS[0])
    tiles = torch.zeros(_EXAMPLE_ROWS, facts.tile_size, facts.tile_size, 3, dtype=torch.uint8)
    image = export_graph(TileTower(towers.image, facts.mean, facts.std), tiles, input_name="tiles")
    progress(STEPS[1])
    tokens = torch.full((_EXAMPLE_ROWS, facts.context_length), facts.end_token_id)
    return Graphs(image, export_graph(towers.text, tokens, input_name="tokens"))


def open_graphs(graphs: Graphs, manifest: Manifest) -> Sessions:
    """Load both graphs on the CPU.

    Raises:
        ExportError: One does not load, or is not what the manifest implies.
    """
    image = GraphSpec.image(manifest.tile_size, manifest.embedding_size)
    text = GraphSpec.text(manifest.context_length, manifest.embedding_size)
    return Sessions(
        open_graph(graphs.image, image, "image.onnx"), open_graph(graphs.text, text, "text.onnx")
    )


def open_graph(content: bytes, spec: GraphSpec, file: BundleFile) -> CpuSession:
    """Load one graph on the CPU; see `open_graphs`."""
    try:
        return CpuSession(content, spec, threads=torch.get_num_threads(), file=Path(file))
    except BundleError as error:
        raise ExportError(
            f"the exported graph does not run: {error.problem}",
            file=error.file,
            remedy="check that the towers' shapes are those that their facts state",
        ) from error


def as_bundle(sessions: Sessions, manifest: Manifest, tokenizer_json: str) -> Bundle:
    """The bundle that these sessions would make, without any file."""
    tokenizer = PromptTokenizer(
        tokenizer_json.encode("utf-8"), manifest, file=Path("tokenizer.json")
    )
    return Bundle(manifest, tokenizer, sessions.image, sessions.text)
