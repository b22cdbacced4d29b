"""The command `decode`: what an envelope holds, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_daemon.cli.options import ConfigOption, settings_with
from edge_daemon.cli.terminal import codec_words, console, facts, rate
from edge_daemon.cloud import decode_envelope, decode_text
from edge_daemon.cloud.kept import SUFFIXES, source_size
from edge_daemon.codecs import configure_codecs
from edge_daemon.errors import SettingsError
from edge_daemon.pictures import save_picture
from edge_daemon.wire import Envelope, SemanticFacts, unpack_envelope


def decode_file(
    envelope: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An `.edge` file.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            dir_okay=False,
            help="A `.png` file; a `.txt` file for an envelope with text in the picture's place. "
            "A thumbnail or a sketch is written beside the text.",
        ),
    ],
    config: ConfigOption = None,
) -> None:
    """Decode an envelope, as the cloud does.

    The bitstream's length and SHA-256 are checked before anything is decoded; a damaged file is
    refused.
    """
    configure_codecs(settings_with(config))
    opened = unpack_envelope(envelope.read_bytes())
    header = opened.header
    expected = SUFFIXES["text" if header.mode == "semantic" else "picture"]
    if output.suffix != expected:
        raise SettingsError(
            f"this envelope is decoded to a {expected} file",
            value=output.name,
            remedy=f"name an output that ends in {expected}",
        )
    width, height = source_size(header)
    if header.mode == "semantic":
        sent, written = _write_text(opened, output)
    else:
        save_picture(decode_envelope(opened), output)
        sent, written = {"sent as": f"{header.width} x {header.height} pixels"}, [output]
    rows = {
        "size": f"{width} x {height} pixels",
        **sent,
        "prompts": "; ".join(header.prompts) or "none",
        "codec": codec_words(header.codec),
        "bitstream": rate(header.bitstream_bytes, width, height),
        "created": header.created,
        "written": ", ".join(map(str, written)),
    }
    console.print(facts(f"{envelope.name} -> {output.name}", rows))


def _write_text(envelope: Envelope, output: Path) -> tuple[dict[str, str], list[Path]]:
    """Writes a text and what came beside it; what can be said of them, and the files."""
    payload = decode_text(envelope)
    output.write_text(payload.text, encoding="utf-8")
    if payload.side is None:
        sent, written = f"text, {payload.text_bytes} bytes", [output]
    else:
        beside = output.with_suffix(SUFFIXES[payload.side.kind])
        save_picture(payload.side.pixels, beside)
        sent = (
            f"text, {payload.text_bytes} bytes, and {payload.side.kind}, "
            f"{len(payload.side_bytes)} bytes"
        )
        written = [output, beside]
    return {"sent as": sent, **_scores(envelope.header.semantic)}, written


def _scores(semantic: SemanticFacts | None) -> dict[str, str]:
    """How near a text is to its picture, if somebody judged."""
    if semantic is None:
        return {}
    words = f"text against picture {semantic.text_score:.3f}"
    if semantic.image_score is not None:
        words += f", drawing against picture {semantic.image_score:.3f}"
    caveat = f" ({semantic.notice})" if semantic.notice else ""
    return {"cosine": f"{words}, judged by {semantic.critic}{caveat}"}
