"""The one door from torch to a bundle: any `Towers` in, a checked bundle directory out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from export import parity
from export.dense import export_dense, random_canvases
from export.errors import ExportError
from export.graph import OPSET, TileTower, export_graph, multiply_adds
from export.towers import DenseTower, TowerFacts, Towers
from models import BundleError, load_bundle
from models.backends.cpu import CpuSession
from models.manifest import (
    BUNDLE_FILES,
    MANIFEST_FILE,
    REQUIRED_FILES,
    BundleFile,
    FileFacts,
    Manifest,
    Parity,
    Preprocessing,
    TowerParity,
)
from models.session import GraphSpec

STEPS = ("image tower", "text tower", "bundle check")
"""What `progress` is called with, at the beginning of each."""

_EXAMPLE_ROWS = 2


def export_bundle(
    towers: Towers,
    out_dir: Path,
    *,
    name: str | None = None,
    force: bool = False,
    dense: bool = False,
    progress: Callable[[str], None] = lambda step: None,
) -> Manifest:
    """Write a bundle, or nothing.

    The graphs are compared with torch and the finished bundle is loaded once before it takes its
    place; it is written beside `out_dir` and renamed, so a half-written one is never seen there.

    Args:
        towers: From a loader.
        out_dir: The bundle's directory; parents are made.
        name: Instead of the facts' name.
        force: Replace a bundle that stands at `out_dir`. Anything but a bundle is never replaced.
        dense: Add `dense.onnx`.
        progress: Called with each of `STEPS` as it begins.

    Raises:
        ExportError: `out_dir` is taken, a tower cannot be exported or is not there, or a graph is
            not at parity.
    """
    check_place(out_dir, force=force)
    facts = towers.facts
    if dense and towers.dense is None:
        raise ExportError(
            f"there are no dense features for {facts.architecture}",
            remedy="export the bundle without --dense, or name a vision transformer",
        )
    # First of all: a fact that no manifest can hold is told before minutes of exporting.
    draft = _draft(facts, name or facts.name)

    progress(STEPS[0])
    tiles = torch.zeros(_EXAMPLE_ROWS, facts.tile_size, facts.tile_size, 3, dtype=torch.uint8)
    tower = TileTower(towers.image, facts.mean, facts.std)
    work = multiply_adds(tower, tiles[:1])
    image = export_graph(tower, tiles, input_name="tiles")
    spec = GraphSpec.image(facts.tile_size, facts.embedding_size)
    image_parity = _measured(
        "image.onnx", image, spec, parity.image_reference(towers), parity.random_tiles(facts)
    )

    progress(STEPS[1])
    tokens = torch.full((_EXAMPLE_ROWS, facts.context_length), facts.end_token_id)
    text = export_graph(towers.text, tokens, input_name="tokens")
    spec = GraphSpec.text(facts.context_length, facts.embedding_size)
    text_parity = _measured(
        "text.onnx", text, spec, parity.text_reference(towers), parity.random_tokens(facts)
    )

    progress(STEPS[2])
    contents: dict[BundleFile, bytes] = {
        "tokenizer.json": facts.tokenizer_json.encode("utf-8"),
        "image.onnx": image,
        "text.onnx": text,
    }
    report = Parity(image=image_parity, text=text_parity, torch=torch.__version__)
    manifest = draft.model_copy(update={"parity": report, "multiply_adds": work})
    if dense and towers.dense is not None:
        contents["dense.onnx"], manifest = _with_dense(towers.dense, towers.facts, manifest)
    hashes = {file: FileFacts.of(content) for file, content in contents.items()}
    manifest = manifest.model_copy(update={"files": hashes})
    try:
        _write(manifest, contents, out_dir)
    except OSError as error:
        raise ExportError(
            f"cannot be written ({error.strerror})",
            file=out_dir,
            remedy="name a directory on a disk with room where you may write",
        ) from error
    return manifest


def _with_dense(dense: DenseTower, facts: TowerFacts, manifest: Manifest) -> tuple[bytes, Manifest]:
    graph = export_dense(dense, facts)
    spec = GraphSpec.dense(facts.embedding_size)
    reference = parity.pixels_reference(dense.tower, facts)
    report = _measured("dense.onnx", graph, spec, reference, random_canvases(dense))
    whole = manifest.parity.model_copy(update={"dense": report})
    return graph, manifest.model_copy(update={"dense": dense.facts, "parity": whole})


def check_place(out_dir: Path, *, force: bool) -> None:
    """Refuse to write over anything but an empty directory or, with `force`, a bundle.

    Raises:
        ExportError: Something else is there.
    """
    if not out_dir.exists():
        return
    if not out_dir.is_dir():
        raise ExportError("is a file", file=out_dir, remedy="name a directory for the bundle")
    present = {path.name for path in out_dir.iterdir()}
    strangers = sorted(present - {MANIFEST_FILE, *BUNDLE_FILES})
    if strangers:
        raise ExportError(
            f"holds files that are not a bundle's, such as {strangers[0]!r}",
            file=out_dir,
            remedy="name a new directory; this one is not replaced, with --force or without",
        )
    if present and not force:
        raise ExportError(
            "a bundle stands there", file=out_dir, remedy="name a new directory, or give --force"
        )


def _measured(
    file: BundleFile,
    content: bytes,
    spec: GraphSpec,
    reference: parity.Reference,
    batches: Iterator[NDArray[Any]],
) -> TowerParity:
    """The parity of one graph, good enough for a bundle."""
    try:
        session = CpuSession(content, spec, threads=torch.get_num_threads(), file=Path(file))
        report = parity.measure(session, reference, batches)
    except BundleError as error:
        raise ExportError(
            f"the exported graph does not run: {error.problem}",
            file=error.file,
            remedy="check that the towers' shapes are those that their facts state",
        ) from error
    except ValidationError as error:
        raise ExportError(
            "the embeddings are not finite numbers",
            file=Path(file),
            remedy="check the checkpoint's weights for NaN and infinity",
        ) from error
    parity.require(report, file)
    return report


def _draft(facts: TowerFacts, name: str) -> Manifest:
    """The manifest without its files and its parity report, which stand in it as placeholders."""
    none = TowerParity(max_abs_error=0.0, min_cosine=1.0, samples=1)
    try:
        return Manifest(
            name=name,
            architecture=facts.architecture,
            embedding_size=facts.embedding_size,
            tile_size=facts.tile_size,
            mean=facts.mean,
            std=facts.std,
            preprocessing=Preprocessing(resize=facts.resize),
            context_length=facts.context_length,
            pad_token_id=facts.pad_token_id,
            end_token_id=facts.end_token_id,
            recommended=facts.recommended,
            opset=OPSET,
            licence=facts.licence,
            source=facts.source,
            notice=facts.notice,
            files={file: FileFacts.of(b"placeholder") for file in REQUIRED_FILES},
            parity=Parity(image=none, text=none, torch=torch.__version__),
            training=facts.training,
            accuracy=facts.accuracy,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ExportError(
            f"{'.'.join(map(str, first['loc']))}: {first['msg']} (got {first['input']!r})",
            remedy="correct this fact of the checkpoint; a manifest cannot hold it",
        ) from error


def _write(manifest: Manifest, contents: dict[BundleFile, bytes], out_dir: Path) -> None:
    """Write beside `out_dir`, load once, and rename into place."""
    parent = out_dir.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out_dir.name}-", dir=parent) as scratch:
        # One level down: the scratch directory is private, the bundle is not.
        staged = Path(scratch) / "bundle"
        staged.mkdir()
        for file, content in contents.items():
            (staged / file).write_bytes(content)
        (staged / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")
        try:
            load_bundle(staged, threads=torch.get_num_threads())
        except BundleError as error:
            raise ExportError(
                f"the finished bundle does not load: {error.problem}",
                file=None if error.file is None else Path(error.file.name),
                remedy="check the checkpoint; nothing was written",
            ) from error
        if out_dir.exists():
            out_dir.rename(Path(scratch) / "previous")
        staged.rename(out_dir)
