"""The study's HTML page: for each task its curves, BD-rates and example pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final

from edge_daemon.study.methods.catalogue import PLAIN
from edge_daemon.study.page import document, figure
from edge_daemon.study.tasks.task import Measure
from edge_daemon.study.trials.examples import CROP_SIDE, JPEG_QUALITY, PICTURE_SIDE, Example, View
from edge_daemon.study.trials.numbers import judgement
from edge_daemon.study.trials.report import MeasureReport, TaskReport, ranked
from edge_daemon.study.trials.tables import (
    at_best_table,
    bd_rate_table,
    comparisons_table,
    points_table,
)

_MOST_FAILURES: Final = 20
"""That a page names; it counts the others."""
_TITLE: Final = "rate against accuracy"
_READING: Final = """
<h2 id="reading">How to read this</h2>
<ul>
<li>Every picture was sent by every method with every codec at several qualities, and the picture
that came out was given to the task's consumer. The rate is all bits over all pixels of the
<em>source</em> pictures, whatever size was sent.</li>
<li><b>BD-rate</b> is the mean difference of two curves' rates (of their logarithms) over the
values that both reach: −30 % says that 30 % fewer bits reach the same value. <b>Negative is
better</b>; 0 is the codec alone. What is outside the common values does not count.</li>
<li>Measured curves waver; each is made to rise before it is compared. The charts' lines are what
is compared, their marks are all that was measured.</li>
<li>The <b>95 % interval</b> says how much the BD-rate depends on which questions happened to be
asked: questions are drawn with replacement, the same for both curves, and all is computed again.
It knows nothing of other tasks, pictures or consumers.</li>
<li>A BD-rate says nothing of values that a method never reaches. So look at the table <b>at the
best quality</b> too: there a method should lose nothing, or what it saves has been paid for by
accuracy.</li>
<li>Methods that send another number of pixels have a second figure, <b>per sent pixel</b>, as the
released reference counts. It divides by what was sent, not by what was to be seen, and is shown
for comparison only.</li>
</ul>
"""


def write_report(tasks: Sequence[TaskReport], facts: Mapping[str, object], folder: Path) -> Path:
    """Write `index.html`.

    Args:
        tasks: In the order to show them; their files lie in the folder already.
        facts: What it takes to repeat the study, as JSON; "command", "bundle" and "notice" (the
            bundle's caveat, may be empty) are among them.
        folder: Where to.

    Returns:
        The page.
    """
    notice = str(facts["notice"])
    bundle = f"<b>{escape(str(facts['bundle']))}</b>"
    caveat = (
        f'<p class="notice">Relevance is by {bundle}: {escape(notice)}.</p>'
        if notice
        else f"<p>Relevance is by {bundle}.</p>"
    )
    contents = " · ".join(
        f'<a href="#task-{number}">{escape(task.name)}</a>' for number, task in enumerate(tasks, 1)
    )
    sections = "\n".join(_task(number, task) for number, task in enumerate(tasks, 1))
    rest = {name: fact for name, fact in facts.items() if name != "command"}
    body = f"""<h1>Rate against accuracy</h1>
<p>What a picture may lose on its way to a machine that answers a question about it:
bits on one side, right answers on the other.</p>
<p>{contents} · <a href="#reading">how to read this</a> · <a href="#repeat">to repeat it</a></p>
{caveat}
{sections}
{_READING}
<h2 id="repeat">To repeat it</h2><pre>{escape(str(facts["command"]))}</pre>
<pre>{escape(json.dumps(rest, indent=1, ensure_ascii=False))}</pre>"""
    page = folder / "index.html"
    page.write_text(document(_TITLE, body), encoding="utf-8")
    return page


def _task(number: int, task: TaskReport) -> str:
    measures = [one.measure for one in task.measures]
    return f"""<h2 id="task-{number}">{escape(task.name)}</h2>
<p>{escape(task.about)} {task.questions:,} questions were asked for.</p>
{_items("Not measured:", task.left_out)}
{_failures(task)}
{"".join(_measure(one) for one in task.measures)}
{_examples(task.examples, measures)}"""


def _measure(one: MeasureReport) -> str:
    name = one.measure.name
    head = f"<h3>{escape(name)}: {escape(one.measure.unit)}</h3>"
    if not one.points:
        return f"{head}<p>No question was sent and judged in every way, so nothing compares.</p>"
    order = ranked(one.comparisons)
    rates = bd_rate_table(one.comparisons, order, PLAIN) if one.comparisons else ""
    drawn = "".join(
        figure(f"{name} with {codec}; methods by BD-rate, the lowest first", file)
        for codec, file in one.charts.items()
    )
    return f"""{head}
{rates}
{at_best_table(one.measure, one.at_best, [PLAIN, *order], PLAIN)}
<div class="charts wide">{drawn}</div>
<details><summary>How each BD-rate came about</summary>
<div class="wrap">{comparisons_table(one.comparisons)}</div></details>
<details><summary>All points</summary>
<div class="wrap">{points_table(one.measure, one.points)}</div></details>
"""


def _failures(task: TaskReport) -> str:
    told = [f"{one.question}: {one.code}: {one.problem}" for one in task.failures]
    more = len(told) - _MOST_FAILURES
    shown = told[:_MOST_FAILURES] + ([f"and {more:,} more"] if more > 0 else [])
    return _items(
        f"{len(told):,} of {task.questions:,} questions could not be sent or judged:",
        shown,
    )


def _items(head: str, items: Sequence[str]) -> str:
    listed = "".join(f"<li>{escape(one)}</li>" for one in items)
    return f"<p>{escape(head)}</p><ul>{listed}</ul>" if listed else ""


def _examples(examples: Sequence[Example], measures: Sequence[Measure]) -> str:
    if not examples:
        return ""
    shown = "\n".join(_example(one, measures) for one in examples)
    return f"""<h3>Examples</h3>
<p>Questions chosen by chance, every method at the same quality. Here whole pictures are JPEG of
quality {JPEG_QUALITY}, at most {PICTURE_SIDE} pixels along a side; what was asked about is cut out
without loss, about {CROP_SIDE} pixels along its longer side. bpp is bits per source pixel; measures
are in the units named above.</p>
{shown}"""


def _example(example: Example, measures: Sequence[Measure]) -> str:
    source = _pair("source, with what is asked about", example.picture, example.crop)
    views = "".join(
        _pair(_caption(view, measures), view.picture, view.crop) for view in example.views
    )
    return f"""<h4><q>{escape(example.prompt)}</q> Answer: {escape(example.answer)}</h4>
<p>Question {escape(example.question)}, sent with {escape(example.codec)}.</p>
<div class="views">{source}{views}</div>"""


def _pair(caption: str, picture: str, crop: str) -> str:
    images = "".join(
        f'<a href="{escape(file)}"><img src="{escape(file)}" loading="lazy" '
        f'alt="{escape(f"{what}: {caption}")}"{style}></a>'
        for what, file, style in (
            ("whole picture", picture, ""),
            ("what is asked about", crop, ' class="crop"'),
        )
    )
    return f"<figure>{images}<figcaption>{escape(caption)}</figcaption></figure>"


def _caption(view: View, measures: Sequence[Measure]) -> str:
    judged = (judgement(*pair) for pair in zip(measures, view.values, strict=True))
    sent = (
        f", {view.sent_pixels:,} pixels sent for {view.pixels:,}"
        if view.sent_pixels != view.pixels
        else ""
    )
    return (
        f"{view.method}: {view.bytes:,} bytes, {8 * view.bytes / view.pixels:.4f} bpp{sent}; "
        f"{', '.join(judged)}"
    )
