"""Commands for one picture, without a daemon: `filter`, `explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from edge_daemon.cli.one_frame import as_job, check_lossless, encoded, without_prefilter
from edge_daemon.cli.options import (
    AllocationOption,
    BackendOption,
    BudgetOption,
    BundleOption,
    CodecOption,
    ConfigOption,
    KeepOption,
    LambdaOption,
    MaskOption,
    ModeOption,
    PromptsOption,
    QualityOption,
    SigmaMaxOption,
    SigmaMinOption,
    codec_config,
    settings_with,
)
from edge_daemon.cli.terminal import codec_words, console, facts, rate
from edge_daemon.codecs import (
    Codec,
    codec_class,
    codec_ids,
    configure_codecs,
    get_codec,
)
from edge_daemon.errors import SettingsError
from edge_daemon.pictures import Picture, PictureLimits, open_picture, save_picture, to_png
from edge_daemon.prefilter import Report
from edge_daemon.prefilter.heatmap import draw_heatmap
from edge_daemon.service import load_prefilter
from edge_daemon.settings import Settings

Photo = Annotated[
    Path,
    typer.Argument(exists=True, dir_okay=False, readable=True, help="The picture: any format."),
]


def filter_picture(
    photo: Photo,
    prompt: PromptsOption,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            dir_okay=False,
            help="Where to. The ending decides: `.jpg`, `.heic` and `.png` are ordinary files, "
            "`.edge` is the envelope exactly as it would cross the wire.",
        ),
    ],
    codec: CodecOption = None,
    quality: QualityOption = None,
    config: ConfigOption = None,
    bundle: BundleOption = None,
    backend: BackendOption = None,
    mode: ModeOption = None,
    allocation: AllocationOption = None,
    budget_bytes: BudgetOption = None,
    lambda_: LambdaOption = None,
    sigma_min: SigmaMinOption = None,
    sigma_max: SigmaMaxOption = None,
    keep: KeepOption = None,
    mask: MaskOption = None,
) -> None:
    """Filter and encode one picture.

    What the prompt asks about stays bit for bit as it is; the rest is smoothed, the less relevant
    the more, so that it costs few bits. With several `--prompt`, each keeps what it needs.

    `edge-daemon filter street.jpg -p "What does the sign say?" -o street.heic`

    `edge-daemon filter street.jpg -p "Where is the dog?" --codec hevc --quality 30 -o street.edge`
    """
    settings = settings_with(
        config, bundle, mode, allocation, lambda_, sigma_min, sigma_max, keep, mask, backend
    )
    configure_codecs(settings)
    chosen = _codec_for(output, codec, quality, settings)
    data, picture = _read(photo, settings)
    height, width = picture.pixels.shape[:2]
    if chosen is None:
        check_lossless(settings, budget_bytes)
        filtered, report = load_prefilter(settings)(picture.pixels, prompt)
        written = bitstream = to_png(filtered)
        plain, words = to_png(picture.pixels), "PNG, lossless"
    else:
        in_settings = settings.codec["id"] == chosen.codec_id and "quality" in settings.codec
        asked = quality is not None or in_settings
        job = as_job(prompt, chosen, picture, len(data), budget_bytes, asked=asked)
        shaped, written = encoded(job, settings, sealing=output.suffix.lower() == ".edge")
        bitstream, report = shaped.bitstream, shaped.report
        assert report is not None
        plain, words = without_prefilter(chosen, shaped, picture), codec_words(shaped.codec)
        if shaped.encodes > 1 or budget_bytes:
            words += f"; {shaped.width} x {shaped.height} pixels, encodes: {shaped.encodes}"
    output.write_bytes(written)
    rows = {
        **_rows(data, picture, report),
        "codec": words,
        "without the prefilter": rate(len(plain), width, height),
        "with the prefilter": rate(len(bitstream), width, height),
        "saved": f"{100 * (1 - len(bitstream) / len(plain)):.1f} % of the codec's bytes",
        "written": f"{output} ({len(written):,} bytes)",
    }
    console.print(facts(f"{photo.name} -> {output.name}", rows))


def explain(
    photo: Photo,
    prompt: PromptsOption,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", dir_okay=False, help="The heat map; PHOTO-heatmap.png unless given."
        ),
    ] = None,
    config: ConfigOption = None,
    bundle: BundleOption = None,
    backend: BackendOption = None,
    mode: ModeOption = None,
    allocation: AllocationOption = None,
    lambda_: LambdaOption = None,
    sigma_min: SigmaMinOption = None,
    sigma_max: SigmaMaxOption = None,
    keep: KeepOption = None,
    mask: MaskOption = None,
) -> None:
    """Show why: the heat map, what the prompt was distilled to, and what each tile scored.

    `s` is the cosine similarity of tile and prompt, `r` the relevance (mean 1 over the tiles).
    """
    settings = settings_with(
        config, bundle, mode, allocation, lambda_, sigma_min, sigma_max, keep, mask, backend
    )
    data, picture = _read(photo, settings)
    filtered, report = load_prefilter(settings)(picture.pixels, prompt)
    target = output or Path(f"{photo.stem}-heatmap.png")
    # What a mask hides must not show under the heat map either.
    shown = filtered if report.masked_share else picture.pixels
    save_picture(draw_heatmap(shown, report), target)
    rows = {**_rows(data, picture, report), "heat map": str(target)}
    console.print(facts(photo.name, rows))
    if report.tiles:
        console.print(_tile_table(report))


def _read(photo: Path, settings: Settings) -> tuple[bytes, Picture]:
    limits = PictureLimits(
        max_bytes=settings.limits.max_payload_bytes, max_pixels=settings.limits.max_pixels
    )
    data = photo.read_bytes()
    return data, open_picture(data, limits)


_MOST_ROWS = 40
"""Of the table of tiles; the dense scorer has hundreds."""

_SUFFIXES = {".jpeg": ".jpg", ".heif": ".heic", ".h265": ".hevc", ".265": ".hevc"}


def _codec_for(
    output: Path, codec: str | None, quality: float | None, settings: Settings
) -> Codec | None:
    """The codec for an output file: its ending decides, and must agree with `--codec`.

    `None` stands for PNG, which keeps the filtered pixels as they are and crosses no wire.

    Raises:
        SettingsError: An ending that no codec writes, or another codec's.
        EdgeError: No such codec, or a quality outside its range.
    """
    suffix = _SUFFIXES.get(output.suffix.lower(), output.suffix.lower())
    if suffix == ".edge":
        return get_codec(codec_config(codec, quality, settings.codec))
    by_suffix = {codec_class(name).file_suffix: name for name in codec_ids()}
    if suffix == ".png" and (codec, quality) == (None, None):
        return None
    if suffix not in by_suffix:
        raise SettingsError(
            "no codec with such options writes a file with that ending",
            value=output.name,
            remedy=f"end it in {', '.join(sorted(by_suffix))} or .edge, or .png without options",
        )
    if codec is not None and codec != by_suffix[suffix]:
        raise SettingsError(
            f"a {suffix} file holds {by_suffix[suffix]}",
            value=codec,
            remedy=f"drop --codec, or end the output in {codec_class(codec).file_suffix} or .edge",
        )
    fallback = settings.codec if settings.codec["id"] == by_suffix[suffix] else {}
    return get_codec(codec_config(None, quality, {**fallback, "id": by_suffix[suffix]}))


def _rows(data: bytes, picture: Picture, report: Report) -> dict[str, str]:
    """What can be said of any filtered picture."""
    height, width = picture.pixels.shape[:2]
    rows = {
        "source": f"{width} x {height} pixels, {len(data):,} bytes, {picture.source_format}",
        "bundle": report.bundle + (f": {report.notice}" if report.notice else ""),
    }
    for prompt in report.prompts:
        rows[f"prompt {prompt.raw!r}"] = prompt.text or "(nothing)"
    notes = [*picture.notes, *report.notes]
    if notes:
        rows["notes"] = "; ".join(notes)
    sigma = report.sigma
    rows["sigma"] = (
        f"{sigma.minimum:.2f} to {sigma.maximum:.2f} px, mean {sigma.mean:.2f} px; "
        f"{100 * sigma.kept_share:.1f} % of the source pixels kept bit for bit"
    )
    rows["time"] = ", ".join(f"{stage} {ms:.0f} ms" for stage, ms in report.timings_ms.items())
    return rows


def _tile_table(report: Report) -> Table:
    best = sorted(report.tiles, key=lambda one: -one.relevance)[:_MOST_ROWS]
    title = f"Tiles, most relevant first ({len(best)} of {len(report.tiles)})"
    table = Table(title=title, title_justify="left")
    table.add_column("x, y, width, height (source px)")
    for prompt in report.prompts:
        if prompt.text:
            table.add_column(f"s of {prompt.text!r}", justify="right")
            table.add_column("r", justify="right")
    for tile in best:
        cells = [
            f"{value:.{digits}f}"
            for pair in zip(tile.scores, tile.relevances, strict=True)
            for value, digits in zip(pair, (3, 2), strict=True)
        ]
        table.add_row(", ".join(str(edge) for edge in tile.box), *cells)
    return table
