"""`edge-daemon describe`: one picture as a text, without a daemon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from edge_daemon.cli.options import BackendOption, BundleOption, ConfigOption, settings_with
from edge_daemon.cli.terminal import console, facts, rate
from edge_daemon.pictures import PictureLimits, open_picture, save_picture
from edge_daemon.prefilter.regions import boxes_of, veil
from edge_daemon.semantic.coding import TextCoding, encode_payload, side_of
from edge_daemon.semantic.describer import Describer
from edge_daemon.semantic.refine import Refined
from edge_daemon.service import load_prefilter


def describe(
    photo: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, readable=True, help="The picture: any format."),
    ],
    prompt: Annotated[
        list[str] | None,
        typer.Option("--prompt", "-p", help="What it will be asked; described first. Repeatable."),
    ] = None,
    caption: Annotated[str, typer.Option(help="What is known of it; the text starts there.")] = "",
    max_bytes: Annotated[
        int | None, typer.Option(min=1, help="Most bytes of text; the settings' unless given.")
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write every candidate and its score there, as JSON."),
    ] = None,
    drawing: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write the best drawing there, as PNG, if there is one."),
    ] = None,
    config: ConfigOption = None,
    bundle: BundleOption = None,
    backend: BackendOption = None,
) -> None:
    """Describe a picture in a few hundred bytes, as mode "semantic" sends it.

    `edge-daemon describe street.jpg -p "Where is the bicycle?" --trace trace.json`
    """
    settings = settings_with(config, bundle, backend=backend)
    semantic = settings.semantic
    limits = PictureLimits(settings.limits.max_payload_bytes, settings.limits.max_pixels)
    prefilter = load_prefilter(settings)
    pixels = open_picture(photo.read_bytes(), limits).pixels
    height, width = pixels.shape[:2]
    plan = prefilter.plan(pixels, prompt or [""])
    # A mask is the operator's word: whoever describes the picture sees it masked.
    pixels = veil(pixels, boxes_of(plan.spending.mask, height, width))
    side_bytes, side = (b"", None) if semantic.side == "none" else side_of(pixels, semantic.side)
    found = Describer(semantic, prefilter.bundle).describe(
        pixels,
        plan.prompts,
        caption=caption,
        max_bytes=max_bytes,
        side=side,
    )
    coding = TextCoding(semantic.packing, semantic.side)
    bitstream, _ = encode_payload(found.text, None, coding, side_bytes=side_bytes)
    if trace is not None:
        content = json.dumps(found.trace.to_dict(), ensure_ascii=False, indent=1)
        trace.write_text(content + "\n", encoding="utf-8")
    if drawing is not None and found.drawing is not None:
        save_picture(found.drawing, drawing)
    # The text alone to standard output; what is known about it beside.
    console.print(found.text, markup=False, highlight=False, soft_wrap=True)
    console.print(facts(f"{photo.name} in words", _rows(found, bitstream, width, height)))


def _rows(found: Refined, bitstream: bytes, width: int, height: int) -> dict[str, str]:
    rows = {
        "text": f"{len(found.text.encode('utf-8')):,} bytes of UTF-8",
        "bitstream": rate(len(bitstream), width, height),
        "cosine of text and picture": f"{found.text_score:.3f}, by {found.trace.critic}",
        "CLIPSim of the best drawing": "nothing was drawn"
        if found.image_score is None
        else f"{found.image_score:.3f}",
        "texts tried": str(sum(len(one.candidates) for one in found.trace.rounds)),
    }
    if found.trace.notice:
        rows["note"] = found.trace.notice
    for note in found.trace.notes:
        rows.setdefault(note.trouble, note.detail)
    return rows
