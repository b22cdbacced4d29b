"""How a detector wants its pictures and what its outputs mean: as told, or as its graph shows."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError

from edge_daemon.errors import SettingsError
from edge_daemon.settings.strict import Strict
from edge_daemon.study.tasks.detector.errors import DetectorError
from edge_daemon.study.tasks.detector.names import COCO_80, COCO_91

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Kind = Literal["yolo", "detr", "boxes"]
Layout = Literal["nchw", "nhwc"]
Fit = Literal["letterbox", "stretch"]
Scores = Literal["sigmoid", "softmax"]
Coordinates = Literal["pixels", "shares"]

_Side = Annotated[int, Field(ge=16, le=8192)]
_Three = tuple[float, float, float]
_Deviation = Annotated[float, Field(gt=0.0)]

_LISTS: Final[Mapping[str, tuple[str, ...]]] = {"coco-80": COCO_80, "coco-91": COCO_91}
_KINDS: Final[Mapping[int, Kind]] = {1: "yolo", 2: "detr", 3: "boxes"}
"""By the number of outputs."""
_METADATA_NAMES: Final = "names"
_USUAL_SCALE: Final = 1.0 / 255.0
_BOX: Final = 4
_CHANNELS: Final = 3


class DetectorSettings(Strict):
    """What the file beside a detector may say. What is left out is taken from the graph."""

    kind: Kind | None = Field(
        default=None,
        description="'yolo': one output (1, 4 + C, N) or (1, N, 5 + C), boxes in pixels of the "
        "input, overlapping; 'detr': boxes (1, N, 4) in shares of it and logits (1, N, C); "
        "'boxes': boxes (N, 4) as left, top, right, bottom, labels (N) and scores (N)",
    )
    size: tuple[_Side, _Side] | Literal["dynamic"] | None = Field(
        default=None,
        description="width and height of the input in pixels, or 'dynamic': the picture's own",
    )
    fit: Fit | None = Field(
        default=None,
        description="'letterbox' keeps a picture's shape and fills up with grey, 'stretch' does "
        "not; letterbox for 'yolo' and stretch for the others unless said",
    )
    layout: Layout | None = Field(default=None, description="of the input: 'nchw' or 'nhwc'")
    channels: Literal["rgb", "bgr"] = Field(default="rgb", description="their order")
    scale: float = Field(
        default=_USUAL_SCALE, gt=0.0, description="samples of 0 to 255 are multiplied by it first"
    )
    mean: _Three | None = Field(default=None, description="subtracted after that, per channel")
    std: tuple[_Deviation, _Deviation, _Deviation] | None = Field(
        default=None, description="divided by after that, per channel"
    )
    scores: Scores | None = Field(
        default=None,
        description="what makes scores of the logits of 'detr'; with 'softmax' the last class is "
        "'nothing'",
    )
    coordinates: Coordinates | None = Field(
        default=None, description="of 'boxes': pixels of the input, or shares of its sides"
    )
    names: tuple[str, ...] | Literal["coco-80", "coco-91"] | None = Field(
        default=None, description="of the classes in order, or 'coco-80' or 'coco-91'"
    )


@dataclass(frozen=True)
class Tensor:
    """An input or output: its name, ONNX Runtime's word for its type, and its sides."""

    name: str
    type: str
    shape: tuple[int | str | None, ...]


@dataclass(frozen=True)
class Graph:
    """What a graph says of itself.

    Attributes:
        file: Named in errors.
        image: The input that takes a picture, in three dimensions or, as a batch of one, in four.
        takes_sizes: Whether another one takes the size that boxes are to be scaled to.
        outputs: In order.
        metadata: Of the file; Ultralytics writes `names` and `imgsz`.
    """

    file: Path
    image: Tensor
    takes_sizes: bool
    outputs: tuple[Tensor, ...]
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Description:
    """Everything that running a detector takes. See `DetectorSettings`.

    Attributes:
        size: `None`: the picture's own.
        takes_bytes: Whether samples are given as they are, uint8; `scale`, `mean` and `std` do not
            matter then.
        names: In small letters; empty for a class that is not used.
    """

    kind: Kind
    size: tuple[int, int] | None
    fit: Fit
    layout: Layout
    channels: Literal["rgb", "bgr"]
    takes_bytes: bool
    scale: float
    mean: _Three
    std: _Three
    scores: Scores
    coordinates: Coordinates
    names: tuple[str, ...]


def settings_file(model: Path) -> Path:
    """Where a model's settings are, if it has any."""
    return model.with_suffix(".toml")


def read_settings(model: Path) -> DetectorSettings:
    """The settings beside a model; all left out if there is no such file.

    Raises:
        SettingsError: The file cannot be read, or has bad or unknown keys.
    """
    file = settings_file(model)
    if not file.exists():
        return DetectorSettings()
    try:
        return DetectorSettings.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(
            f"cannot read a detector's settings: {error}",
            value=str(file),
            remedy="write TOML in UTF-8",
        ) from error
    except ValidationError as error:
        mistakes = [
            f"  {'.'.join(str(step) for step in item['loc'])}: {item['msg']}"
            for item in error.errors()
        ]
        raise SettingsError(
            "\n".join([f"{file}: {len(mistakes)} mistake(s)", *mistakes, ""]),
            remedy=f"known keys: {', '.join(DetectorSettings.model_fields)}",
        ) from error


def describe(graph: Graph, settings: DetectorSettings) -> Description:
    """Join what is told and what the graph shows.

    Raises:
        DetectorError: Neither says enough; the message names the key.
    """
    kind = settings.kind or _KINDS.get(len(graph.outputs))
    if kind is None:
        shown = ", ".join(f"{output.name} {output.shape}" for output in graph.outputs)
        raise _untold(graph, "kind", "its outputs are of no kind that is known", shown)
    layout = settings.layout or _layout(graph)
    takes_bytes = graph.image.type == "tensor(uint8)"
    told = settings.mean is not None and settings.std is not None
    # Ultralytics' graphs, which alone have names in them, want 0 to 1.
    if not (told or takes_bytes or _METADATA_NAMES in graph.metadata):
        raise _untold(graph, "mean and std", "how it wants samples normalised is not known")
    if kind == "detr" and settings.scores is None:
        raise _untold(graph, "scores", "what makes scores of its logits is not known")
    if kind == "boxes" and not graph.takes_sizes and settings.coordinates is None:
        raise _untold(graph, "coordinates", "what its boxes are measured in is not known")
    return Description(
        kind=kind,
        size=_size(graph, settings, layout),
        fit=settings.fit or ("letterbox" if kind == "yolo" else "stretch"),
        layout=layout,
        channels=settings.channels,
        takes_bytes=takes_bytes,
        scale=settings.scale,
        mean=settings.mean or (0.0, 0.0, 0.0),
        std=settings.std or (1.0, 1.0, 1.0),
        scores=settings.scores or "sigmoid",
        coordinates=settings.coordinates or "pixels",
        names=tuple(name.strip().lower() for name in _names(graph, settings, kind)),
    )


def _layout(graph: Graph) -> Layout:
    first, _, last = graph.image.shape[-3:]
    if (first == _CHANNELS) != (last == _CHANNELS):
        return "nchw" if first == _CHANNELS else "nhwc"
    shape = str(graph.image.shape)
    raise _untold(graph, "layout", "where its input has the channels is not known", shape)


def _size(graph: Graph, settings: DetectorSettings, layout: Layout) -> tuple[int, int] | None:
    if settings.size is not None:
        return None if settings.size == "dynamic" else settings.size
    sides = graph.image.shape[-3:]
    height, width = sides[1:] if layout == "nchw" else sides[:2]
    if isinstance(height, int) and isinstance(width, int):
        return width, height
    # Ultralytics' is the size of training, as height and width.
    match _literal(graph.metadata.get("imgsz", "")):
        case [int(height), int(width)]:
            return width, height
        case _:
            raise _untold(graph, "size", "its input takes any size; which it wants is not known")


def _names(graph: Graph, settings: DetectorSettings, kind: Kind) -> tuple[str, ...]:
    if isinstance(settings.names, str):
        return _LISTS[settings.names]
    if settings.names is not None:
        return settings.names
    match _literal(graph.metadata.get(_METADATA_NAMES, "")):
        case {**by_number} if by_number and all(isinstance(key, int) for key in by_number):
            return tuple(str(by_number.get(number, "")) for number in range(max(by_number) + 1))
        case [*in_order] if in_order:
            return tuple(str(name) for name in in_order)
        case _:
            pass
    sides = [side for output in graph.outputs for side in output.shape[1:]]
    if kind == "yolo" and any(side in (_BOX + 80, _BOX + 1 + 80) for side in sides):
        return COCO_80
    logits = [output.shape[-1] for output in graph.outputs if output.shape[-1:] != (_BOX,)]
    if kind == "detr" and logits == [80]:
        return COCO_80
    if kind == "detr" and logits in ([91], [92]):
        return COCO_91
    raise _untold(graph, "names", "what its classes are called is not known")


def _literal(text: str) -> Any:
    """A value as Python writes it, as Ultralytics does in metadata; `None` if it is none."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def _untold(graph: Graph, key: str, problem: str, value: str | None = None) -> DetectorError:
    return DetectorError(
        f"{graph.file.name}: {problem}",
        value=value,
        remedy=f"say {key} in {settings_file(graph.file).name} beside it",
    )
