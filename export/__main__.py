"""`python -m export CHECKPOINT -o BUNDLE`: a checkpoint becomes a model bundle."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from export.errors import ExportError
from export.open_clip.activation import Activation
from models.manifest import Manifest, Recommended

_DESCRIPTION = """\
Turn a checkpoint into a model bundle: image.onnx, text.onnx, tokenizer.json and
manifest.json. CHECKPOINT is a directory with config.json, weights and a tokenizer:
a Hugging Face CLIPModel (TinyCLIP's among them) or a nano-icons training result.
Or it is a .pt file in open_clip's layout, such as TinyCLIP's pruned models and
ResNets, with a tokenizer beside it or at --tokenizer.
A bundle of nano-icons can be read back and written anew.

Both graphs are compared with torch on random inputs; the report goes into the
manifest, and a bundle whose graphs differ is not written. Nothing is downloaded.
"""

_EPILOG = """\
settings:
  The manifest recommends lambda 50 and sigma 0.5 to 10 pixels for CLIP models, the
  released defaults of TinyCLIP ViT-39M/16. For the settings published with
  ViT-22M/32 give --lambda 20 --sigma-min 0.2 --sigma-max 3.

examples:
  python -m export TinyCLIP-ViT-39M-16-Text-19M-YFCC15M -o bundles/tinyclip-39m-16 --licence MIT
  python -m export TinyCLIP-auto-ViT-22M-32-Text-10M-LAION400M.pt -o bundles/tinyclip-22m-32 \\
    --tokenizer clip-vit-base-patch32 --licence MIT --lambda 20 --sigma-min 0.2 --sigma-max 3
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status, 0 or 1."""
    options = _parser().parse_args(arguments)
    try:
        manifest = _run(options)
    except ExportError as error:
        Console(stderr=True).print(
            f"export: {error}", style="bold red", markup=False, soft_wrap=True
        )
        return 1
    _summarise(manifest, options.output)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m export",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("checkpoint", type=Path, metavar="CHECKPOINT", help="directory or .pt file")
    add("-o", "--output", type=Path, required=True, metavar="BUNDLE", help="directory to make")
    add("--name", metavar="NAME", help="name in the manifest (default: the checkpoint's)")
    add(
        "--tokenizer",
        type=Path,
        metavar="PATH",
        help="for a .pt file: tokenizer.json, bpe_simple_vocab_16e6.txt.gz, or a directory of one "
        "or of vocab.json with merges.txt (default: beside the file)",
    )
    add(
        "--activation",
        choices=get_args(Activation),
        help="for a .pt file: the function in its MLPs, if its layout does not tell",
    )
    add("--force", action="store_true", help="replace the bundle that stands at BUNDLE")
    add(
        "--dense",
        action="store_true",
        help="add dense.onnx, for prefilter.scorer = 'dense' (research): all patches of a picture "
        "from one pass",
    )
    add("--licence", metavar="TEXT", help="licence of the weights, such as MIT")
    add(
        "--source",
        metavar="TEXT",
        help="where the weights came from (default: file name and SHA-256)",
    )
    add(
        "--lambda",
        dest="lambda_",
        type=float,
        metavar="X",
        help="recommended sharpness of the relevance",
    )
    add("--sigma-min", type=float, metavar="PX", help="recommended least blur, in source pixels")
    add("--sigma-max", type=float, metavar="PX", help="recommended most blur, in source pixels")
    return parser


def _run(options: argparse.Namespace) -> Manifest:
    try:
        from export import door  # noqa: PLC0415  (torch takes seconds; --help should not)
        from export.loaders import load_towers  # noqa: PLC0415
    except ImportError as error:
        raise ExportError(
            f"{error.name} is not installed",
            remedy="install the extra: pip install 'edge-daemon[export]'",
        ) from error
    door.check_place(options.output, force=options.force)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("reading the checkpoint", total=len(door.STEPS) + 1)
        towers = load_towers(
            options.checkpoint, tokenizer=options.tokenizer, activation=options.activation
        )
        facts = towers.facts
        facts = replace(
            facts,
            recommended=_recommended(options, facts.recommended),
            licence=options.licence or facts.licence,
            source=options.source or facts.source,
        )
        return door.export_bundle(
            replace(towers, facts=facts),
            options.output,
            name=options.name,
            force=options.force,
            dense=options.dense,
            progress=lambda step: bar.update(task, advance=1, description=step),
        )


def _recommended(options: argparse.Namespace, default: Recommended) -> Recommended:
    given = {key: getattr(options, key) for key in ("lambda_", "sigma_min", "sigma_max")}
    chosen = {key: value for key, value in given.items() if value is not None}
    try:
        return Recommended.model_validate(default.model_dump() | chosen)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ExportError(
            f"recommended settings: {first['msg']} (got {first['input']!r})",
            remedy="give --lambda and sigmas above 0, with --sigma-min no larger than --sigma-max",
        ) from error


def _summarise(manifest: Manifest, place: Path) -> None:
    out = Console()
    title = f"{manifest.name}: {manifest.architecture}"
    out.print(title, style="bold", highlight=False, markup=False, soft_wrap=True)
    table = Table()
    for heading in ("file", "MB", "max abs error", "min cosine"):
        table.add_column(heading, justify="left" if heading == "file" else "right")
    parity = manifest.parity
    graphs = {"image.onnx": parity.image, "text.onnx": parity.text, "dense.onnx": parity.dense}
    for name, facts in manifest.files.items():
        parity = graphs.get(name)
        figures = (
            ("", "")
            if parity is None
            else (f"{parity.max_abs_error:.1e}", f"{parity.min_cosine:.7f}")
        )
        table.add_row(name, f"{facts.bytes / 1e6:.1f}", *figures)
    out.print(table)
    chosen = manifest.recommended
    out.print(
        f"{manifest.embedding_size} components, tiles of {manifest.tile_size} px, "
        f"{manifest.context_length} tokens; lambda {chosen.lambda_:g}, "
        f"sigma {chosen.sigma_min:g} to {chosen.sigma_max:g} px",
        highlight=False,
    )
    out.print(f"licence: {manifest.licence}", highlight=False, markup=False)
    out.print(f"written to {place}", highlight=False, markup=False)


if __name__ == "__main__":
    sys.exit(main())
