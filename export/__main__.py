"""`python -m export CHECKPOINT -o BUNDLE`: a checkpoint becomes a model bundle."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from export.errors import ExportError
from export.open_clip.activation import Activation
from models.manifest import Agreement, Manifest, Precision, Recommended

if TYPE_CHECKING:
    from export.precision.reduction import Reduction
    from export.towers import TowerFacts

_DESCRIPTION = """\
Turn a checkpoint into a model bundle: image.onnx, text.onnx, tokenizer.json and
manifest.json. CHECKPOINT is a directory with config.json, weights and a tokenizer:
a Hugging Face CLIPModel (TinyCLIP's among them) or a nano-icons training result.
Or it is a .pt file in open_clip's layout, such as TinyCLIP's pruned models and
ResNets, with a tokenizer beside it or at --tokenizer.
A bundle of nano-icons can be read back and written anew.

Both graphs are compared with torch on random inputs; the report goes into the
manifest, and a bundle whose graphs differ is not written. With less precision than
fp32 they are also compared with the float32 graphs on pictures, and a bundle that
would look elsewhere is not written. Nothing is downloaded.
"""

_EPILOG = """\
settings:
  The manifest recommends lambda 50 and sigma 0.5 to 10 pixels for CLIP models, the
  released defaults of TinyCLIP ViT-39M/16. For the settings published with
  ViT-22M/32 give --lambda 20 --sigma-min 0.2 --sigma-max 3.

precision:
  fp16          for TensorRT: all weights and operations in half precision
  int8          for TensorRT, OpenVINO and ONNX Runtime: fixed scales, found on --pictures
  int8-dynamic  for ONNX Runtime on CPUs: scales found in every run, no pictures needed

examples:
  python -m export TinyCLIP-ViT-39M-16-Text-19M-YFCC15M -o bundles/tinyclip-39m-16 --licence MIT
  python -m export TinyCLIP-ViT-39M-16-Text-19M-YFCC15M -o bundles/tinyclip-39m-16-int8 \\
    --licence MIT --precision int8 --pictures /data/cameras
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
    _add_precision(parser)
    return parser


def _add_precision(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("less precision than float32").add_argument
    add(
        "--precision",
        choices=get_args(Precision),
        default="fp32",
        help="what the graphs compute in (default: fp32)",
    )
    add(
        "--pictures",
        type=Path,
        metavar="DIR",
        help="pictures from your cameras, to compare on and, for int8, to find scales on "
        "(default: scenes of the demo, to compare on)",
    )
    add(
        "--prompts",
        type=Path,
        metavar="FILE",
        help="prompts to compare on, one per line (default: some that suit the pictures)",
    )
    add(
        "--tolerance",
        type=float,
        metavar="X",
        help="most that the relevance of any block may move, 0 to 1 (default: 0.05 for fp16, "
        "0.5 for int8 and int8-dynamic)",
    )


def _run(options: argparse.Namespace) -> Manifest:
    try:
        from export import door  # noqa: PLC0415  (torch takes seconds; --help should not)
        from export.loaders import load_towers  # noqa: PLC0415
    except ImportError as error:
        raise ExportError(
            f"{error.name} is not installed",
            remedy="install the extra: pip install 'edge-daemon[export]'",
        ) from error
    _check_precision(options)
    door.check_place(options.output, force=options.force)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        steps = door.STEPS if options.precision == "fp32" else door.REDUCED_STEPS
        task = bar.add_task("reading the checkpoint", total=len(steps) + 1)
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
            reduction=_reduction(options, facts, bar.console),
            progress=lambda step: bar.update(task, advance=1, description=step),
        )


def _check_precision(options: argparse.Namespace) -> None:
    """Refuse what would otherwise be ignored in silence."""
    given = [name for name in ("pictures", "prompts", "tolerance") if getattr(options, name)]
    if options.precision == "fp32" and given:
        raise ExportError(
            f"--{given[0]} is for comparing with float32, which this bundle is",
            remedy=f"leave it out, or give --precision {' or '.join(get_args(Precision)[1:])}",
        )
    if options.tolerance is not None and not 0 < options.tolerance <= 1:
        raise ExportError(
            f"--tolerance {options.tolerance:g} is not above 0 and at most 1",
            remedy="give the most that the relevance of a block may move",
        )


def _reduction(
    options: argparse.Namespace, facts: TowerFacts, console: Console
) -> Reduction | None:
    from export.material import gather  # noqa: PLC0415
    from export.precision.reduction import TOLERANCES, Reduction  # noqa: PLC0415

    if options.precision == "fp32":
        return None
    material = gather(
        facts.tile_size,
        facts.resize,
        calibrate=options.precision == "int8",
        folder=options.pictures,
        prompts=options.prompts,
        say=lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True),
    )
    tolerance = options.tolerance or TOLERANCES[options.precision]
    return Reduction(options.precision, material, tolerance)


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
    if manifest.agreement is not None:
        _show_agreement(out, manifest.precision, manifest.agreement)
    chosen = manifest.recommended
    out.print(
        f"{manifest.embedding_size} components, tiles of {manifest.tile_size} px, "
        f"{manifest.context_length} tokens; lambda {chosen.lambda_:g}, "
        f"sigma {chosen.sigma_min:g} to {chosen.sigma_max:g} px",
        highlight=False,
    )
    out.print(f"licence: {manifest.licence}", highlight=False, markup=False)
    out.print(f"written to {place}", highlight=False, markup=False)


def _show_agreement(out: Console, precision: str, found: Agreement) -> None:
    out.print(
        f"{precision} against fp32: {found.tiles} tiles of {found.pictures} pictures "
        f"({found.pictures_of}), {found.prompts} prompts ({found.prompts_of})",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    table = Table()
    for heading in ("agreement", "mean", "worst"):
        table.add_column(heading, justify="left" if heading == "agreement" else "right")
    for name, spread in (
        ("cosine of a tile", found.tile_cosine),
        ("cosine of a text", found.text_cosine),
        ("rank correlation of a map's tiles", found.rank),
    ):
        table.add_row(name, f"{spread.mean:.5f}", f"{spread.least:.5f}")
    moved = found.relevance
    table.add_row("relevance of a block moved by", f"{moved.mean:.4f}", f"{moved.largest:.4f}")
    out.print(table)
    out.print(
        f"same best tile in {found.same_best_tile:.1%} of maps; relevance moved most in "
        f"{moved.picture} for {moved.prompt!r} (tolerance {found.tolerance:g})",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


if __name__ == "__main__":
    sys.exit(main())
