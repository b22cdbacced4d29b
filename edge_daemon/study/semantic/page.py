"""The study's HTML page: means, charts, and pictures with the texts that stand for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from edge_daemon.study.page import document, figure
from edge_daemon.study.semantic.table import Mean, Point


@dataclass(frozen=True)
class Example:
    """One picture with what each method makes of it.

    Attributes:
        group: Of the case.
        name: Of the case.
        question: What it was asked; may be empty.
        source: File of the picture, relative to the page.
        points: One per method.
        pictures: Method to the file of what it can show, relative to the page.
    """

    group: str
    name: str
    question: str
    source: str
    points: tuple[Point, ...]
    pictures: Mapping[str, str]


def write_page(
    means: Sequence[Mean],
    examples: Sequence[Example],
    charts: Mapping[str, str],
    facts: Mapping[str, object],
    notice: str,
    left_out: Sequence[str],
    file: Path,
) -> None:
    """Write the page.

    Args:
        means: Per group and method.
        examples: In the order to show them.
        charts: Caption to file, relative to the page.
        facts: What it takes to repeat the study.
        notice: The bundle's caveat; may be empty.
        left_out: What was not measured, and why.
        file: Where to.
    """
    bundle = escape(str(facts["bundle"]))
    caveat = (
        f'<p class="notice">All scores are by <b>{bundle}</b>: {escape(notice)}. On anything else '
        "they say how the machinery behaves, and nothing about meaning.</p>"
        if notice
        else f"<p>All scores are by <b>{bundle}</b>.</p>"
    )
    omitted = "".join(f"<li>{escape(one)}</li>" for one in left_out)
    missing = f"<p>Not measured:</p><ul>{omitted}</ul>" if omitted else ""
    drawn = "".join(figure(caption, chart) for caption, chart in charts.items())
    shown = "\n".join(_example(example) for example in examples)
    body = f"""<h1>Meaning in a few hundred bytes</h1>
<p>Each picture was sent as a tiny picture, as a text, and as a text with side
information. CLIPSim is the cosine of the source's embedding and that of what the cloud can show; a
text that nobody draws has none, only its own cosine with the source, which is on another scale.
Bytes are those of the bitstream; bpp is bits per source pixel.</p>
{caveat}
{missing}
<h2>Means</h2>{_means(means)}
<h2>Charts</h2><div class="charts">{drawn}</div>
<h2>Pictures</h2>
{shown}
<h2>To repeat it</h2><pre>{escape(json.dumps(facts, indent=1))}</pre>"""
    file.write_text(document("meaning in a few hundred bytes", body), encoding="utf-8")


def _means(means: Sequence[Mean]) -> str:
    rows = "".join(
        f"<tr><td>{escape(one.group)}: {escape(one.method)}</td><td>{one.pictures}</td>"
        f"<td>{one.bytes:,.0f}</td><td>{one.bpp:.4f}</td>"
        f"<td>{_cosine(one.clipsim)}</td><td>{_cosine(one.text_cosine)}</td></tr>"
        for one in means
    )
    return (
        "<table><tr><th>method</th><th>pictures</th><th>bytes, mean</th><th>bpp, mean</th>"
        f"<th>CLIPSim, mean</th><th>text-picture cosine, mean</th></tr>{rows}</table>"
    )


def _example(example: Example) -> str:
    question = f": <q>{escape(example.question)}</q>" if example.question else ""
    figures = figure("source", example.source) + "".join(
        figure(_caption(point), example.pictures[point.method])
        for point in example.points
        if point.method in example.pictures
    )
    texts = "".join(
        f"<tr><td>{escape(point.method)}</td><td>{point.bytes:,}</td>"
        f"<td>{_cosine(point.text_cosine)}</td>"
        f'<td class="text">{escape(point.text)}</td></tr>'
        for point in example.points
        if point.utf8_bytes is not None
    )
    return f"""<h3>{escape(example.group)}, {escape(example.name)}{question}</h3>
<div class="strip">{figures}</div>
<table><tr><th>text</th><th>bytes sent</th><th>cosine</th><th>what was sent</th></tr>{texts}</table>
"""


def _caption(point: Point) -> str:
    return f"{point.method}: {point.bytes:,} bytes, CLIPSim {_cosine(point.clipsim)}"


def _cosine(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
