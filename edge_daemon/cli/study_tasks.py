"""`edge-daemon study tasks`: questions that a machine answers here, sent in every way."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.progress import Progress as Bar
from rich.table import Table

from edge_daemon.cli.comparisons import comparison_table, print_notes
from edge_daemon.cli.options import BundleOption, ConfigOption, settings_with
from edge_daemon.cli.terminal import console, errors, narrow_table, progress_bar
from edge_daemon.codecs import Codec, codec_class, configure_codecs, get_codec
from edge_daemon.errors import SettingsError
from edge_daemon.study.bdrate import Rules
from edge_daemon.study.bdrate.series import Accounting
from edge_daemon.study.methods.catalogue import DESCRIPTIONS, PLAIN, WITHOUT_PARAMETER, method_of
from edge_daemon.study.tasks.catalogue import task_of
from edge_daemon.study.tasks.task import Measure, Task
from edge_daemon.study.trials import Backend, Progress, TaskOutcome, run_task
from edge_daemon.study.trials.backends import ALL_CORES
from edge_daemon.study.trials.best import AtBest
from edge_daemon.study.trials.facts import facts_of
from edge_daemon.study.trials.numbers import NONE, difference_of, differences_of, value_of
from edge_daemon.study.trials.page import write_report
from edge_daemon.study.trials.report import MeasureReport, TaskReport, report_task
from models.loading import find_bundle
from models.manifest import read_manifest

QUALITIES: Final = {
    "jpeg": "3,5,8,12,20,35,60",
    "webp": "0,1,3,6,12,30,60",
    "avif": "0,5,12,20,30,45,60",
    "heif": "0,3,6,10,16,28,45",
    "hevc": "51,48,45,42,39,35,30",
    "vvc": "60,56,52,48,44,40,36",
    "cheng2020": "1,2,3,4,5,6",
}
"""From where answers of the generated tasks fail, or the codec ends, to where hardly any does."""


def tasks(
    task: Annotated[
        list[str] | None,
        typer.Option(
            help="`reading`, `recognition` or `photographs:FOLDER`. Repeatable; the first two "
            "unless given."
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Ways to send: {', '.join(DESCRIPTIONS)}, some with a parameter behind a colon. "
            "Repeatable; `prefilter` unless given. The codec alone (`plain`) is always among them."
        ),
    ] = None,
    ablations: Annotated[
        bool, typer.Option("--ablations", help="All ways to send that need no parameter.")
    ] = False,
    codec: Annotated[
        list[str] | None,
        typer.Option(help="One of `edge-daemon codecs`. Repeatable; `jpeg` unless given."),
    ] = None,
    quality: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CODEC=Q,Q,...",
            help="Qualities of a codec in its own unit. Repeatable; by default from where answers "
            "begin to fail to where hardly any does.",
        ),
    ] = None,
    questions: Annotated[int, typer.Option(min=1, help="Questions of each task.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Decides the questions and the draws.")] = 1,
    detector: Annotated[
        str | None, typer.Option(help="ONNX file of a detector that looks at photographs.")
    ] = None,
    config: ConfigOption = None,
    bundle: BundleOption = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Questions at once; as many as cores unless given.")
    ] = None,
    backend: Annotated[
        Backend,
        typer.Option(help="What runs them: processes (`loky`), this process, or a cluster."),
    ] = "loky",
    scheduler: Annotated[
        str | None,
        typer.Option(help="A Dask cluster's address; else one is started on this machine."),
    ] = None,
    accounting: Annotated[
        Accounting,
        typer.Option(
            help="Bits are divided by pixels of the `source`, or of the picture that was `sent`, "
            "as the released reference does after scaling up."
        ),
    ] = "source",
    resamples: Annotated[
        int,
        typer.Option(min=0, max=100_000, help="Draws of questions for the intervals; 0: none."),
    ] = 1000,
    output: Annotated[
        Path, typer.Option("--output", "-o", file_okay=False, help="Folder for the results.")
    ] = Path("study-tasks"),
) -> None:
    """Measure rate against accuracy, for machines that read, recognise and detect.

    Every question is sent in every way, with every codec at every quality, and answered from what
    arrives. `[prefilter]` in the settings says what "ours" means. A run that was cut off, or that
    met errors, goes on when it is repeated; methods, codecs, qualities and questions may be added.

    `edge-daemon study tasks --task reading --ablations --codec jpeg --codec hevc -o results`
    """
    settings = settings_with(config, bundle)
    configure_codecs(settings)
    names = [PLAIN, *(method or ()), *(WITHOUT_PARAMETER if ablations else ())]
    if len(names) == 1:
        names.append("prefilter")
    methods = [method_of(name, settings.prefilter) for name in names]
    codecs = _codecs(codec or ["jpeg"], quality or [])
    asked = [
        task_of(text, seed=seed, count=questions, bundle=settings.bundle, detector=detector)
        for text in task or ["reading", "recognition"]
    ]
    _check(asked)
    with progress_bar() as progress:
        outcomes = [
            run_task(
                one,
                methods,
                codecs,
                output,
                bundle=settings.bundle,
                jobs=ALL_CORES if jobs is None else jobs,
                backend=backend,
                scheduler=scheduler,
                settings=settings,
                on_progress=_shown_by(progress, one.name),
            )
            for one in asked
        ]
    rules = Rules(accounting=accounting)
    reports: list[TaskReport] = []
    for one, outcome in zip(asked, outcomes, strict=True):
        with errors.status(f"Comparing the methods of {one.name}"):
            reports.append(
                report_task(
                    one,
                    outcome,
                    methods,
                    codecs,
                    rules,
                    output,
                    bundle=settings.bundle,
                    prompt=settings.prompt,
                    resamples=resamples,
                    seed=seed,
                )
            )
        for measure in reports[-1].measures:
            _print_measure(outcome.task, measure, rules)
        _print_rest(outcome, output)
    manifest = read_manifest(find_bundle(settings.bundle))
    if manifest.notice:
        console.print(f"[yellow]Note:[/] {escape(manifest.notice)}.")
    facts = facts_of(
        shlex.join(["edge-daemon", *sys.argv[1:]]),
        seed=seed,
        settings=settings,
        manifest=manifest,
        codecs=list(dict.fromkeys(one.codec_id for one in codecs)),
        tasks={one.name: one.facts() for one in asked},
        options={
            "methods": [one.name for one in methods],
            "codecs": [one.get_config() for one in codecs],
            "questions": questions,
            "rules": asdict(rules),
            "resamples": resamples,
        },
    )
    page = write_report(reports, facts, output)
    console.print(f"Look at [bold]{escape(str(page))}[/]", soft_wrap=True)


def _codecs(ids: Sequence[str], qualities: Sequence[str]) -> list[Codec]:
    wanted = dict(QUALITIES)
    for text in qualities:
        name, _, values = text.partition("=")
        if name not in ids or not values:
            raise SettingsError(
                "qualities are those of a codec that is tried",
                value=text,
                remedy="write for example --codec jpeg --quality jpeg=10,30,60",
            )
        wanted[name] = values
    return [
        get_codec({"id": name, "quality": value})
        for name in ids
        for value in _numbers(name, wanted.get(name, ""))
    ]


def _numbers(codec: str, text: str) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        codec_class(codec)  # an unknown one is the greater mistake
        raise SettingsError(
            f"the qualities of {codec} are numbers with commas between them",
            value=text,
            remedy=f"write for example --quality {codec}=10,30,60",
        ) from None
    return [int(value) if value.is_integer() else value for value in values]


def _check(asked: Sequence[Task]) -> None:
    """Before the first one takes its time."""
    names = Counter(one.name for one in asked)
    name, count = names.most_common(1)[0]
    if count > 1:
        raise SettingsError(
            "one folder holds one task of a name",
            value=name,
            remedy="make two studies in two folders",
        )
    for one in asked:
        one.check()


def _shown_by(progress: Bar, name: str) -> Callable[[Progress], None]:
    bar = progress.add_task(name, total=None)

    def show(reached: Progress) -> None:
        failed = f", {reached.failed} failed" if reached.failed else ""
        words = f"{name}: questions{failed}"
        progress.update(bar, completed=reached.done, total=reached.total, description=words)

    return show


def _print_measure(task: str, report: MeasureReport, rules: Rules) -> None:
    if report.comparisons:
        title = f"{task}: rate at equal {report.measure.name}, against {PLAIN}"
        console.print(comparison_table(title, report.comparisons, rules))
        print_notes(report.comparisons)
    console.print(_best_table(task, report))


def _best_table(task: str, report: MeasureReport) -> Table:
    measure = report.measure
    table = narrow_table(
        escape(f"{task}: {measure.name} at each codec's best quality"),
        escape(f"mean, {measure.unit}; n: questions\n")
        + f"difference: to {PLAIN}'s{', in points' if measure.is_share else ''}, 95 % CI",
    )
    table.add_column("codec", no_wrap=True)
    table.add_column("method", overflow="fold", min_width=9)
    for name in ("quality", "mean", "difference", "95 % CI", "n"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in report.at_best:
        table.add_row(
            escape(one.codec),
            escape(one.series),
            one.quality,
            value_of(measure, one.value),
            NONE if one.series == PLAIN else difference_of(measure, one.difference),
            _interval(measure, one),
            str(one.questions),
        )
    return table


def _interval(measure: Measure, one: AtBest) -> str:
    if one.series == PLAIN or one.ci_low is None or one.ci_high is None:
        return NONE
    return differences_of(measure, one.ci_low, one.ci_high)


def _print_rest(outcome: TaskOutcome, output: Path) -> None:
    for one in outcome.left_out:
        console.print(f"[yellow]Left out:[/] {escape(one)}.", soft_wrap=True)
    if outcome.failures:
        kinds = Counter(one.code for one in outcome.failures)
        told = ", ".join(f"{count} x {code}" for code, count in kinds.most_common())
        file = output / f"failures-{outcome.task}.csv"
        console.print(
            f"[yellow]Failed, neither right nor wrong:[/] {told} (see {escape(str(file))}); the "
            "same command tries again.",
            soft_wrap=True,
        )
