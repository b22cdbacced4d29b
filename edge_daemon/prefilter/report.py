"""What the prefilter did to one picture, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.prefilter.plan import Plan, Scores
from edge_daemon.prefilter.prompt import NOTE_EMPTY, Distilled
from edge_daemon.prefilter.regions import boxes_of
from edge_daemon.prefilter.smoothing import Smoothed
from edge_daemon.prefilter.worth import notes_on
from edge_daemon.quantiser import USUAL_QUANTISER, QuantiserMap
from kernels import KEEP_SIGMA
from models import Manifest

NOTE_NO_CODEC: Final = "no codec was named: pixels are softened as for HEVC or VVC at QP 32"


@dataclass(frozen=True)
class TileScore:
    """One tile, or with the dense scorer one window.

    `scores` and `relevances` hold a number per prompt that was scored.
    """

    box: tuple[int, int, int, int]
    """x, y, width, height in source pixels."""
    scores: tuple[float, ...]
    """Cosine similarity of tile and prompt, -1..1."""
    relevances: tuple[float, ...]
    """r: a mean of 1 over the tiles, for each prompt."""

    @property
    def relevance(self) -> float:
        """The largest over the prompts."""
        return max(self.relevances)


@dataclass(frozen=True)
class SigmaSummary:
    """The sigma map in source pixels, and how much of the picture it leaves alone.

    Mean and shares are measured on at most 256x256 evenly spread pixels.
    """

    minimum: float
    mean: float
    maximum: float
    kept_share: float
    """Share of pixels that equal the source bit for bit, 0..1."""


@dataclass(frozen=True)
class Report:
    """The account of one picture. `to_dict` leaves the two maps out."""

    mode: str
    scorer: str
    """How the picture was shown to the encoder: "tiles", or "dense" for the whole in one pass."""
    bundle: str
    notice: str
    """The bundle's caveat, to be shown wherever this result is shown; empty if there is none."""
    notes: tuple[str, ...]
    """What a reader should know, e.g. that there was no filtering, and why."""
    prompts: tuple[Distilled, ...]
    """As given, empty ones included."""
    source_size: tuple[int, int]
    """Width and height in pixels."""
    output_size: tuple[int, int]
    """Width and height of the filtered picture: the source's, but for reference mode."""
    sharpness: float
    """lambda of the softmax."""
    mapping: str
    sigma_range: tuple[float, float]
    """sigma_min and sigma_max in pixels, as asked for."""
    grid: tuple[int, int]
    """Tile columns and rows; 0 and 0 without filtering."""
    canvas_size: tuple[int, int]
    """Width and height of the scoring canvas in pixels; 0 and 0 without filtering."""
    tiles: tuple[TileScore, ...]
    """Row by row from the top left."""
    sigma: SigmaSummary
    masked_share: float
    """Share of pixels in masked regions, 0..1."""
    allocation: str
    """What relevance was spent on: "smooth", "quantiser" or "both"."""
    offset_range: tuple[float, float]
    """Mean and largest offset of the codec's quantiser, in steps; 0 and 0 without a map."""
    doubts: tuple[str, ...]
    """Why filtering may not have paid: "tiny", "whole-scene", "idle-link"."""
    skipped: str | None
    """The doubt for which the picture was left as it is, by rule; `None`: it was filtered."""
    timings_ms: dict[str, float]
    """Wall-clock milliseconds per stage: distil, canvas, compare (for cameras), encode, smooth;
    without filtering without the last two. `encode` is the whole encoder call, shared with the
    other frames of its batch."""
    tiles_encoded: int
    """Tiles that the encoder was run for."""
    tiles_reused: int
    """Tiles that did not change since an earlier frame of the camera: their embeddings were
    remembered."""
    changed_share: float | None
    """How much of what is relevant changed since the camera's last frame that was sent, 0..1;
    `None` if nobody asked."""
    relevance_map: NDArray[np.float32] = field(repr=False, compare=False)
    """(block rows, block columns), maximum over the prompts; (1, 1) of ones without filtering."""
    sigma_map: NDArray[np.float32] = field(repr=False, compare=False)
    """The sigma map at no more than 256x256 evenly spread pixels."""
    offsets: QuantiserMap | None = field(default=None, repr=False, compare=False)
    """For the codec: `codec.encode(filtered, report.offsets)`."""

    @property
    def filtered(self) -> bool:
        """Whether a prompt was scored, and relevance spent."""
        return bool(self.tiles) and self.skipped is None

    def top_tile(self) -> TileScore | None:
        """The tile with the highest relevance; `None` without filtering."""
        return max(self.tiles, key=lambda tile: tile.relevance, default=None)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; sizes in pixels, `[width, height]`; boxes `[x, y, width, height]`."""
        return {
            "mode": self.mode,
            "scorer": self.scorer,
            "bundle": self.bundle,
            "notice": self.notice,
            "notes": list(self.notes),
            "prompts": [_prompt(prompt) for prompt in self.prompts],
            "source_size": list(self.source_size),
            "output_size": list(self.output_size),
            "lambda": self.sharpness,
            "mapping": self.mapping,
            "sigma_range_px": list(self.sigma_range),
            "grid": list(self.grid),
            "canvas_size": list(self.canvas_size),
            "tiles": [
                {
                    "box": list(tile.box),
                    "scores": [round(score, 4) for score in tile.scores],
                    "relevances": [round(relevance, 4) for relevance in tile.relevances],
                }
                for tile in self.tiles
            ],
            "sigma_px": {
                "min": round(self.sigma.minimum, 4),
                "mean": round(self.sigma.mean, 4),
                "max": round(self.sigma.maximum, 4),
            },
            "kept_share": round(self.sigma.kept_share, 4),
            "masked_share": round(self.masked_share, 4),
            "allocation": self.allocation,
            "offset_steps": {
                "mean": round(self.offset_range[0], 4),
                "max": round(self.offset_range[1], 4),
            },
            "doubts": list(self.doubts),
            "skipped": self.skipped,
            "tiles_encoded": self.tiles_encoded,
            "tiles_reused": self.tiles_reused,
            "changed_share": None if self.changed_share is None else round(self.changed_share, 4),
            "timings_ms": {stage: round(spent, 3) for stage, spent in self.timings_ms.items()},
        }


def make_report(
    plan: Plan,
    scores: Scores,
    relevance: NDArray[np.float64],
    smoothed: Smoothed,
    manifest: Manifest,
    timings_ms: dict[str, float],
) -> Report:
    """Put the account together.

    Args:
        plan: Of the picture.
        scores: float32 (texts, tiles) inside.
        relevance: float64 (texts, tiles).
        smoothed: The result.
        manifest: Of the bundle that scored.
        timings_ms: Of all stages.
    """
    spending, grid = plan.spending, plan.grid
    masked = np.zeros((plan.height, plan.width), np.bool_) if spending.mask else None
    if masked is not None:
        for x, y, width, height in boxes_of(spending.mask, plan.height, plan.width):
            masked[y : y + height, x : x + width] = True
    height, width = smoothed.pixels.shape[:2]
    return Report(
        mode=spending.mode,
        scorer=spending.scorer,
        bundle=manifest.name,
        notice=manifest.notice,
        notes=_notes(plan, (width, height)),
        prompts=plan.prompts,
        source_size=(plan.width, plan.height),
        output_size=(width, height),
        sharpness=spending.sharpness,
        mapping=spending.mapping,
        sigma_range=(spending.sigma_min, spending.sigma_max),
        grid=(len(grid.lefts), len(grid.tops)) if grid else (0, 0),
        canvas_size=(grid.canvas_width, grid.canvas_height) if grid else (0, 0),
        tiles=tuple(
            TileScore(
                box,
                tuple(float(score) for score in scores.values[:, i]),
                tuple(float(r) for r in relevance[:, i]),
            )
            for i, box in enumerate(grid.boxes() if grid else ())
        ),
        sigma=SigmaSummary(
            minimum=smoothed.sigma_bounds[0],
            mean=float(smoothed.sigma_map.mean()),
            maximum=smoothed.sigma_bounds[1],
            kept_share=smoothed.kept_share,
        ),
        masked_share=0.0 if masked is None else float(masked.mean()),
        allocation=spending.allocation,
        offset_range=_offset_range(smoothed.offsets),
        doubts=plan.doubts,
        skipped=plan.skipped,
        timings_ms=timings_ms,
        tiles_encoded=scores.encoded,
        tiles_reused=scores.values.shape[1] - scores.encoded,
        changed_share=scores.changed_share,
        relevance_map=smoothed.relevance_map,
        sigma_map=smoothed.sigma_map,
        offsets=smoothed.offsets,
    )


def _offset_range(offsets: QuantiserMap | None) -> tuple[float, float]:
    if offsets is None:
        return 0.0, 0.0
    return float(offsets.values.mean()), float(offsets.values.max())


def _notes(plan: Plan, output_size: tuple[int, int]) -> tuple[str, ...]:
    notes = notes_on(plan)
    if not any(prompt.text for prompt in plan.prompts):
        notes.append(NOTE_EMPTY)
    else:
        notes += [prompt.note for prompt in plan.prompts if prompt.note]
        if plan.spending.mode == "default" and plan.spending.sigma_min > KEEP_SIGMA:
            notes.append(
                f"sigma_min is above {KEEP_SIGMA} px: relevant pixels are softened a little too"
            )
        if _guesses_codec(plan):
            notes.append(NOTE_NO_CODEC)
    if output_size != (plan.width, plan.height):
        ratio = output_size[0] * output_size[1] / (plan.width * plan.height)
        notes.append(
            f"reference mode sends the stretched canvas, {ratio:.2f} times the source's pixels; "
            "rates count source pixels"
        )
    return tuple(dict.fromkeys(notes))


def _guesses_codec(plan: Plan) -> bool:
    """Whether pixels were softened for a codec that nobody named."""
    spending = plan.spending
    softened = plan.grid is not None and plan.skipped is None and spending.share < 1.0
    return softened and spending.mapping == "matched" and spending.quantiser is USUAL_QUANTISER


def _prompt(prompt: Distilled) -> dict[str, Any]:
    return {
        "raw": prompt.raw,
        "text": prompt.text,
        "tokens": prompt.tokens,
        "kept": [{"text": w.text, "lemma": w.lemma, "pos": w.pos} for w in prompt.kept],
        "dropped": list(prompt.dropped),
        "removed_phrases": list(prompt.removed_phrases),
        "options": [{"letter": one.letter, "text": one.text} for one in prompt.options],
        "note": prompt.note,
    }
