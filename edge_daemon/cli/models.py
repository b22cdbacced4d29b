"""`edge-daemon models`: which bundles are here, which can be had, and getting them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from edge_daemon.cli.pulling import check_exporter, download, export, say
from edge_daemon.cli.terminal import console
from models import BundleError, packaged_bundles
from models.disk import megabytes
from models.loading import PACKAGED
from models.manifest import read_manifest
from models.place import store_directory, stored_bundles
from models.store import bytes_of, import_bundle, remove_bundle, verify_bundle
from models.zoo.catalogue import ZOO

models = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""
The models that score pictures, as bundles.

Bundles that do not ship with this package are kept in the store: `$EDGE_DAEMON_BUNDLES`; else
`/var/lib/edge-daemon/bundles` where the service is installed and its user asks; else
`~/.local/share/edge-daemon/bundles`. `bundle = "NAME"` in the settings finds them there.

On a machine without a network: pull on another one, and `import` the bundle's directory.
""",
)

ForceOption = Annotated[bool, typer.Option("--force", help="Replace a bundle of this name.")]


@models.command("list")
def list_(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """List the bundles that are here, and the published models that can be pulled."""
    rows = [
        *(_bundle_row(PACKAGED / name, "packaged") for name in packaged_bundles()),
        *(_bundle_row(directory, "in the store") for directory in stored_bundles().values()),
    ]
    here = {row["name"] for row in rows}
    rows += [_zoo_row(name) for name in ZOO if name not in here]
    if as_json:
        typer.echo(json.dumps({"store": str(store_directory()), "models": rows}))
        return
    title = Text(f"the store is {store_directory()}")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("name", no_wrap=True)  # to be copied from here
    for heading in ("architecture", "MB", "state"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "MB" else "left")
    for row in rows:
        size = "" if row["bytes"] is None else f"{row['bytes'] / 1e6:.1f}"
        state = row["state"] if row["problem"] is None else f"damaged: {row['problem']}"
        state = state if row["precision"] is None else f"{row['precision']}, {state}"
        fields = (row["name"], row["architecture"], size, state)
        table.add_row(*map(Text, fields))
    console.print(table)


@models.command()
def pull(
    name: Annotated[str, typer.Argument(help="A name that `models list` shows as to be pulled.")],
    options: Annotated[
        list[str] | None,
        typer.Argument(metavar="OPTION", help="After `--`: further options of `python -m export`."),
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Download from here: in the place of the hub, or of a release's host. Gets no "
            "token; HF_ENDPOINT names a hub that does.",
        ),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="Of the bundle, as `python -m export` takes it.")
    ] = None,
    keep_checkpoint: Annotated[
        bool, typer.Option("--keep-checkpoint", help="Keep the download for another export.")
    ] = False,
    repin: Annotated[
        bool,
        typer.Option("--repin", help="Accept other content than the first pull of this name had."),
    ] = False,
    force: ForceOption = False,
    python: Annotated[
        str,
        typer.Option(
            metavar="INTERPRETER",
            help="Python that exports; has the extra `export`, with torch. Unless given: this one.",
            show_default=False,
        ),
    ] = sys.executable,
) -> None:
    """Download a published model, make a bundle of it, and put that into the store.

    A download that was cut goes on when the same command is given again. Revisions and SHA-256 are
    pinned in the catalogue or, where nobody published them, by the first pull on this machine.

    edge-daemon models pull tinyclip-39m-16-yfcc15m
    """
    if name not in ZOO:
        raise BundleError(
            f"no published model {name!r} is known", remedy=f"name one of {', '.join(ZOO)}"
        )
    model = ZOO[name]
    if name in stored_bundles() and not force:
        raise BundleError(
            f"the bundle {name!r} is in the store already",
            remedy="use it as it is, or give --force to make it anew",
        )
    check_exporter(python)
    checkpoint = download(model, mirror=mirror, repin=repin)
    handed_on = [] if precision is None else ["--precision", precision]
    manifest = export(
        model, checkpoint, python=python, options=[*handed_on, *(options or [])], force=force
    )
    if keep_checkpoint:
        say(f"the checkpoint is kept in {checkpoint.directory}")
    else:
        checkpoint.discard()
    _say_stored(manifest.name)


@models.command("import")
def import_(
    directory: Annotated[Path, typer.Argument(help="A bundle's directory, from anywhere.")],
    force: ForceOption = False,
) -> None:
    """Take a bundle into the store, such as one from a USB stick.

    Its files are checked against its manifest and loaded once; whatever else lies in the directory
    is left there.
    """
    _say_stored(import_bundle(directory, force=force).name)


@models.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Unless given: every bundle.")
    ] = None,
) -> None:
    """Hash every file of the bundles and load each once; status 1 if any is bad."""
    places = {name: PACKAGED / name for name in packaged_bundles()}
    places = {**stored_bundles(), **places}
    unknown = [name for name in names or () if name not in places]
    if unknown:
        raise BundleError(
            f"no bundle {unknown[0]!r} is here", remedy=f"name one of {', '.join(places)}"
        )
    bad = False
    for name in names or sorted(places):
        try:
            verify_bundle(places[name])
            typer.echo(f"{name}: good")
        except BundleError as error:
            bad = True
            typer.echo(f"{name}: bad: {error}")
    if bad:
        raise typer.Exit(1)


@models.command()
def remove(
    name: Annotated[str, typer.Argument(help="A bundle in the store.")],
) -> None:
    """Remove a bundle from the store, with the engines that were built from it."""
    freed = remove_bundle(name)
    say(f"removed {name}: {freed:,} bytes ({megabytes(freed)}) are free again")


def _bundle_row(directory: Path, state: str) -> dict[str, Any]:
    row = _row(directory.name, state)
    try:
        manifest = read_manifest(directory)
    except BundleError as error:
        return {**row, "problem": error.problem}
    return {
        **row,
        "architecture": manifest.architecture,
        "precision": manifest.precision,
        "bytes": sum(facts.bytes for facts in manifest.files.values()),
    }


def _zoo_row(name: str) -> dict[str, Any]:
    model = ZOO[name]
    return {
        **_row(name, "can be pulled"),
        "architecture": f"{model.architecture}, {model.training_data}",
        "imagenet_top1_percent": model.imagenet_top1,
    }


def _row(name: str, state: str) -> dict[str, Any]:
    return {
        "name": name,
        "architecture": "",
        "precision": None,
        "bytes": None,
        "state": state,
        "problem": None,
    }


def _say_stored(name: str) -> None:
    directory = stored_bundles()[name]
    say(f"{name} is in the store ({megabytes(bytes_of(directory))}): {directory}")
