"""All that a run found, and its JSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from edge_daemon.bench.latency.against import BAR, Against
from edge_daemon.bench.latency.cameras import EndToEnd
from edge_daemon.bench.latency.overhead import BAR_MS, BAR_SHARE, Overhead
from edge_daemon.bench.latency.stages import PromptTimes, StageTimes


@dataclass
class Results:
    """Filled in as a run goes on.

    Attributes:
        facts: Machine, versions, settings, seed, and what each bundle ran on.
        prompts: Per bundle.
        stages: Per bundle, size and codec.
        cameras: Per bundle, codec and number of cameras.
        overhead: Per bundle and form of the pictures.
        published: Per bundle, codec, kind of pictures, and way of the published pipeline.
        left_out: What was not measured, and why.
    """

    facts: dict[str, Any]
    prompts: list[PromptTimes] = field(default_factory=list[PromptTimes])
    stages: list[StageTimes] = field(default_factory=list[StageTimes])
    cameras: list[EndToEnd] = field(default_factory=list[EndToEnd])
    overhead: list[Overhead] = field(default_factory=list[Overhead])
    published: list[Against] = field(default_factory=list[Against])
    left_out: list[str] = field(default_factory=list[str])

    def json(self) -> str:
        """Every figure, with its bar where it has one. Times are in ms, sizes [width, height]."""
        return json.dumps(
            {
                "facts": self.facts,
                "prompts": [dataclasses.asdict(one) for one in self.prompts],
                "stages": [dataclasses.asdict(one) for one in self.stages],
                "cameras": [dataclasses.asdict(one) for one in self.cameras],
                "overhead": {
                    "bar_ms": BAR_MS,
                    "bar_share": BAR_SHARE,
                    "found": [
                        {
                            **dataclasses.asdict(one),
                            "share": one.share,
                            "own_ms": one.own_ms,
                            "met": one.met,
                        }
                        for one in self.overhead
                    ],
                },
                "published": {
                    "bar_ratio": BAR,
                    "found": [
                        {**dataclasses.asdict(one), "met": one.met} for one in self.published
                    ],
                },
                "left_out": self.left_out,
            },
            indent=2,
        )
