"""What a bundle says about itself: `manifest.json`, format 2; format 1 is read too.

The manifest is parsed strictly. A key that this version does not know is an error, because a bundle
whose facts are half understood would give embeddings that are wrong without looking wrong.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    ValidationError,
    model_validator,
)

from models.errors import BundleError
from models.preprocess import Resize

MANIFEST_FILE = "manifest.json"
FORMAT = 2

BundleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
BundleFile = Literal["tokenizer.json", "image.onnx", "text.onnx", "dense.onnx"]
"""A bundle's files beside its manifest; a closed list: no name can lead out of the bundle."""

Precision = Literal["fp32", "fp16", "int8", "int8-dynamic"]
"""What the graphs compute in. `int8` has scales that were found on pictures and is for every engine
(its text graph is as in `int8-dynamic`); `int8-dynamic` finds them anew in every run, on CPUs. A
dense graph is float32 in any case."""

_SINCE_FORMAT_1 = {"format": FORMAT, "preprocessing": {"resize": "area", "input": "pixels"}}
"""What format 1 did not say, and how it was."""

BUNDLE_FILES: tuple[BundleFile, ...] = get_args(BundleFile)
REQUIRED_FILES: tuple[BundleFile, ...] = ("tokenizer.json", "image.onnx", "text.onnx")

_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Unit = Annotated[float, Field(ge=0.0, le=1.0)]
_Cosine = Annotated[float, Field(ge=-1.001, le=1.001)]
"""Or a correlation; rounding may carry either beyond 1."""


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, populate_by_name=True
    )


class FileFacts(_Strict):
    """The identity of one file: its length in bytes and its SHA-256 as 64 lower-case hex digits."""

    sha256: _Sha256
    bytes: PositiveInt

    @staticmethod
    def of(content: bytes) -> FileFacts:
        """The facts of a file with this content."""
        return FileFacts(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))


class Recommended(_Strict):
    """Settings of the prefilter that suit this bundle's embeddings.

    `lambda_` (`"lambda"` in JSON) is the sharpness of the softmax over tiles; `sigma_min` and
    `sigma_max` are the Gaussian's bounds in source pixels.
    """

    lambda_: PositiveFloat = Field(validation_alias="lambda", serialization_alias="lambda")
    sigma_min: PositiveFloat
    sigma_max: PositiveFloat

    @model_validator(mode="after")
    def _in_order(self) -> Recommended:
        if self.sigma_min > self.sigma_max:
            raise ValueError(f"sigma_min {self.sigma_min} is above sigma_max {self.sigma_max}")
        return self


class Preprocessing(_Strict):
    """How a picture becomes what the image graph takes.

    `resize` is the filter that the model was trained with (`models.preprocess`). `input` names the
    graph's input: `tiles` are 8-bit pixels that the graph normalises itself, `pixels` are planes
    that are normalised for it, as in bundles of format 1.
    """

    resize: Resize
    input: Literal["tiles", "pixels"] = "tiles"


class Dense(_Strict):
    """What `dense.onnx` is: embeddings of all parts of a whole picture from one pass (research).

    Sides of its canvas are multiples of `patch_size`, the side of a patch in canvas pixels. An
    embedding is that of a window of `window` x `window` patches, and there is one for every place
    that a window can have. `native_side` is the side of the pictures that the model was trained on:
    what a tile of the scoring canvas shows is that many pixels wide on this canvas. `method` is for
    people.
    """

    patch_size: PositiveInt
    window: PositiveInt = 1
    native_side: PositiveInt
    method: str


class TowerParity(_Strict):
    """How far one exported graph is from the model that it was exported from.

    `max_abs_error` is over all components of the unit embeddings, `min_cosine` the smallest cosine
    between an embedding and its original, both over `samples` random inputs.
    """

    max_abs_error: NonNegativeFloat
    min_cosine: Annotated[float, Field(ge=-1.0, le=1.001)]
    samples: PositiveInt


class Parity(_Strict):
    """The report that the export door wrote, with the version of torch it compared against."""

    image: TowerParity
    text: TowerParity
    dense: TowerParity | None = None
    torch: str


class Spread(_Strict):
    """A figure over many samples, of which more is better: its mean and the least of them."""

    mean: _Cosine
    least: _Cosine


class Shift(_Strict):
    """How far relevance moved: absolute differences of r, all above 1 counting as 1, over blocks.

    `mean` is over all blocks of all maps, `largest` that of one block, in the map of this `picture`
    and this `prompt`.
    """

    mean: _Unit
    largest: _Unit
    picture: str
    prompt: str


class Agreement(_Strict):
    """What a reduced precision changes, against the float32 graphs of the same towers.

    Measured on `tiles` tiles of `pictures` pictures (`pictures_of` says which), each with each of
    `prompts` prompts (`prompts_of`). A map is one picture's relevance for one prompt, with the
    recommended lambda. `rank` is Spearman's correlation of a map's tiles; `same_best_tile` the
    share of maps whose best tile stays the best. `tolerance` is what `relevance.largest` was
    allowed to be.
    """

    pictures: PositiveInt
    pictures_of: str
    tiles: PositiveInt
    prompts: PositiveInt
    prompts_of: str
    tile_cosine: Spread
    text_cosine: Spread
    rank: Spread
    same_best_tile: _Unit
    relevance: Shift
    tolerance: PositiveFloat


class Manifest(_Strict):
    """Everything needed to use a bundle without asking its maker.

    `mean` and `std` are of pixels scaled to 0..1, in the order red, green, blue. `notice` is shown
    wherever the bundle's output is shown; empty if there is nothing to say. `multiply_adds` is what
    the image graph takes per tile, in matrix products and convolutions. `agreement` is there unless
    the precision is `fp32`. `training` and `accuracy` are free-form records for people.
    """

    format: Literal[2] = FORMAT
    name: BundleName
    architecture: Annotated[str, StringConstraints(min_length=1)]
    embedding_size: PositiveInt
    tile_size: PositiveInt = 224
    mean: tuple[_Unit, _Unit, _Unit]
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    preprocessing: Preprocessing
    context_length: Annotated[int, Field(ge=3)]
    pad_token_id: NonNegativeInt
    end_token_id: NonNegativeInt
    recommended: Recommended
    dense: Dense | None = None
    precision: Precision = "fp32"
    opset: PositiveInt
    multiply_adds: PositiveInt | None = None
    licence: str
    source: str
    notice: str = ""
    files: dict[BundleFile, FileFacts]
    parity: Parity
    agreement: Agreement | None = None
    training: dict[str, JsonValue] | None = None
    accuracy: dict[str, JsonValue] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Manifest:
        missing = [name for name in REQUIRED_FILES if name not in self.files]
        if missing:
            raise ValueError(f"files lacks {', '.join(missing)}")
        if ("dense.onnx" in self.files) != (self.dense is not None):
            raise ValueError("a dense.onnx in files and the facts in dense belong together")
        return self

    @model_validator(mode="after")
    def _judged(self) -> Manifest:
        if (self.precision == "fp32") != (self.agreement is None):
            raise ValueError(
                f"precision {self.precision} with"
                f"{'out' if self.agreement is None else ''} an agreement report"
            )
        return self

    def to_json(self) -> str:
        """The text of `manifest.json`: indented, with a final newline."""
        fields = self.model_dump(mode="json", by_alias=True)
        return json.dumps(fields, indent=2, ensure_ascii=False) + "\n"


def read_manifest(directory: Path) -> Manifest:
    """Read and check `manifest.json` in a bundle directory.

    Raises:
        BundleError: The file is absent, not JSON, of another format, or has bad or unknown fields.
    """
    path = directory / MANIFEST_FILE
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BundleError(
            f"cannot read the manifest ({error.strerror})",
            file=path,
            remedy="point at a bundle directory made by `python -m export`",
        ) from error
    fields = _upgraded(raw, path)
    try:
        return Manifest.model_validate_json(json.dumps(fields))
    except ValidationError as error:
        raise BundleError(
            f"bad manifest: {_first_problems(error)}",
            file=path,
            remedy="export the bundle again; a manifest is not edited by hand",
        ) from error


def _upgraded(raw: bytes, path: Path) -> dict[str, Any]:
    """The fields in this format; others are refused before their fields are complained about."""
    try:
        fields: Any = json.loads(raw)
    except ValueError as error:
        raise BundleError(
            f"the manifest is not JSON ({error})",
            file=path,
            remedy="copy or export the bundle again",
        ) from error
    known = cast("dict[str, Any]", fields) if isinstance(fields, dict) else {}
    found = known.get("format")
    if type(found) is not int or found not in (1, FORMAT):
        raise BundleError(
            f"manifest format {found!r}, but this version reads formats 1 and {FORMAT}",
            file=path,
            remedy="export the bundle again with this version, or update edge-daemon",
        )
    return known if found == FORMAT else {**known, **_SINCE_FORMAT_1}


def _first_problems(error: ValidationError, most: int = 3) -> str:
    problems = [
        f"{'.'.join(str(part) for part in item['loc']) or 'manifest'}: {item['msg']}"
        for item in error.errors(include_url=False)
    ]
    more = f" (and {len(problems) - most} more)" if len(problems) > most else ""
    return "; ".join(problems[:most]) + more
