"""One study: every method on every case, written down as it goes."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from edge_daemon.demo.artist import IconArtist
from edge_daemon.pictures import save_picture
from edge_daemon.prefilter.prompt import Distilled, distil
from edge_daemon.prefilter.tagger import make_tagger
from edge_daemon.semantic.critic import Critic, Framing
from edge_daemon.semantic.describer import Describer
from edge_daemon.semantic.generators.abc import Generator
from edge_daemon.settings import SemanticSettings, Settings
from edge_daemon.study.semantic.cases import ICON_SCENES, Case
from edge_daemon.study.semantic.charts import draw_charts
from edge_daemon.study.semantic.methods import Measures, Shown
from edge_daemon.study.semantic.page import Example, write_page
from edge_daemon.study.semantic.table import Length, Mean, Point, Step, means
from edge_daemon.study.table import write_csv
from models import Bundle

EXAMPLES: Final = 6
"""Pictures of each group that the page shows."""
PHRASES: Final = "phrases"


@dataclass(frozen=True)
class Outcome:
    """What a study found.

    Attributes:
        means: Per group and method.
        notice: The bundle's caveat; may be empty.
        left_out: What was not measured, and why.
        page: The HTML page; tables and charts lie beside it.
    """

    means: list[Mean]
    notice: str
    left_out: list[str]
    page: Path


def run_study(
    cases: Sequence[Case],
    bundle: Bundle,
    settings: Settings,
    output: Path,
    *,
    lengths: Sequence[int],
    framing: Framing = "centre",
    on_case: Callable[[], None] = lambda: None,
) -> Outcome:
    """Measure every method on every case.

    Args:
        cases: In order.
        bundle: Judges.
        settings: `semantic` is used: limits, refiner, generator, packing.
        output: Folder for the page, tables, charts and pictures; made if it is not there.
        lengths: Values of R, in bytes of UTF-8, for length against gain.
        framing: What of a picture CLIPSim compares; published figures compare the centre.
        on_case: Called after each case.

    Raises:
        EdgeError: The settings cannot be used.
    """
    output.mkdir(parents=True, exist_ok=True)
    critic = Critic(bundle, framing)
    measures = Measures(critic, settings.semantic, _reader(bundle))
    searches = _Searches(bundle, settings.semantic, max(lengths, default=0))
    points: list[Point] = []
    steps: list[Step] = []
    gains: list[Length] = []
    examples: list[Example] = []
    for case in cases:
        found = _measured(case, measures, searches, lengths)
        points += [one.point for one in found]
        steps += [step for one in found for step in one.steps]
        gains += [gain for one in found for gain in one.lengths]
        if sum(example.group == case.group for example in examples) < EXAMPLES:
            examples.append(_example(case, found, output))
        on_case()
    write_csv(points, Point, output / "points.csv", "bpp")
    write_csv(steps, Step, output / "iterations.csv")
    write_csv(gains, Length, output / "lengths.csv", "gain")
    facts = _facts(bundle, settings.semantic, framing, lengths)
    (output / "study.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    charts = draw_charts(points, steps, gains, output)
    notice, left_out = bundle.manifest.notice, searches.left_out
    page = output / "index.html"
    write_page(means(points), examples, charts, facts, notice, left_out, page)
    return Outcome(means(points), notice, left_out, page)


class _Searches:
    """The searches that the settings allow, by group: icons can be drawn here, photographs not."""

    def __init__(self, bundle: Bundle, settings: SemanticSettings, longest: int) -> None:
        allowed = settings.model_copy(update={"max_bytes": max(settings.max_bytes, longest)})
        local = allowed.model_copy(update={"refiner": "phrases"})
        self._artist = IconArtist()
        self._of_icons = {PHRASES: Describer(local, bundle, self._artist)}
        self._of_others = {PHRASES: Describer(local, bundle)}
        self.left_out: list[str] = []
        if settings.refiner == "openai":
            name = settings.chat.model
            self._of_icons[name] = Describer(allowed, bundle, self._artist)
            self._of_others[name] = Describer(allowed, bundle)
        else:
            self.left_out.append(
                "texts by a language model: none is configured (semantic.refiner = 'openai')"
            )
        if settings.generator == "none":
            self.left_out.append(
                "drawings of photographs: no generator is configured (semantic.generator), so "
                "their texts have no CLIPSim, only the cosine of text and picture"
            )

    def of(self, case: Case) -> dict[str, Describer]:
        """Searches by the name of their refiner."""
        return self._of_icons if case.group == ICON_SCENES else self._of_others

    def generator_of(self, case: Case) -> Generator | None:
        """What draws a case's texts."""
        if case.group == ICON_SCENES:
            return self._artist
        return self._of_others[PHRASES].generator


def _measured(
    case: Case, measures: Measures, searches: _Searches, lengths: Sequence[int]
) -> list[Shown]:
    found = [measures.low_resolution(case), measures.thumbnail(case), measures.jpeg(case)]
    if case.caption:
        found.append(measures.caption(case, searches.generator_of(case)))
    for name, describer in searches.of(case).items():
        sight = describer.look(case.pixels)
        found.append(measures.search(case, sight, name, describer, lengths))
        found.append(measures.with_side(case, sight, "thumbnail", name, describer))
        found.append(measures.with_side(case, sight, "sketch", name, describer))
    return found


def _example(case: Case, found: Sequence[Shown], output: Path) -> Example:
    stem = f"{case.group}-{case.name}".replace("/", "-").replace(" ", "-")
    folder = output / "pictures"
    folder.mkdir(exist_ok=True)
    source = folder / f"{stem}.png"
    save_picture(case.pixels, source)
    pictures: dict[str, str] = {}
    for number, one in enumerate(found):
        if one.picture is not None:
            file = folder / f"{stem}-{number}.png"
            save_picture(one.picture, file)
            pictures[one.point.method] = f"pictures/{file.name}"
    return Example(
        case.group,
        case.name,
        case.question,
        f"pictures/{source.name}",
        tuple(one.point for one in found),
        pictures,
    )


def _reader(bundle: Bundle) -> Callable[[str], Distilled]:
    tagger = make_tagger("embedded")
    return lambda question: distil(
        question,
        tagger=tagger,
        token_count=bundle.token_count,
        token_budget=bundle.token_budget,
    )


def _facts(
    bundle: Bundle, settings: SemanticSettings, framing: Framing, lengths: Sequence[int]
) -> dict[str, object]:
    """Everything that it takes to repeat the study; keys of endpoints are not in the settings."""
    return {
        "edge_daemon": version("edge-daemon"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "bundle": bundle.manifest.name,
        "notice": bundle.manifest.notice,
        "framing": framing,
        "lengths": list(lengths),
        "semantic": settings.model_dump(mode="json"),
    }
