"""What a camera that stands still saves: tiles reused, what that does to relevance, and time.

A small piece of another picture moves over each picture. Every frame is computed twice, with the
camera's memory and without. Noise alone changes relevance from frame to frame, so a column tells by
how much full computation differs if the frame had the first frame's noise: what is reused has that.
Errors are the largest over all frames and tiles: of relevance as a share of the frame's largest,
of sigma in source pixels. Time is that of comparing and encoding, as a ratio in one run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge_daemon.demo.scenes import make_scene
from edge_daemon.pictures import open_picture
from edge_daemon.prefilter import Plan, Prefilter
from edge_daemon.prefilter.allocation import finer_relevance
from edge_daemon.prefilter.relevance import block_relevance, tile_relevance
from edge_daemon.prefilter.smoothing import sigma_for
from edge_daemon.settings import VideoSettings

SUFFIXES: Final = (".avif", ".jpeg", ".jpg", ".png", ".webp")
CASES: Final = ((0.0, False), (1.0, False), (2.0, False), (4.0, False), (0.0, True), (2.0, True))
"""Noise in grey levels, and whether the frame is coded as JPEG in between."""
JPEG_QUALITY: Final = 90
STEP: Final = 0.015
"""Of the picture's width, per frame."""

Pixels = NDArray[np.uint8]


@dataclass
class Figures:
    """Of one case, over all pictures."""

    encoded: int = 0
    reused: int = 0
    relevance: list[float] = field(default_factory=list[float])
    from_noise: list[float] = field(default_factory=list[float])
    sigma: list[float] = field(default_factory=list[float])
    full_s: float = 0.0
    reused_s: float = 0.0

    def row(self) -> list[str]:
        """Its cells of the table."""
        return [
            f"{100 * self.reused / (self.encoded + self.reused):.1f} %",
            f"{100 * max(self.relevance):.2f} %",
            f"{100 * float(np.median(self.relevance)):.2f} %",
            f"{100 * max(self.from_noise):.2f} %",
            f"{max(self.sigma):.2f}",
            f"{self.full_s / self.reused_s:.2f}",
        ]


@dataclass(frozen=True)
class Found:
    """One frame, scored."""

    plan: Plan
    relevance: NDArray[np.float64]
    """Of the tiles, (texts, tiles)."""
    encoded: int
    seconds: float
    """For comparing and encoding."""

    def sigma(self) -> NDArray[np.float64]:
        """The sigma map, in source pixels."""
        assert self.plan.grid is not None
        spending = self.plan.spending
        blocks = block_relevance(self.relevance, self.plan.grid).max(axis=0)
        return sigma_for(finer_relevance(blocks, spending.margin), spending)


def find(prefilter: Prefilter, image: Pixels, prompt: str, camera: str | None) -> Found:
    """Plan and score one frame."""
    plan = prefilter.plan(image, prompt, camera=camera)
    begun = time.perf_counter()
    (scores,) = prefilter.score([plan])
    seconds = time.perf_counter() - begun + plan.timings_ms.get("compare", 0.0) / 1e3
    relevance = tile_relevance(scores.values, plan.spending.sharpness)
    return Found(plan, relevance, scores.encoded, seconds)


def error(one: Found, other: Found) -> float:
    """Largest difference of the tiles' relevance, as a share of the second frame's largest."""
    return float(np.abs(one.relevance - other.relevance).max() / other.relevance.max())


def moving(picture: Pixels, other: Pixels, share: float, frames: int) -> Iterator[Pixels]:
    """Another picture, shrunk to a share of this one's width, moves over this one."""
    height, width = picture.shape[:2]
    side = max(1, min(int(share * width), height // 2))
    piece = cv2.resize(other, (side, side), interpolation=cv2.INTER_AREA)
    for number in range(frames):
        left = min(width - side, int(width * (0.1 + STEP * number)))
        top = min(height - side, int(height * 0.45 + 0.25 * STEP * number * width))
        frame = np.array(picture)
        frame[top : top + side, left : left + side] = piece
        yield frame


def recorded(frame: Pixels, noise: float, seed: int, *, coded: bool) -> Pixels:
    """The frame as a camera delivers it."""
    grain = np.random.default_rng(seed).normal(0.0, noise, frame.shape) if noise else 0.0
    pixels = np.clip(frame + grain + 0.5, 0, 255).astype(np.uint8)
    if not coded:
        return pixels
    _, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)


def measure(
    prefilter: Prefilter, clip: list[Pixels], case: tuple[float, bool], prompt: str, into: Figures
) -> None:
    """One picture under one kind of noise. The first frame, in which all is new, is left out."""
    noise, coded = case
    camera = f"{id(clip)} {case}"
    for number, frame in enumerate(clip):
        image = recorded(frame, noise, number, coded=coded)
        if number == 0:
            find(prefilter, image, prompt, camera)
            continue
        reused, full = (find(prefilter, image, prompt, name) for name in (camera, None))
        as_first = find(prefilter, recorded(frame, noise, 0, coded=coded), prompt, None)
        into.encoded += reused.encoded
        into.reused += reused.relevance.shape[1] - reused.encoded
        into.relevance.append(error(reused, full))
        into.from_noise.append(error(as_first, full))
        into.sigma.append(float(np.abs(reused.sigma() - full.sigma()).max()))
        into.full_s += full.seconds
        into.reused_s += reused.seconds


def main(
    photos: Annotated[
        Path | None, typer.Argument(help="Folder of photographs, searched in depth.")
    ] = None,
    bundle: Annotated[str, typer.Option(help="Bundle name or path.")] = "nano-icons",
    prompt: Annotated[str, typer.Option(help="What is asked for.")] = "Where is the car?",
    share: Annotated[float, typer.Option(help="Of the width that moves, 0..1.")] = 0.06,
    frames: Annotated[int, typer.Option(min=2, help="Frames per picture.")] = 6,
    most: Annotated[int, typer.Option(min=2, help="Most pictures.")] = 12,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the encoders.")] = 2,
    levels: Annotated[float | None, typer.Option(help="video.change_levels.")] = None,
) -> None:
    """Print what reuse saves on photographs, or on made-up scenes without any."""
    console = Console()
    console.width = max(console.width, 110)
    video = VideoSettings() if levels is None else VideoSettings(change_levels=levels)
    prefilter = Prefilter.from_bundle(bundle, video=video, threads=threads)
    if photos is None:
        pictures = [
            make_scene(seed, width=width, height=height).pixels
            for width, height in ((640, 480), (1920, 1080))
            for seed in (1, 2)
        ]
    else:
        files = sorted(file for file in photos.rglob("*") if file.suffix.lower() in SUFFIXES)
        pictures = [open_picture(file.read_bytes()).pixels for file in files[:most]]
    if len(pictures) < 2:
        raise typer.BadParameter(f"fewer than two photographs in {photos}")
    title = f"{len(pictures)} pictures, {frames} frames each; change_levels {video.change_levels:g}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("noise")
    for heading in (
        "tiles reused",
        "worst relevance error",
        "median",
        "worst of noise alone",
        "worst sigma error, px",
        "times as fast",
    ):
        table.add_column(heading, justify="right")
    clips = [
        list(moving(picture, pictures[(number + 1) % len(pictures)], share, frames))
        for number, picture in enumerate(pictures)
    ]
    for case in track(CASES, console=Console(stderr=True), transient=True):
        figures = Figures()
        for clip in clips:
            measure(prefilter, clip, case, prompt, figures)
        noise, coded = case
        table.add_row(f"{noise:g}{f', JPEG q {JPEG_QUALITY}' if coded else ''}", *figures.row())
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
