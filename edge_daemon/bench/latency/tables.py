"""The figures as tables: titles, headings, cells; for terminals and Markdown alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge_daemon.bench.latency.against import BAR, Against
from edge_daemon.bench.latency.cameras import EndToEnd
from edge_daemon.bench.latency.overhead import (
    BAR_MS,
    BAR_SHARE,
    SIZE,
    TILES,
    Form,
    Overhead,
)
from edge_daemon.bench.latency.pairing import Median
from edge_daemon.bench.latency.published import Way
from edge_daemon.bench.latency.quantiles import Quantiles
from edge_daemon.bench.latency.results import Results
from edge_daemon.bench.latency.stages import STAGES, PromptTimes, StageTimes


@dataclass(frozen=True)
class Figures:
    """One table.

    Attributes:
        title: What it shows.
        caption: What the headings mean, in sentences.
        headings: Of the columns.
        words: How many columns, from the left, are words; the others are figures.
        rows: Cells.
    """

    title: str
    caption: str
    headings: tuple[str, ...]
    words: int
    rows: list[tuple[str, ...]]


_QUANTILES: Final = ("p50", "p95", "p99")
_SHOWN_STAGES: Final = STAGES[1:]
"""Without the prompt's words: they have a table of their own."""
_SHORT: Final[dict[Form, str]] = {"JPEG file": "file", "raw pixels": "raw"}
_SIDES: Final = ("library", "daemon")
_WAYS: Final[dict[Way, str]] = {
    "described": "as described",
    "hurried": "with our presets and fewer steps",
}


def tables_of(results: Results) -> list[Figures]:
    """The tables of what was measured."""
    tables: list[Figures] = []
    for bundle in dict.fromkeys(one.bundle for one in results.stages):
        tables.append(_stages([one for one in results.stages if one.bundle == bundle]))
    if results.prompts:
        tables.append(_prompts(results.prompts))
    if results.cameras:
        tables.append(_cameras(results.cameras))
    if results.overhead:
        tables.append(_overhead(results.overhead))
    for bundle in dict.fromkeys(one.bundle for one in results.overhead):
        tables.append(_parts([one for one in results.overhead if one.bundle == bundle]))
    for shown, way in dict.fromkeys((one.shown, one.way) for one in results.published):
        tables.append(
            _published([x for x in results.published if (x.shown, x.way) == (shown, way)])
        )
    return tables


def _stages(times: Sequence[StageTimes]) -> Figures:
    return Figures(
        f"Stages of a frame with {times[0].bundle}, in ms",
        f"Library, one frame at a time. Stages: medians of {times[0].total.count}; p50, p95 and "
        "p99 are of the sums of a frame's stages, with the prompt's words, which are remembered. "
        "on: what relevance is spent on, pixels (px) or a quantiser map.",
        ("size", "codec", "on", "tiles", *_SHOWN_STAGES, *_QUANTILES),
        3,
        [
            (
                str(one.size),
                str(one.codec["id"]),
                {"smooth": "px", "quantiser": "map"}.get(one.allocation, one.allocation),
                str(one.tiles),
                *(_ms(one.stages[stage].p50) for stage in _SHOWN_STAGES),
                *_three(one.total),
            )
            for one in times
        ],
    )


def _prompts(times: Sequence[PromptTimes]) -> Figures:
    return Figures(
        "A prompt's words distilled and embedded, in ms",
        f"Once per prompt: afterwards both are remembered. Of {times[0].new.count} prompts.",
        ("bundle", *(f"new, {one}" for one in _QUANTILES), "remembered, p50"),
        1,
        [(one.bundle, *_three(one.new), f"{one.remembered.p50:.2f}") for one in times],
    )


def _cameras(found: Sequence[EndToEnd]) -> Figures:
    return Figures(
        f"End to end: from sending a JPEG file of {found[0].size} to the result, in ms",
        "Daemon and cloud as processes; each camera has one frame under way (closed loop), and "
        "every frame is another picture. n: frames; frames/s: of all cameras.",
        ("bundle", "codec", "cameras", *_QUANTILES, "frames/s", "n"),
        2,
        [
            (
                one.bundle,
                str(one.codec["id"]),
                str(one.cameras),
                *_three(one.frame_ms),
                f"{one.frames_per_s:.1f}",
                str(one.frame_ms.count),
            )
            for one in found
        ],
    )


def _overhead(found: Sequence[Overhead]) -> Figures:
    return Figures(
        f"The daemon beside the bare library calls: a frame of {TILES} tiles, in ms",
        f"{SIZE}, {found[0].codec}, {found[0].paired.first.count} rounds in turns: the same bytes "
        "opened, filtered and encoded. library, daemon: medians; more: median of the rounds' "
        "differences with its 95 % interval, and as a share of the library's median. Bar: under "
        f"{BAR_MS:g} ms or {100 * BAR_SHARE:g} %.",
        ("bundle", "sent as", "library", "daemon", "more", "95 %", "share", "bar"),
        2,
        [
            (
                one.bundle,
                one.form,
                _ms(one.paired.first.p50),
                _ms(one.paired.second.p50),
                f"{one.paired.difference_ms.value:+.1f}",
                _interval(one.paired.difference_ms, 1),
                f"{100 * one.share:.1f} %",
                _met(met=one.met),
            )
            for one in found
        ],
    )


def _parts(found: Sequence[Overhead]) -> Figures:
    stages = dict.fromkeys(name for one in found for name in (*one.library_ms, *one.daemon_ms))
    shared = [name for name in stages if all(name in one.library_ms for one in found)]
    own = [name for name in stages if name not in shared]
    sides = [times for one in found for times in (one.library_ms, one.daemon_ms)]
    sums = [cell for one in found for cell in ("-", f"{one.own_ms:.2f}")]
    return Figures(
        f"The same stage by stage with {found[0].bundle}, medians in ms",
        "file, raw: sent as a JPEG file, as raw pixels. wait: for a thread; compare: with the "
        "camera's last picture; rest: messages, checks, queues, hashes, envelope, answer. own: "
        "the sum of these three.",
        ("stage", *(f"{_SHORT[one.form]}: {side}" for one in found for side in _SIDES)),
        1,
        [
            *(
                (name, *(f"{times[name]:.2f}" if name in times else "-" for times in sides))
                for name in (*shared, *own)
            ),
            ("own", *sums),
        ],
    )


def _published(found: Sequence[Against]) -> Figures:
    return Figures(
        f"Ours beside the published pipeline, {_WAYS[found[0].way]}: {found[0].shown}, in ms",
        f"{found[0].size}, {found[0].paired.first.count} rounds in turns, pixels to bitstream, the "
        "same bundle, codec, quality and threads. tiles: that the encoder saw, and kB: a thousand "
        "bytes of bitstream, ours/theirs. ours, theirs: medians; times: median of the rounds' "
        f"ratios with its 95 % interval. Bar: {BAR:g} times.",
        ("bundle", "codec", "tiles", "ours", "theirs", "times", "95 %", "kB", "bar"),
        2,
        [
            (
                one.bundle,
                str(one.codec["id"]),
                f"{one.tiles}/{one.published_tiles}",
                _ms(one.paired.first.p50),
                _ms(one.paired.second.p50),
                f"{one.paired.ratio.value:.2f}",
                _interval(one.paired.ratio, 2),
                f"{one.bitstream_bytes / 1e3:.0f}/{one.published_bytes / 1e3:.0f}",
                _met(met=one.met),
            )
            for one in found
        ],
    )


def _three(times: Quantiles) -> tuple[str, str, str]:
    return _ms(times.p50), _ms(times.p95), _ms(times.p99)


def _ms(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def _interval(median: Median, digits: int) -> str:
    if median.low is None or median.high is None:
        return "-"
    return f"{median.low:.{digits}f} to {median.high:.{digits}f}"


def _met(*, met: bool) -> str:
    return "met" if met else "missed"
