"""Options that several commands share, and how they override the settings file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edge_daemon.config import load_settings, parse_settings
from edge_daemon.errors import SettingsError
from edge_daemon.settings import Allocation, EncoderBackend, Settings
from models.backends import Resources

PromptsOption = Annotated[
    list[str],
    typer.Option(
        "--prompt", "-p", help="What the picture will be asked. Repeat for several questions."
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file (TOML); built-in defaults unless given."),
]
CodecOption = Annotated[
    str | None,
    typer.Option(help="One of `edge-daemon codecs`; else by OUT's ending or the settings."),
]
QualityOption = Annotated[
    float | None,
    typer.Option(help="In the codec's own unit, e.g. jpeg 1..100, hevc QP 0..51 (less is better)."),
]
BundleOption = Annotated[
    str | None, typer.Option(help="Model bundle: a packaged one's name, or a path.")
]
BackendOption = Annotated[
    EncoderBackend | None,
    typer.Option(help="What runs the image encoder; `edge-daemon backends` tells what works."),
]
ModeOption = Annotated[
    str | None, typer.Option(help="`default`, or `reference` for the published behaviour.")
]
AllocationOption = Annotated[
    Allocation | None,
    typer.Option(help="What relevance is spent on: pixels, the codec's quantiser, or both."),
]
BudgetOption = Annotated[
    int | None,
    typer.Option(
        "--budget-bytes",
        min=1,
        help="Fit the result into so many bytes, giving up quality first; see `[rate]`.",
    ),
]
LambdaOption = Annotated[
    float | None, typer.Option("--lambda", help="Softmax sharpness; the bundle's own unless given.")
]
SigmaMinOption = Annotated[
    float | None, typer.Option(help="Least smoothing: sigma in source pixels.")
]
SigmaMaxOption = Annotated[
    float | None, typer.Option(help="Most smoothing: sigma in source pixels.")
]
KeepOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="X,Y,W,H",
        help="Region that stays sharp, in fractions of width and height. Repeatable.",
    ),
]
MaskOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="X,Y,W,H", help="Region that is always blurred, whatever the prompt. Repeatable."
    ),
]


def settings_with(
    config: Path | None,
    bundle: str | None = None,
    mode: str | None = None,
    allocation: Allocation | None = None,
    lambda_: float | None = None,
    sigma_min: float | None = None,
    sigma_max: float | None = None,
    keep: list[str] | None = None,
    mask: list[str] | None = None,
    backend: EncoderBackend | None = None,
) -> Settings:
    """The settings file, or the defaults, with the command line's options on top.

    Raises:
        SettingsError: The file or an option is bad.
    """
    settings = Settings() if config is None else load_settings(config)
    changes: dict[str, Any] = {
        "mode": mode,
        "allocation": allocation,
        "lambda": lambda_,
        "sigma_min": sigma_min,
        "sigma_max": sigma_max,
        "keep": [_region(text) for text in keep] if keep else None,
        "mask": [_region(text) for text in mask] if mask else None,
    }
    values = settings.model_dump(by_alias=True)
    values["prefilter"].update({key: value for key, value in changes.items() if value is not None})
    if bundle is not None:
        values["bundle"] = bundle
    if backend is not None:
        values["encoder"]["backend"] = backend
    return parse_settings(values, source="command line")


def resources_of(settings: Settings) -> Resources:
    """What the daemon's encoders may use, but that nothing is built for a look."""
    engines = settings.encoder.engines
    return Resources(settings.stages.encoder_threads, None if engines is None else Path(engines))


def _region(text: str) -> dict[str, float]:
    try:
        x, y, width, height = (float(part) for part in text.split(","))
    except ValueError:
        raise SettingsError(
            "a region is four fractions",
            value=text,
            remedy="write X,Y,W,H between 0 and 1, for example 0.5,0,0.5,0.25",
        ) from None
    return {"x": x, "y": y, "width": width, "height": height}


def codec_config(
    codec: str | None, quality: float | None, fallback: dict[str, Any]
) -> dict[str, Any]:
    """The codec's configuration: the options where given, else `fallback`.

    A quality given alone belongs to the fallback's codec; a codec given alone has its own default
    quality.
    """
    chosen: dict[str, Any] = dict(fallback) if codec in (None, fallback["id"]) else {"id": codec}
    if quality is not None:
        chosen["quality"] = int(quality) if quality.is_integer() else quality
    return chosen
