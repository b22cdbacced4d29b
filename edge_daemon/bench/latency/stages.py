"""The library's pipeline stage by stage, in this process: pixels to bitstream, one frame at a time.

Every picture differs from the one before and belongs to no camera, so nothing is reused but what
was computed of the prompt: its distillation and its embedding are remembered, as they are in the
daemon. What they take where they are new is measured by itself.
"""

from __future__ import annotations

import functools
import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.bench.latency.quantiles import Quantiles
from edge_daemon.bench.latency.workload import Size, new_prompts, pictures, spent_ms
from edge_daemon.codecs import Codec
from edge_daemon.prefilter import Prefilter

STAGES: Final = ("distil", "canvas", "encode", "smooth", "codec")
"""In order: the prompt's words; the picture resized and cut into tiles; the image encoder;
relevance and what it is spent on, smoothing or a quantiser map; the codec."""

_PROMPT = "Where is the bicycle?"


@dataclass(frozen=True)
class StageTimes:
    """One bundle, size and codec.

    Attributes:
        bundle: Its name.
        size: Of the pictures.
        codec: Id and options.
        allocation: What "auto" is for this codec.
        tiles: That the encoder saw.
        stages: By `STAGES`.
        total: Of the sums of a frame's stages.
    """

    bundle: str
    size: Size
    codec: dict[str, Any]
    allocation: str
    tiles: int
    stages: dict[str, Quantiles]
    total: Quantiles


@dataclass(frozen=True)
class PromptTimes:
    """What a prompt takes: distilling, tokenising and embedding.

    Attributes:
        bundle: Its name.
        new: Of prompts that were never seen.
        remembered: Of the same, once more.
    """

    bundle: str
    new: Quantiles
    remembered: Quantiles


def measure_stages(
    prefilter: Prefilter,
    codecs: Sequence[Codec],
    size: Size,
    rounds: int,
    seed: int,
    on_round: Callable[[], None] = lambda: None,
) -> list[StageTimes]:
    """Time every codec on the same pictures; in each round each of them takes its turn.

    Args:
        prefilter: With its settings.
        codecs: One row each, in order.
        size: Of the pictures.
        rounds: At least 1; one more comes first and does not count.
        seed: Decides the pictures.
        on_round: Called after each that counts.
    """
    sources = pictures(size, seed, rounds + 1)
    times: dict[str, dict[str, list[float]]] = {
        codec.codec_id: defaultdict(list) for codec in codecs
    }
    facts: dict[str, tuple[str, int]] = {}
    for number in range(rounds + 1):
        pixels = sources[number % len(sources)]
        for codec, stages, told in _one_round(prefilter, codecs, pixels):
            facts[codec.codec_id] = told
            if number:
                for name, ms in {**stages, "total": sum(stages.values())}.items():
                    times[codec.codec_id][name].append(ms)
        if number:
            on_round()
    return [
        StageTimes(
            prefilter.bundle.manifest.name,
            size,
            codec.get_config(),
            *facts[codec.codec_id],
            {name: Quantiles.of(times[codec.codec_id][name]) for name in STAGES},
            Quantiles.of(times[codec.codec_id]["total"]),
        )
        for codec in codecs
    ]


def _one_round(
    prefilter: Prefilter, codecs: Sequence[Codec], pixels: NDArray[np.uint8]
) -> list[tuple[Codec, dict[str, float], tuple[str, int]]]:
    """Each codec, the milliseconds of its frame's stages, and allocation and tiles."""
    found: list[tuple[Codec, dict[str, float], tuple[str, int]]] = []
    for codec in codecs:
        filtered, report = prefilter(pixels, _PROMPT, quantiser=codec.quantiser)
        codec_ms = spent_ms(functools.partial(codec.encode, filtered, report.offsets))
        stages = {**report.timings_ms, "codec": codec_ms}
        found.append((codec, stages, (report.allocation, len(report.tiles))))
    return found


def measure_prompts(prefilter: Prefilter, rounds: int) -> PromptTimes:
    """Time prompts that are new and prompts that are not.

    Args:
        prefilter: Must not have seen any of `new_prompts` yet.
        rounds: Prompts, at least 1; one more comes first and does not count.
    """
    black = np.zeros((32, 32, 3), np.uint8)

    def read(prompt: str) -> float:
        plan = prefilter.plan(black, prompt)
        return plan.timings_ms["distil"] + spent_ms(
            functools.partial(prefilter.bundle.encode_texts, plan.texts)
        )

    prompts = itertools.islice(new_prompts(), rounds + 1)
    times = [(read(prompt), read(prompt)) for prompt in prompts]
    new, remembered = zip(*times[1:], strict=True)
    return PromptTimes(prefilter.bundle.manifest.name, Quantiles.of(new), Quantiles.of(remembered))
