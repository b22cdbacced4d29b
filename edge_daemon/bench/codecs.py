"""Every codec that works here: time, bytes and fidelity, without and with the prefilter.

Fidelity is PSNR against the unfiltered picture, over all of it: the prefilter lowers it on purpose,
where the prompt does not look. `edge_daemon.bench.allocation` tells how faithful the asked region
stays.
"""

from __future__ import annotations

import functools
import math
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, TypeVar

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge_daemon.bench.process import FFmpegHevc, ffmpegs
from edge_daemon.codecs import Codec, codec_ids, codec_status, get_codec
from edge_daemon.demo.scenes import make_scene
from edge_daemon.pictures import open_picture
from edge_daemon.prefilter import Prefilter
from edge_daemon.quantiser import QuantiserMap
from edge_daemon.settings import PrefilterSettings

SIZES = ((640, 480), (1920, 1080))
SHARES = (0.3, 0.55, 0.8)
"""Qualities, as shares of the way from a codec's worst to its best."""
SLOW_S = 20.0
"""A codec that takes longer than this for one picture is left out, and named."""

Made = TypeVar("Made")
Pixels = NDArray[np.uint8]
Forms = dict[str, tuple[Pixels, QuantiserMap | None]]
"""What is encoded of one picture: pixels and offsets for the quantiser, by name."""


def main(
    photo: Annotated[Path | None, typer.Option(help="A picture of your own.")] = None,
    prompt: Annotated[str, typer.Option(help="What it is asked.")] = "",
    codec: Annotated[list[str] | None, typer.Option(help="Only this codec. Repeatable.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Encodes and decodes per row.")] = 5,
) -> None:
    """Time every codec at three qualities, on a made-up scene or a picture of your own."""
    console = Console()
    prefilter = Prefilter.from_bundle("nano-icons", threads=2)
    for width, height in SIZES:
        forms = _forms(prefilter, photo, prompt, width, height)
        table = Table(
            title=f"{width}x{height}, medians of {rounds}",
            title_justify="left",
            box=box.SIMPLE_HEAD,
        )
        for name in ("codec", "quality", "prefilter"):
            table.add_column(name)
        for name in ("encode, ms", "decode, ms", "bytes", "bits per pixel", "PSNR, dB"):
            table.add_column(name, justify="right")
        left_out: list[str] = []
        for one in track(_chosen(codec), f"{width}x{height}", console=Console(stderr=True)):
            if one.expected_encode_s(width, height) > SLOW_S:
                left_out.append(one.codec_id)
                continue
            for row in _rows(one, forms, rounds):
                table.add_row(*row)
            table.add_section()
        console.print(table)
        if left_out:
            console.print(f"left out, over {SLOW_S:g} s a picture: {', '.join(left_out)}")
        _against_processes(console, forms["none"][0], rounds)


def _chosen(wanted: list[str] | None) -> list[Codec]:
    ids = [one for one in codec_ids() if not codec_status(one).problem]
    return [get_codec({"id": one}) for one in ids if not wanted or one in wanted]


def _forms(prefilter: Prefilter, photo: Path | None, prompt: str, width: int, height: int) -> Forms:
    if photo is None:
        scene = make_scene(1, width=width, height=height)
        pixels, prompt = scene.pixels, f"Where is the {scene.things[0].name}?"
    else:
        opened = open_picture(photo.read_bytes()).pixels
        resized = cv2.resize(opened, (width, height), interpolation=cv2.INTER_AREA)
        pixels = np.asarray(resized, np.uint8)
    forms: Forms = {"none": (pixels, None)}
    for allocation in ("smooth", "quantiser"):
        settings = PrefilterSettings(allocation=allocation)
        filtered, report = prefilter(pixels, prompt, settings)
        forms[allocation] = (filtered, report.offsets)
    return forms


def _rows(codec: Codec, forms: Forms, rounds: int) -> Iterator[list[str]]:
    worst, best = codec.qualities
    source = forms["none"][0]
    height, width = source.shape[:2]
    for share in SHARES:
        quality = worst + round(share * (best - worst))
        one = get_codec({**codec.get_config(), "quality": quality})
        for name, (pixels, offsets) in forms.items():
            if offsets is not None and not one.takes_map():
                continue
            encode_ms, bitstream = timed(functools.partial(one.encode, pixels, offsets), rounds)
            decode_ms, decoded = timed(
                functools.partial(one.decode, bitstream, width=width, height=height), rounds
            )
            error = float(np.mean((decoded.astype(np.float64) - source) ** 2))
            yield [
                codec.codec_id,
                str(quality),
                name,
                f"{encode_ms:.1f}",
                f"{decode_ms:.1f}",
                f"{len(bitstream):,}",
                f"{8 * len(bitstream) / (width * height):.3f}",
                f"{10 * math.log10(255**2 / max(error, 1e-3)):.2f}",
            ]


def _against_processes(console: Console, pixels: Pixels, rounds: int) -> None:
    """The in-process HEVC encoder beside a process per frame, taking turns."""
    codec = get_codec({"id": "hevc", "quality": 32})
    for program in ffmpegs():
        other = FFmpegHevc(program, quality=32)
        times: dict[str, list[float]] = {"here": [], "process": []}
        for number in range(3 * rounds + 1):
            for name, encode in (("here", codec.encode), ("process", other.encode)):
                spent_ms, _ = timed(functools.partial(encode, pixels), 1)
                if number:
                    times[name].append(spent_ms)
        here, process = (statistics.median(times[name]) for name in ("here", "process"))
        console.print(
            f"HEVC QP 32 in this process: {here:.1f} ms; a process of {program.name} per frame: "
            f"{process:.1f} ms, {process / here:.1f} times as long",
        )


def timed(work: Callable[[], Made], rounds: int) -> tuple[float, Made]:
    """Median milliseconds of some rounds, and what the last one made."""
    spent: list[float] = []
    made = None
    for _ in range(rounds):
        begun = time.perf_counter()
        made = work()
        spent.append(1000 * (time.perf_counter() - begun))
    assert made is not None
    return statistics.median(spent), made


if __name__ == "__main__":
    typer.run(main)
