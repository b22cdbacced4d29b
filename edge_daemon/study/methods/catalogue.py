"""Methods by name, as the command line writes them: `name` or `name:parameter`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from edge_daemon.config import parse_settings
from edge_daemon.errors import SettingsError
from edge_daemon.settings import PrefilterSettings
from edge_daemon.study.methods.baselines import Downsample, Gaussian, LowResolution, Plain
from edge_daemon.study.methods.guided import (
    Guided,
    Oracle,
    Shuffled,
    without_preparation,
    without_prompt,
)
from edge_daemon.study.methods.method import Method

PLAIN: Final = "plain"
PUBLISHED: Final[dict[str, Any]] = {
    "mode": "reference",
    "lambda": 20.0,
    "sigma_min": 0.2,
    "sigma_max": 3.0,
}
"""The publication's mode and settings."""

DESCRIPTIONS: Final[dict[str, str]] = {
    "plain": "the codec alone",
    "prefilter": "ours; `prefilter:KEY=VALUE,...` changes settings of the section [prefilter]",
    "smooth": "ours, relevance spent on smoothing alone",
    "quantiser": "ours, spent on the codec's quantiser alone, where the codec takes a map",
    "both": "ours, spent on both, where the codec takes a map",
    "reference": "the published behaviour and settings: lambda 20, sigma 0.2 to 3",
    "gaussian": "one Gaussian everywhere; `gaussian:SIGMA` in source pixels, 1 unless given",
    "downsample": "fewer pixels; `downsample:FACTOR` along each side, 2 unless given",
    "low-resolution": "the shorter side at `low-resolution:PIXELS`, 224 unless given",
    "overlap": "ours with neighbouring tiles that share `overlap:PART` of a side, 0.5 unless given",
    "no-overlap": "ours with tiles side by side",
    "no-preparation": "ours with the prompt as it was written",
    "no-prompt": "ours with a text that says nothing in place of the prompt",
    "bundle": "ours with the encoders of `bundle:NAME` or `bundle:PATH`",
    "oracle": "ours with relevance from where the answer lies: an upper bound",
    "random": "ours with relevance dealt out to other tiles by chance",
}
"""Every name, and what it stands for."""

WITHOUT_PARAMETER: Final = tuple(name for name in DESCRIPTIONS if name != "bundle")
"""Names that stand for a method on their own."""

_OVERLAP: Final = 0.5

NEED_MAP: Final = frozenset({"quantiser", "both"})
"""Methods that are nothing new with a codec that takes no quantiser map."""


def method_of(text: str, settings: PrefilterSettings | None = None) -> Method:
    """A method by its name.

    Args:
        text: One of `DESCRIPTIONS`, with a parameter where it takes one.
        settings: What "ours" means; default `PrefilterSettings()`.

    Raises:
        SettingsError: There is no such method, or it cannot have that parameter.
    """
    name, _, parameter = text.strip().partition(":")
    ours = settings or PrefilterSettings()
    if name not in DESCRIPTIONS:
        raise SettingsError(
            "unknown method", value=name, remedy=f"use one of {', '.join(DESCRIPTIONS)}"
        )
    if name in _NUMBERED:
        make, usual = _NUMBERED[name]
        return make(_number(text, parameter) if parameter else usual)
    if name == "bundle":
        if not parameter:
            raise SettingsError(
                "this method needs a bundle", value=text, remedy="write for example bundle:NAME"
            )
        return Guided(text, ours, bundle=parameter)
    if name == "overlap":
        part = _number(text, parameter) if parameter else _OVERLAP
        return Guided(f"overlap:{part:g}", _with(ours, {"overlap": part}, text))
    if name == "prefilter" and parameter:
        return Guided(text, _with(ours, _pairs(text, parameter), text))
    if parameter:
        raise SettingsError("this method has no parameter", value=text, remedy=f"write {name}")
    return _plain_methods(name, ours)


def _plain_methods(name: str, ours: PrefilterSettings) -> Method:
    changed = {
        "no-preparation": without_preparation,
        "no-prompt": without_prompt,
    }
    if name == PLAIN:
        return Plain()
    if name == "oracle":
        return Oracle(name, ours)
    if name == "random":
        return Shuffled(name, ours)
    if name == "reference":
        return Guided(name, _with(PrefilterSettings(), PUBLISHED, name))
    if name in changed:
        return Guided(name, ours, change=changed[name])
    if name == "prefilter":
        return Guided(name, ours)
    if name == "no-overlap":
        return Guided(name, _with(ours, {"overlap": 0.0}, name))
    return Guided(name, _with(ours, {"allocation": name}, name))


_NUMBERED: Final[dict[str, tuple[Callable[[float], Method], float]]] = {
    "gaussian": (Gaussian, 1.0),
    "downsample": (Downsample, 2.0),
    "low-resolution": (lambda shorter: LowResolution(round(shorter)), 224.0),
}


def _number(text: str, parameter: str) -> float:
    try:
        value = float(parameter)
    except ValueError:
        value = -1.0
    if not 0.0 < value <= 65_535.0:
        raise SettingsError(
            "a method's parameter is a number above 0",
            value=text,
            remedy="write for example gaussian:1.5, downsample:2, low-resolution:224, overlap:0.25",
        )
    return value


def _pairs(text: str, parameter: str) -> dict[str, Any]:
    pairs = [pair.partition("=") for pair in parameter.split(",")]
    if not all(key and equals and value for key, equals, value in pairs):
        raise SettingsError(
            "changes of settings are KEY=VALUE, with commas between them",
            value=text,
            remedy="write for example prefilter:sigma_max=3,allocation=both",
        )
    return {key.strip(): _value(value.strip()) for key, _, value in pairs}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _with(settings: PrefilterSettings, changes: dict[str, Any], source: str) -> PrefilterSettings:
    values = {**settings.model_dump(by_alias=True), **changes}
    return parse_settings({"prefilter": values}, source=source).prefilter
