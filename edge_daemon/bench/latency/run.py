"""One run: what is to be timed, in which order, and the folder with all of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

from edge_daemon.bench.latency.against import SHOWN, measure_against
from edge_daemon.bench.latency.cameras import CODECS as SENT
from edge_daemon.bench.latency.cameras import measure_cameras
from edge_daemon.bench.latency.charts import draw_stages
from edge_daemon.bench.latency.machine import load, machine_facts
from edge_daemon.bench.latency.overhead import FORMS, measure_overhead
from edge_daemon.bench.latency.page import fragment
from edge_daemon.bench.latency.published import CODECS as PUBLISHED
from edge_daemon.bench.latency.results import Results
from edge_daemon.bench.latency.stages import measure_prompts, measure_stages
from edge_daemon.bench.latency.workload import Machinery, Size
from edge_daemon.charts import new_figure
from edge_daemon.codecs import codec_ids, codec_status, get_codec
from edge_daemon.errors import NoEncoderError
from edge_daemon.prefilter import Prefilter
from edge_daemon.settings import EncoderBackend

Part = Literal["stages", "cameras", "overhead", "published"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)

SLOW_S: Final = 20.0
"""A codec that takes longer for one picture is left out, and named."""
OVERHEAD_TURNS: Final = 3
"""Rounds of the overhead, which is small beside its noise, for one of the rest."""
_COMPILING_S: Final = 60.0


@dataclass(frozen=True)
class Plan:
    """What a run measures.

    Attributes:
        bundles: Names or paths.
        sizes: Of the pictures whose stages are timed.
        codecs: Ids; none: all that work here, of which cameras ask for `cameras.CODECS`.
        cameras: Numbers of cameras.
        parts: Of `PARTS`.
        rounds: Of everything that is timed in rounds.
        seconds: That each number of cameras sends.
        backend: Of the image encoder.
        threads: Of the encoders.
        tile_budget: Most tiles of a picture; `None` leaves it to the prefilter.
        seed: Decides the pictures.
    """

    bundles: tuple[str, ...] = ("nano-icons",)
    sizes: tuple[Size, ...] = (Size(640, 480), Size(1280, 720), Size(1920, 1080))
    codecs: tuple[str, ...] = ()
    cameras: tuple[int, ...] = (1, 2, 4, 8)
    parts: tuple[Part, ...] = PARTS
    rounds: int = 12
    seconds: float = 6.0
    backend: EncoderBackend = "auto"
    threads: int = 2
    tile_budget: int | None = None
    seed: int = 1

    def quick(self) -> Plan:
        """The same, seen in a hurry: few rounds, and the ends of what is given."""
        return replace(
            self,
            sizes=tuple(dict.fromkeys((self.sizes[0], self.sizes[-1]))),
            cameras=tuple(dict.fromkeys((self.cameras[0], self.cameras[-1]))),
            rounds=min(self.rounds, 3),
            seconds=min(self.seconds, 2.0),
        )


@dataclass(frozen=True)
class Outcome:
    """What a run left.

    Attributes:
        results: All figures.
        files: Names of those in its folder.
    """

    results: Results
    files: list[str]


@dataclass(frozen=True)
class _Chosen:
    """Codecs by what is done with them."""

    timed: tuple[str, ...]
    sent: tuple[str, ...]
    published: tuple[str, ...]
    left_out: tuple[str, ...]


def steps_of(plan: Plan) -> int:
    """How often a run reports that something is done."""
    chosen = _choose(plan)
    per_bundle = {
        "stages": len(plan.sizes) * plan.rounds,
        "cameras": len(chosen.sent) * len(plan.cameras),
        "overhead": len(FORMS) * OVERHEAD_TURNS * plan.rounds,
        "published": len(SHOWN) * len(chosen.published) * plan.rounds,
    }
    return len(plan.bundles) * sum(per_bundle[part] for part in plan.parts)


def run_bench(
    plan: Plan,
    output: Path,
    *,
    command: str = "edge-daemon bench",
    on_step: Callable[[], None] = lambda: None,
) -> Outcome:
    """Measure what the plan says, and write it down.

    Args:
        plan: See there.
        output: Folder for latency.json, latency.md and the charts; made if it is not there.
        command: What was called, for the record.
        on_step: Called `steps_of(plan)` times.

    Raises:
        EdgeError: A codec that was named cannot encode here, a daemon did not start, or matplotlib
            is not installed.
        models.BundleError: A bundle or the backend cannot be used.
    """
    chosen = _choose(plan)
    new_figure()  # without matplotlib there is an error now, not minutes later
    output.mkdir(parents=True, exist_ok=True)
    facts = machine_facts(chosen.timed)
    settings = {
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "threads": plan.threads,
        "backend": plan.backend,
        "tile_budget": plan.tile_budget,
        "seed": plan.seed,
    }
    results = Results({**facts, "command": command, "settings": settings, "runs_on": {}})
    if "stages" in plan.parts:
        results.left_out += chosen.left_out
    for bundle in plan.bundles:
        _measure(
            plan,
            chosen,
            Machinery(bundle, plan.backend, plan.threads, plan.tile_budget),
            results,
            on_step,
        )
    results.facts["load_at_the_end"] = load()
    files = ["latency.json", "latency.md", *draw_stages(results.stages, output)]
    (output / files[0]).write_text(results.json() + "\n", encoding="utf-8")
    (output / files[1]).write_text(fragment(results), encoding="utf-8")
    return Outcome(results, files)


def _measure(
    plan: Plan,
    chosen: _Chosen,
    machinery: Machinery,
    results: Results,
    on_step: Callable[[], None],
) -> None:
    """One bundle. Its own sessions are open before the daemon's and idle meanwhile."""
    prefilter = machinery.prefilter()
    _await_device(prefilter)
    rounds, seed = plan.rounds, plan.seed
    if "stages" in plan.parts:
        results.prompts.append(measure_prompts(prefilter, rounds))
        codecs = [get_codec({"id": name}) for name in chosen.timed]
        for size in plan.sizes:
            results.stages += measure_stages(prefilter, codecs, size, rounds, seed, on_step)
    if "published" in plan.parts:
        for name in chosen.published:
            codec = get_codec({"id": name})
            results.published += measure_against(prefilter, codec, rounds, seed, on_step)
    if "overhead" in plan.parts:
        results.overhead += measure_overhead(
            machinery, get_codec({"id": "jpeg"}), OVERHEAD_TURNS * rounds, seed, on_step
        )
    runs_on: dict[str, Any] = {
        "library": prefilter.bundle.describe(),
        "smoothing": prefilter.smooths_on,
    }
    if "cameras" in plan.parts:
        codecs = [get_codec({"id": name}) for name in chosen.sent]
        found, runs_on["daemon"] = measure_cameras(
            machinery, codecs, plan.cameras, plan.seconds, seed, on_step
        )
        results.cameras += found
    results.facts["runs_on"][machinery.bundle] = runs_on


def _choose(plan: Plan) -> _Chosen:
    """Raises `NoEncoderError` for a codec that was named and cannot encode here."""
    left_out: list[str] = []
    timed: list[str] = []
    for name in plan.codecs or codec_ids():
        problem = codec_status(name).problem
        if not problem and get_codec({"id": name}).expected_encode_s(1920, 1080) > SLOW_S:
            problem = f"it takes more than {SLOW_S:g} s for a picture"
        if not problem:
            timed.append(name)
        elif plan.codecs:
            raise NoEncoderError(
                f"the codec {name} cannot be timed here: {problem}",
                value=name,
                remedy="name others (`edge-daemon codecs` lists them)",
            )
        else:
            left_out.append(f"{name}: {problem}")
    sent = timed if plan.codecs else [name for name in SENT if name in timed]
    published = [name for name in PUBLISHED if name in timed]
    return _Chosen(tuple(timed), tuple(sent), tuple(published), tuple(left_out))


def _await_device(prefilter: Prefilter) -> None:
    """Until a GPU that encodes smooths as well; until then the CPU does, which is not the same."""
    until = time.monotonic() + _COMPILING_S
    on_gpu = prefilter.bundle.image_stream is not None
    while on_gpu and prefilter.smooths_on != "cuda" and time.monotonic() < until:
        time.sleep(0.1)
