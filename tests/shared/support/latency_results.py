"""Results of a latency run that nobody ran: round figures, to be looked for in tables and files."""

from __future__ import annotations

from edge_daemon.bench.latency.against import SHOWN, Against
from edge_daemon.bench.latency.cameras import EndToEnd
from edge_daemon.bench.latency.overhead import Overhead
from edge_daemon.bench.latency.pairing import Paired
from edge_daemon.bench.latency.quantiles import Quantiles
from edge_daemon.bench.latency.results import Results
from edge_daemon.bench.latency.stages import STAGES, PromptTimes, StageTimes
from edge_daemon.bench.latency.workload import Size

FACTS = {
    "date": "2026-11-26T12:00:00+00:00",
    "cpu": "Abacus 9",
    "cores": 2,
    "load": 0.1,
    "system": "Linux-6-x86_64",
    "python": "3.11.9",
    "packages": {"numpy": "2.4.0"},
    "codecs": {"jpeg": "libjpeg-turbo 3.1"},
    "command": "edge-daemon bench --quick",
    "settings": {"rounds": 10},
    "runs_on": {
        "nano-icons": {
            "library": {
                "name": "nano-icons",
                "precision": "fp32",
                "backend": "cpu",
                "image": {"backend": "onnxruntime 1.32.0"},
            },
            "smoothing": "c",
        }
    },
}


def made_up(**times_ms: tuple[float, float]) -> Results:
    """Ten rounds of everything, in which all times are the same.

    Args:
        times_ms: `overhead` (library, daemon) and `published` (ours, published).
    """
    stages = {
        stage: Quantiles.of([value] * 10)
        for stage, value in zip(STAGES, (0.1, 5.0, 60.0, 10.0, 1500.0), strict=True)
    }
    codecs = {"jpeg": "quantiser", "hevc": "quantiser", "vvc": "smooth"}
    library, daemon = times_ms.get("overhead", (80.0, 82.5))
    ours, theirs = times_ms.get("published", (100.0, 300.0))
    return Results(
        dict(FACTS),
        prompts=[PromptTimes("nano-icons", Quantiles.of([2.5]), Quantiles.of([0.125]))],
        stages=[
            StageTimes(
                "nano-icons",
                Size(3840, 2160),
                {"id": codec, "quality": 32},
                allocation,
                40,
                stages,
                Quantiles.of([1575.1] * 10),
            )
            for codec, allocation in codecs.items()
        ],
        cameras=[
            EndToEnd(
                "nano-icons", {"id": "hevc"}, Size(1280, 720), 8, Quantiles.of([1234.5] * 99), 6.54
            )
        ],
        overhead=[
            Overhead(
                "nano-icons",
                "jpeg",
                form,
                24,
                Paired.of([library] * 10, [daemon] * 10),
                {"open": 9.0, "encode": 60.0, "codec": 11.0},
                {"wait": 0.5, "open": 9.0, "encode": 60.0, "codec": 11.0, "rest": 2.0},
            )
            for form in ("JPEG file", "raw pixels")
        ],
        published=[
            Against(
                "nano-icons",
                {"id": "jpeg"},
                shown,
                "described",
                Size(1920, 1080),
                tiles,
                45,
                Paired.of([ours] * 10, [theirs] * 10),
                281_600,
                410_200,
            )
            for shown, tiles in zip(SHOWN, (24, 5), strict=True)
        ],
        left_out=["cheng2020: no environment"],
    )
