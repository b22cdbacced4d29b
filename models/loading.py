"""From a name or a directory to a checked, loaded `Bundle`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.errors import BundleError
from models.manifest import MANIFEST_FILE, BundleFile, FileFacts, Manifest, read_manifest
from models.ort import OrtSession, usable_cores
from models.place import is_name, stored_bundles
from models.preprocess import Normalising
from models.session import EncoderSession, GraphSpec
from models.tokenizer import PromptTokenizer
from models.zoo.catalogue import ZOO

PACKAGED = Path(__file__).resolve().parent
"""Bundles that ship with this package are directories beside this file."""

_UNIT_TOLERANCE = 1e-3
_MID_GREY = 128


def packaged_bundles() -> list[str]:
    """Names of the bundles that ship with this package, sorted."""
    return sorted(path.parent.name for path in PACKAGED.glob(f"*/{MANIFEST_FILE}"))


def load_bundle(path_or_name: str | os.PathLike[str], *, threads: int | None = None) -> Bundle:
    """Load a bundle and prove that it works.

    The manifest, the size and SHA-256 of every file, and the graphs' inputs and outputs are
    checked, and both encoders are run once.

    Args:
        path_or_name: The name of a packaged bundle (see `packaged_bundles`) or of one in the store
            (see `models.place`), or a directory. Packaged names win, then the store; write `./NAME`
            for a directory of that name.
        threads: Threads per encoder run, at least 1; by default the cores this process may use.

    Raises:
        BundleError: There is no such bundle, or it is damaged; names the file and the remedy.
        ValueError: `threads` is below 1.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    threads = threads or usable_cores()
    directory = _find(path_or_name)
    manifest = read_manifest(directory)
    tokenizer_file = directory / "tokenizer.json"
    tokenizer = PromptTokenizer(
        _verified(directory, "tokenizer.json", manifest), manifest, file=tokenizer_file
    )
    image = _image_session(directory, manifest, threads)
    text = OrtSession(
        _verified(directory, "text.onnx", manifest),
        GraphSpec.text(manifest.context_length, manifest.embedding_size),
        threads=threads,
        file=directory / "text.onnx",
    )
    _probe_image(image, manifest, directory / "image.onnx")
    _probe_text(text, tokenizer, directory / "text.onnx")
    return Bundle(manifest, tokenizer, image, text)


def _image_session(directory: Path, manifest: Manifest, threads: int) -> EncoderSession:
    tiles = manifest.preprocessing.input == "tiles"
    spec = GraphSpec.image if tiles else GraphSpec.normalised_image
    session = OrtSession(
        _verified(directory, "image.onnx", manifest),
        spec(manifest.tile_size, manifest.embedding_size),
        threads=threads,
        file=directory / "image.onnx",
    )
    return session if tiles else Normalising(session, manifest.mean, manifest.std)


def _find(path_or_name: str | os.PathLike[str]) -> Path:
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


def _probe_image(session: EncoderSession, manifest: Manifest, file: Path) -> None:
    grey = np.full((1, manifest.tile_size, manifest.tile_size, 3), _MID_GREY, np.uint8)
    _check_unit(session.encode(grey), file, "a grey tile")


def _probe_text(session: EncoderSession, tokenizer: PromptTokenizer, file: Path) -> None:
    """Encode a word, and the highest token id: a table too short for the tokenizer fails here."""
    rows = tokenizer.rows(["a thing", "a thing"])
    rows[1, 1] = tokenizer.highest_id
    _check_unit(session.encode(rows), file, "a text")


def _check_unit(embeddings: NDArray[np.float32], file: Path, what: str) -> None:
    lengths = np.linalg.norm(embeddings, axis=1)
    if not np.all(np.abs(lengths - 1.0) <= _UNIT_TOLERANCE):
        raise BundleError(
            f"the embedding of {what} has length {lengths.tolist()}, not 1",
            file=file,
            remedy="export the bundle again; its graph is damaged or does not normalise",
        )
