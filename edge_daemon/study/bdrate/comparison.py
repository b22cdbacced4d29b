"""Every series against the anchor, as rows of two tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from edge_daemon.study.bdrate.bootstrap import MOST_LOST, bootstrap
from edge_daemon.study.bdrate.delta import Refusal, Rules, compare, curves
from edge_daemon.study.bdrate.errors import ResultsError
from edge_daemon.study.bdrate.monotone import Curve
from edge_daemon.study.bdrate.series import Series


@dataclass(frozen=True)
class Comparison:
    """One series against the anchor with the same codec.

    Attributes:
        codec, series, anchor: Names.
        bd_rate: Percent; below 0 the series takes fewer bits for the same accuracy. `None` if there
            is nothing to compare; `notes` says why.
        ci_low, ci_high: Its 95 % confidence interval over questions, in percent; `None` where
            results are not per question, or too few draws could be compared.
        ci_lost: Share of the draws that could not be compared, 0..1.
        other_accounting: BD-rate by the other accounting, in percent; `None` if no sent picture has
            another size than its source.
        overlap_low, overlap_high: Accuracies over which rates are compared.
        overlap_share: Of the accuracies that either curve reaches, 0..1.
        points, anchor_points: Of each curve after its treatment.
        questions: How many; 0 where results are not per question.
        notes: What was left out or pooled, by quality, and why there is no figure.
    """

    codec: str
    series: str
    anchor: str
    bd_rate: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    ci_lost: float | None = None
    other_accounting: float | None = None
    overlap_low: float | None = None
    overlap_high: float | None = None
    overlap_share: float | None = None
    points: int = 0
    anchor_points: int = 0
    questions: int = 0
    notes: str = ""


@dataclass(frozen=True)
class Point:
    """One series at one quality.

    Attributes:
        codec, series, quality: Names.
        questions: How many; 0 where results are not per question.
        bytes: Mean per question, or as given; `None` where only bits per pixel are known.
        bpp: Bits per source pixel.
        bpp_sent: Bits per pixel of the sent picture.
        accuracy: Mean.
        treatment: "used", "left out" (another point is at least as accurate for no more bits), or
            "pooled" with others.
    """

    codec: str
    series: str
    quality: str
    questions: int
    bytes: float | None
    bpp: float
    bpp_sent: float
    accuracy: float
    treatment: str


def compare_all(
    measured: Sequence[Series],
    anchor: str,
    rules: Rules,
    *,
    resamples: int,
    seed: int,
    on_comparison: Callable[[Comparison], None] = lambda _: None,
) -> list[Comparison]:
    """Compare every other series with the anchor of the same codec.

    Args:
        measured: From one table.
        anchor: Name of the series that the others are compared with.
        rules: How.
        resamples: Draws of questions for the confidence interval; 0 for none.
        seed: Decides the draws.
        on_comparison: Called with each.

    Raises:
        ResultsError: There is no such anchor, or nothing beside it.
    """
    anchors = {one.codec: one for one in measured if one.name == anchor}
    others = [one for one in measured if one.name != anchor]
    if not anchors or not others:
        raise ResultsError(
            "there is nothing beside the anchor" if anchors else "no series has the anchor's name",
            value=anchor,
            remedy=f"the table has {', '.join(dict.fromkeys(one.name for one in measured))}",
        )
    found: list[Comparison] = []
    for one in others:
        found.append(_comparison(anchors.get(one.codec), one, anchor, rules, resamples, seed))
        on_comparison(found[-1])
    return found


def points_of(measured: Sequence[Series], rules: Rules) -> list[Point]:
    """All that was measured, and what became of it."""
    return [point for one in measured for point in _points(one, rules)]


def _points(series: Series, rules: Rules) -> list[Point]:
    (curve,) = curves(series, series.once, rules)
    (bpp,), (bpp_sent,) = (series.rates(series.once, which) for which in ("source", "sent"))
    (accuracy,) = series.accuracies(series.once)
    pooled = {index for group in curve.pooled for index in group}
    used = {index for group in curve.sources for index in group}
    return [
        Point(
            series.codec,
            series.name,
            quality,
            len(series.questions),
            float(series.bits[:, index].mean()) / 8 if series.has_bytes else None,
            float(bpp[index]),
            float(bpp_sent[index]),
            float(accuracy[index]),
            "pooled" if index in pooled else "used" if index in used else "left out",
        )
        for index, quality in enumerate(series.qualities)
    ]


def _comparison(
    anchor: Series | None, test: Series, name: str, rules: Rules, resamples: int, seed: int
) -> Comparison:
    row = Comparison(test.codec, test.name, name, questions=len(test.questions))
    if anchor is None:
        return replace(row, notes=f"the anchor was not measured with {test.codec}")
    if anchor.questions != test.questions:
        differing = {*anchor.questions} ^ {*test.questions}
        return replace(
            row,
            notes=f"other questions than the anchor's: only one of both has {len(differing)}, "
            f"e.g. {min(differing)}",
        )
    (of_anchor,), (of_test,) = (curves(one, one.once, rules) for one in (anchor, test))
    notes = [*_treated(of_test, test, ""), *_treated(of_anchor, anchor, "of the anchor ")]
    if rules.accounting == "sent" and not (anchor.resized or test.resized):
        notes.append("every sent picture has its source's size: both accountings are the same")
    row = replace(row, points=len(of_test.rates), anchor_points=len(of_anchor.rates))
    delta = compare(of_anchor, of_test, rules)
    if isinstance(delta, Refusal):
        return replace(row, notes="; ".join([delta.reason, *notes]))
    row = replace(
        row,
        bd_rate=delta.bd_rate,
        overlap_low=delta.overlap[0],
        overlap_high=delta.overlap[1],
        overlap_share=delta.overlap_share,
        other_accounting=_by_other(anchor, test, rules),
    )
    if test.questions and resamples:
        interval = bootstrap(anchor, test, rules, resamples=resamples, seed=seed)
        low, high = interval.bounds or (None, None)
        row = replace(row, ci_low=low, ci_high=high, ci_lost=interval.lost)
        if interval.lost:
            notes.append(f"{100 * interval.lost:.1f} % of {resamples:,} draws have no BD-rate")
        if interval.bounds is None:
            notes.append(f"no interval, for more than {100 * MOST_LOST:g} % were lost")
    return replace(row, notes="; ".join(notes))


def _by_other(anchor: Series, test: Series, rules: Rules) -> float | None:
    if not (anchor.resized or test.resized):
        return None
    other = replace(rules, accounting="sent" if rules.accounting == "source" else "source")
    (of_anchor,), (of_test,) = (curves(one, one.once, other) for one in (anchor, test))
    delta = compare(of_anchor, of_test, other)
    return None if isinstance(delta, Refusal) else delta.bd_rate


def _treated(curve: Curve, series: Series, whose: str) -> list[str]:
    """What was left out of a curve or pooled in it, in words."""
    used = {index for group in curve.sources for index in group}
    left_out = [name for index, name in enumerate(series.qualities) if index not in used]
    notes = [f"{whose}left out: {', '.join(left_out)}"] if left_out else []
    for group in curve.pooled:
        names = (series.qualities[index] for index in group)
        notes.append(f"{whose}pooled: {', '.join(names)}")
    return notes
