"""From a name or a directory to a checked, loaded `Bundle`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.backends import AUTO, ImageGraph, Resources, choose
from models.backends.cpu import CpuSession, usable_cores
from models.backends.unit import not_unit
from models.bundle import Bundle
from models.errors import BundleError
from models.manifest import MANIFEST_FILE, BundleFile, FileFacts, Manifest, read_manifest
from models.place import is_name, stored_bundles
from models.session import EncoderSession, GraphSpec
from models.tokenizer import PromptTokenizer
from models.zoo.catalogue import ZOO

PACKAGED = Path(__file__).resolve().parent
"""Bundles that ship with this package are directories beside this file."""

_GREY = 128


def packaged_bundles() -> list[str]:
    """Names of the bundles that ship with this package, sorted."""
    return sorted(path.parent.name for path in PACKAGED.glob(f"*/{MANIFEST_FILE}"))


def load_bundle(
    path_or_name: str | os.PathLike[str],
    *,
    threads: int | None = None,
    backend: str = AUTO,
    engines: str | os.PathLike[str] | None = None,
    build_engines: bool = False,
) -> Bundle:
    """Load a bundle and prove that it works.

    The manifest, the size and SHA-256 of every file, and the graphs' inputs and outputs are
    checked, and both encoders are run. The text encoder always runs on the CPU: prompts come one at
    a time and their embeddings are cached, while its table of token vectors is most of a bundle.

    Args:
        path_or_name: The name of a packaged bundle (see `packaged_bundles`) or of one in the store
            (see `models.place`), or a directory. Packaged names win, then the store; write `./NAME`
            for a directory of that name.
        threads: Threads per encoder run, at least 1; by default the cores this process may use.
        backend: What runs the image encoder: one of `models.backends.BACKENDS`, or "auto" for the
            best that was seen to work. `Bundle.describe` tells which, and why not the others.
        engines: Directory where engines built on this machine are kept; by default the bundle's.
        build_engines: Whether an engine that is not there is built in the background, while the CPU
            serves; for processes that stay. `Bundle.describe` tells how far it is.

    Raises:
        BundleError: There is no such bundle, or it is damaged; names the file and the remedy. Or
            the backend that was asked for by name cannot serve it here.
        ValueError: `threads` is below 1.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    directory = find_bundle(path_or_name)
    manifest = read_manifest(directory)
    tokenizer_file = directory / "tokenizer.json"
    tokenizer = PromptTokenizer(
        _verified(directory, "tokenizer.json", manifest), manifest, file=tokenizer_file
    )
    resources = Resources(
        threads or usable_cores(), None if engines is None else Path(engines), build_engines
    )
    choice = choose(backend, read_image_graph(directory, manifest), resources)
    text = CpuSession(
        _verified(directory, "text.onnx", manifest),
        GraphSpec.text(manifest.context_length, manifest.embedding_size),
        threads=resources.threads,
        file=directory / "text.onnx",
    )
    _probe_text(text, tokenizer, directory / "text.onnx")
    return Bundle(
        manifest,
        tokenizer,
        choice.session,
        text,
        dense=_dense_session(directory, manifest, resources.threads),
        backend=choice.backend,
        passed_over=choice.passed_over,
    )


def _dense_session(directory: Path, manifest: Manifest, threads: int) -> EncoderSession | None:
    """The optional graph of a whole picture, which always runs on the CPU: it is research."""
    if manifest.dense is None:
        return None
    file = directory / "dense.onnx"
    spec = GraphSpec.dense(manifest.embedding_size)
    content = _verified(directory, "dense.onnx", manifest)
    session = CpuSession(content, spec, threads=threads, file=file)
    # Room for two windows down and three across.
    height, width = (manifest.dense.patch_size * (manifest.dense.window + more) for more in (1, 2))
    windows = session.encode(np.full((1, height, width, 3), _GREY, np.uint8))
    if windows.shape[1:3] != (2, 3):
        raise BundleError(
            f"{height} x {width} pixels give {windows.shape[1:3]} windows, but the manifest's "
            "patch_size and window imply (2, 3)",
            file=file,
            remedy="export the bundle again; its graphs and manifest do not belong together",
        )
    _require_unit(windows.reshape(-1, manifest.embedding_size), "a grey canvas", file)
    return session


def read_image_graph(directory: Path, manifest: Manifest) -> ImageGraph:
    """A bundle's image encoder, verified.

    Raises:
        BundleError: The file is missing, or not the one in the manifest.
    """
    tiles = manifest.preprocessing.input == "tiles"
    spec = GraphSpec.image if tiles else GraphSpec.normalised_image
    return ImageGraph(
        _verified(directory, "image.onnx", manifest),
        spec(manifest.tile_size, manifest.embedding_size),
        manifest,
        directory / "image.onnx",
    )


def find_bundle(path_or_name: str | os.PathLike[str]) -> Path:
    """The directory of a bundle; see `load_bundle`, also for what is raised."""
    packaged, stored = packaged_bundles(), dict[str, Path]()
    if isinstance(path_or_name, str) and is_name(path_or_name):
        if path_or_name in packaged:
            return PACKAGED / path_or_name
        stored = stored_bundles()
        if path_or_name in stored:
            return stored[path_or_name]
    directory = Path(path_or_name)
    if directory.is_dir():
        return directory
    remedy = (
        f"use a packaged name ({', '.join(packaged) or 'none'}), one from the store "
        f"({', '.join(stored) or 'none'}), or the path of a bundle directory"
    )
    if path_or_name in ZOO:
        remedy = f"get it with `edge-daemon models pull {path_or_name}`, or {remedy}"
    raise BundleError(
        f"no bundle {os.fspath(path_or_name)!r}: neither a packaged name, nor one from the store, "
        "nor a directory",
        remedy=remedy,
    )


def _verified(directory: Path, name: BundleFile, manifest: Manifest) -> bytes:
    """The content of a bundle's file, equal in size and hash to what the manifest says."""
    path = directory / name
    expected = manifest.files[name]
    try:
        # The size first: a wrong file may be far larger than memory.
        size = path.stat().st_size
        content = path.read_bytes() if size == expected.bytes else b""
    except OSError as error:
        raise BundleError(
            f"cannot read the file ({error.strerror})",
            file=path,
            remedy="copy or export the bundle again; it is incomplete",
        ) from error
    if size != expected.bytes:
        raise BundleError(
            f"{size} bytes, but the manifest says {expected.bytes}",
            file=path,
            remedy="copy or export the bundle again",
        )
    found = FileFacts.of(content)
    if found.sha256 != expected.sha256:
        raise BundleError(
            f"SHA-256 {found.sha256}, but the manifest says {expected.sha256}",
            file=path,
            remedy="copy or export the bundle again; the file was changed or damaged",
        )
    return content


def _probe_text(session: EncoderSession, tokenizer: PromptTokenizer, file: Path) -> None:
    """Encode a word, and the highest token id: a table too short for the tokenizer fails here."""
    rows = tokenizer.rows(["a thing", "a thing"])
    rows[1, 1] = tokenizer.highest_id
    _require_unit(session.encode(rows), "a text", file)


def _require_unit(embeddings: NDArray[np.float32], what: str, file: Path) -> None:
    problem = not_unit(embeddings, what)
    if problem:
        raise BundleError(
            problem,
            file=file,
            remedy="export the bundle again; its graph is damaged or does not normalise",
        )
