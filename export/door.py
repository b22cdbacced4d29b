"""The one door from torch to a bundle: any `Towers` in, a checked bundle directory out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from export import agreement, graphs, parity
from export.dense import export_dense, random_canvases
from export.errors import ExportError
from export.graph import OPSET, TileTower, multiply_adds
from export.graphs import Sessions, as_bundle, export_graphs, open_graph, open_graphs
from export.precision.reduction import Reduction, reduced
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

STEPS = (*graphs.STEPS, "bundle check")
REDUCED_STEPS = (*graphs.STEPS, "less precision", "agreement", "bundle check")
"""What `progress` is called with, at the beginning of each; the second with a reduction."""


def export_bundle(
    towers: Towers,
    out_dir: Path,
    *,
    name: str | None = None,
    force: bool = False,
    dense: bool = False,
    reduction: Reduction | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Manifest:
    """Write a bundle, or nothing.

    The graphs are compared with torch and the finished bundle is loaded once before it takes its
    place; it is written beside `out_dir` and renamed, so a half-written one is never seen there.
    With a reduction, the float32 graphs are made and compared first, and those of less precision
    then with torch on random input, for gross errors, and with the float32 graphs on pictures.

    Args:
        towers: From a loader.
        out_dir: The bundle's directory; parents are made.
        name: Instead of the facts' name.
        force: Replace a bundle that stands at `out_dir`. Anything but a bundle is never replaced.
        dense: Add `dense.onnx`, which is float32 whatever the others are.
        reduction: To less precision than float32, which it is otherwise.
        progress: Called with each of `STEPS`, or of `REDUCED_STEPS`, as it begins.

    Raises:
        ExportError: `out_dir` is taken, a tower cannot be exported or is not there, a graph is not
            at parity, or relevance moves by more than the reduction tolerates.
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

    tower = TileTower(towers.image, facts.mean, facts.std)
    tile = torch.zeros(1, facts.tile_size, facts.tile_size, 3, dtype=torch.uint8)
    draft = draft.model_copy(update={"multiply_adds": multiply_adds(tower, tile)})
    made = export_graphs(towers, progress)
    sessions = open_graphs(made, draft)
    report = _parity(sessions, towers, parity.require)
    if reduction is not None:
        progress(REDUCED_STEPS[2])
        made = reduced(towers, made, reduction)
        sessions_reduced = open_graphs(made, draft)
        report = _parity(sessions_reduced, towers, parity.require_reduced)
        progress(REDUCED_STEPS[3])
        judged = agreement.measure(
            as_bundle(sessions, draft, facts.tokenizer_json),
            as_bundle(sessions_reduced, draft, facts.tokenizer_json),
            reduction.material,
            tolerance=reduction.tolerance,
        )
        agreement.require(judged, reduction.precision)
        draft = draft.model_copy(update={"precision": reduction.precision, "agreement": judged})

    progress(STEPS[-1])
    contents: dict[BundleFile, bytes] = {
        "tokenizer.json": facts.tokenizer_json.encode("utf-8"),
        "image.onnx": made.image,
        "text.onnx": made.text,
    }
    manifest = draft.model_copy(update={"parity": report})
    if dense and towers.dense is not None:
        contents["dense.onnx"], manifest = _with_dense(towers.dense, facts, manifest)
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
    session = open_graph(graph, GraphSpec.dense(facts.embedding_size), "dense.onnx")
    reference = parity.pixels_reference(dense.tower, facts)
    report = _measured("dense.onnx", session, reference, random_canvases(dense))
    parity.require(report, "dense.onnx")
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


def _parity(
    sessions: Sessions, towers: Towers, require: Callable[[TowerParity, str], None]
) -> Parity:
    """How far both graphs are from torch in float32, good enough for a bundle."""
    facts = towers.facts
    image = _measured(
        "image.onnx", sessions.image, parity.image_reference(towers), parity.random_tiles(facts)
    )
    require(image, "image.onnx")
    text = _measured(
        "text.onnx", sessions.text, parity.text_reference(towers), parity.random_tokens(facts)
    )
    require(text, "text.onnx")
    return Parity(image=image, text=text, torch=torch.__version__)


def _measured(
    file: BundleFile,
    session: CpuSession,
    reference: parity.Reference,
    batches: Iterator[NDArray[Any]],
) -> TowerParity:
    try:
        return parity.measure(session, reference, batches)
    except ValidationError as error:
        raise ExportError(
            "the embeddings are not finite numbers",
            file=Path(file),
            remedy="check the checkpoint's weights for NaN and infinity; if they are sound, some "
            "value does not fit into this precision",
        ) from error


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
