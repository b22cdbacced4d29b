"""How well frames meet a budget: within it, how much of it is used, and in how many encodes.

Three ways for the same photographs to arrive: each from a camera of its own, of which nothing is
known; all from one camera, unrelated to each other; and as a video, a window that drifts over each
of them. Frames whose best form takes less than the budget are left out of the share used, because
nothing could have used more of it. Refused frames (nothing within the bounds fits) count as outside
the budget, and their encodes count.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge_daemon.codecs import Codec, codec_ids, codec_status, get_codec
from edge_daemon.errors import OverBudgetError
from edge_daemon.pictures import open_picture
from edge_daemon.rate import Attempt, Budget, Knob, Policy, RateController

SUFFIXES = (".avif", ".jpeg", ".jpg", ".png", ".webp")
SLOW = ("cheng2020", "vvc")
"""Left out unless they are asked for."""
VIDEO_FRAMES = 16
WINDOW = 0.7
"""Of the picture's sides, for a video."""

LEAST_WITHIN, LEAST_SHARE, MOST_ENCODES = 0.95, 0.85, 2.2
"""What a case should meet: frames within, mean share used, mean encodes."""

Pixels = NDArray[np.uint8]
Frame = tuple[str, Pixels]


@dataclass
class Outcomes:
    """What became of the frames of one case.

    Attributes:
        frames: All of them.
        exceeding: Those that took more than the budget. There must be none.
        refused: Those that could not fit.
        at_best: Those that fitted in their best form.
        encodes: Of all frames.
        most: Encodes of the one that took most; of those that fitted.
        shares: Of the budget, for those that fitted and were limited by it.
    """

    frames: int = 0
    exceeding: int = 0
    refused: int = 0
    at_best: int = 0
    encodes: int = 0
    most: int = 0
    shares: list[float] = field(default_factory=list[float])

    def row(self) -> list[str]:
        """Its cells of the table."""
        within = (self.frames - self.refused - self.exceeding) / self.frames
        share = statistics.mean(self.shares) if self.shares else None
        encodes = self.encodes / self.frames
        aims = (within >= LEAST_WITHIN, share is None or share >= LEAST_SHARE)
        met = all(aims) and encodes <= MOST_ENCODES
        return [
            str(self.frames),
            f"{100 * within:.1f} %",
            str(self.refused),
            str(self.at_best),
            "-" if share is None else f"{100 * share:.1f} %",
            f"{encodes:.2f}",
            str(self.most),
            "yes" if met else "no",
        ]


def arrivals(pictures: list[Pixels]) -> dict[str, list[Frame]]:
    """Frames with their camera's name, by the way in which they arrive."""
    return {
        "own cameras": [(str(n), picture) for n, picture in enumerate(pictures)],
        "one camera": [("one", picture) for picture in pictures],
        "video": [(str(n), frame) for n, one in enumerate(pictures) for frame in drifting(one)],
    }


def drifting(picture: Pixels) -> Iterator[Pixels]:
    """A window that moves over a picture by an odd number of pixels from frame to frame."""
    height, width = picture.shape[:2]
    rows, columns = int(height * WINDOW), int(width * WINDOW)
    for number in range(VIDEO_FRAMES):
        top = (height - rows) * number // VIDEO_FRAMES
        left = (width - columns) * number // VIDEO_FRAMES
        yield picture[top : top + rows, left : left + columns]


def measure(codec: Codec, frames: list[Frame], bpp: float, policy: Policy) -> Outcomes:
    """Fit every frame, in order, with one controller.

    Args:
        codec: At any quality.
        frames: With their cameras.
        bpp: The budget, in bits per source pixel.
        policy: What may be given up.
    """
    controller = RateController(policy)
    outcomes = Outcomes()
    for camera, pixels in frames:
        height, width = pixels.shape[:2]
        budget = Budget(max(1, int(bpp * height * width / 8)))

        def encode(attempt: Attempt, pixels: Pixels = pixels) -> tuple[bytes, None]:
            return encoded(codec, pixels, attempt), None

        outcomes.frames += 1
        try:
            fitted = controller.fit(camera, codec, pixels, budget, encode, now=0.0)
        except OverBudgetError:
            outcomes.refused += 1
            continue
        outcomes.exceeding += len(fitted.bitstream) > (budget.frame_bytes or 0)
        outcomes.most = max(outcomes.most, fitted.encodes)
        if fitted.ceiling:
            outcomes.at_best += 1
        else:
            outcomes.shares.append(fitted.share)
    cameras = {camera for camera, _ in frames}
    outcomes.encodes = sum(controller.counters(camera).encodes for camera in cameras)
    return outcomes


def encoded(codec: Codec, pixels: Pixels, attempt: Attempt) -> bytes:
    """A whole picture at an attempt's quality and scale; nothing in it is irrelevant."""
    if attempt.scale < 1:
        size = [max(1, round(side * attempt.scale)) for side in (pixels.shape[1], pixels.shape[0])]
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return get_codec({**codec.get_config(), "quality": attempt.quality}).encode(pixels)


def main(
    photos: Annotated[Path, typer.Argument(help="Folder of photographs, searched in depth.")],
    codec: Annotated[list[str] | None, typer.Option(help="Codec id; repeatable.")] = None,
    bpp: Annotated[
        list[float] | None, typer.Option(help="Budget in bits per source pixel; repeatable.")
    ] = None,
    quality_only: Annotated[
        bool, typer.Option(help="Refuse what the worst useful quality does not fit.")
    ] = False,
) -> None:
    """Print how often budgets are met, how much of them is used, and in how many encodes."""
    console = Console()
    console.width = max(console.width, 120)
    files = sorted(file for file in photos.rglob("*") if file.suffix.lower() in SUFFIXES)
    pictures = [open_picture(file.read_bytes()).pixels for file in files]
    if not pictures:
        raise typer.BadParameter(f"no photographs in {photos}")
    order: tuple[Knob, ...] = ("quality",) if quality_only else ("quality", "scale")
    title = (
        f"{len(pictures)} photographs; what is given up: {', '.join(order)}; met: at least "
        f"{LEAST_WITHIN:.0%} within, {LEAST_SHARE:.0%} used, at most {MOST_ENCODES} encodes"
    )
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("codec", "frames arrive as"):
        table.add_column(heading)
    for heading in ("bpp", "frames", "within", "refused", "at best", "used", "encodes", "most"):
        table.add_column(heading, justify="right")
    table.add_column("met")
    chosen = codec or [one for one in codec_ids() if one not in SLOW and works(one)]
    cases = [
        (one, name, frames, budget)
        for one in chosen
        for name, frames in arrivals(pictures).items()
        for budget in bpp or (0.3, 0.6, 1.0, 1.5)
    ]
    for one, name, frames, budget in track(cases, console=Console(stderr=True), transient=True):
        outcomes = measure(get_codec({"id": one}), frames, budget, Policy(order=order))
        table.add_row(one, name, f"{budget:g}", *outcomes.row())
    console.print(table)


def works(codec_id: str) -> bool:
    """Whether a codec encodes here."""
    return not codec_status(codec_id).problem


if __name__ == "__main__":
    typer.run(main)
