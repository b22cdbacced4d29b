"""From a published checkpoint to a bundle in the store: download, export in a process, import."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)

from edge_daemon.cli.terminal import errors
from models import BundleError, Manifest
from models.store import import_bundle, make_store
from models.zoo.checkpoints import Checkpoint, fetch_checkpoint
from models.zoo.published import PublishedModel

_NEEDED = ("export", "torch", "transformers", "onnx", "onnxscript")
_ASK = (
    "import importlib.util as u, sys; "
    "print(*[name for name in sys.argv[1:] if u.find_spec(name) is None])"
)


def check_exporter(python: str) -> None:
    """Make sure that an interpreter can export, before anything is downloaded for it.

    Raises:
        BundleError: It cannot be run, or lacks a package.
    """
    elsewhere = (
        "name another interpreter with --python, or make the bundle on another machine and take it "
        "in with `edge-daemon models import DIR`"
    )
    try:
        run = subprocess.run(
            [python, "-c", _ASK, *_NEEDED], capture_output=True, check=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"status {error.returncode}"
        raise BundleError(f"cannot run {python} ({reason})", remedy=elsewhere) from error
    if missing := run.stdout.split():
        raise BundleError(
            f"{python} cannot export: it lacks {', '.join(missing)}",
            remedy=f"install the extra there (pip install 'edge-daemon[export]'), {elsewhere}",
        )


def download(model: PublishedModel, *, mirror: str | None, repin: bool) -> Checkpoint:
    """Download a model's checkpoint with a bar per file; say aloud what is pinned on first use.

    Raises:
        BundleError: See `fetch_checkpoint`.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def show(name: str, here: int, whole: int | None) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name)
            bars.update(tasks[name], completed=here, total=whole)

        checkpoint = fetch_checkpoint(model, mirror=mirror, repin=repin, progress=show)
    if checkpoint.first_use:
        say(
            f"pinned on first use: {', '.join(checkpoint.first_use)}; their SHA-256 is in "
            f"{checkpoint.record}, and a later pull has to bring the same"
        )
    return checkpoint


def export(
    model: PublishedModel,
    checkpoint: Checkpoint,
    *,
    python: str,
    options: Sequence[str],
    force: bool,
) -> Manifest:
    """Export a checkpoint in a process of its own, and take the bundle into the store.

    Args:
        model: What the checkpoint is of.
        checkpoint: From `download`.
        python: The interpreter, one that `check_exporter` has passed.
        options: Further options of `python -m export`.
        force: Replace a bundle of this name.

    Raises:
        BundleError: The export failed, having said why, or the bundle cannot be stored.
    """
    with tempfile.TemporaryDirectory(prefix=".export-", dir=make_store()) as scratch:
        staged = Path(scratch) / model.name
        command = [python, "-m", "export", str(checkpoint.path), "-o", str(staged)]
        command += ["--name", model.name, "--licence", model.licence]
        command += ["--source", checkpoint.source, *_recommended(model), *options]
        status = subprocess.run(command, check=False).returncode
        if status != 0:
            raise BundleError(
                f"the export of {model.name} failed with status {status}",
                file=checkpoint.path,
                remedy="see what it said above; the checkpoint is kept, so another pull will not "
                "download it again",
            )
        return import_bundle(staged, force=force)


def say(words: str) -> None:
    """Tell the user something that is no result."""
    errors.print(words, markup=False, highlight=False, soft_wrap=True)


def _recommended(model: PublishedModel) -> list[str]:
    if model.recommended is None:
        return []
    settings = model.recommended
    return [
        *("--lambda", str(settings.lambda_)),
        *("--sigma-min", str(settings.sigma_min)),
        *("--sigma-max", str(settings.sigma_max)),
    ]
