"""`edge-daemon study vlm`: a benchmark's questions, asked of a model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from edge_daemon.cli.options import BackendOption, BundleOption, ConfigOption, settings_with
from edge_daemon.cli.terminal import console, errors, narrow_table, progress_bar
from edge_daemon.codecs import check_encoder, get_codec
from edge_daemon.config import parse_settings
from edge_daemon.errors import SettingsError
from edge_daemon.service import load_prefilter
from edge_daemon.settings import ChatSettings, Settings
from edge_daemon.study.vlm import Outcome, run_study
from edge_daemon.study.vlm.conditions import SERIES, Condition
from edge_daemon.study.vlm.questions import QuestionFile
from edge_daemon.study.vlm.run import Progress as Reached
from edge_daemon.study.vlm.scoring import MME_SUMS, Score
from edge_daemon.study.vlm.tables import RESULTS


def vlm(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="A benchmark's TSV file, as VLMEvalKit's."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", file_okay=False, help="Folder for the results.")
    ] = Path("study-vlm"),
    base_url: Annotated[
        str | None,
        typer.Option(help="OpenAI-compatible endpoint, e.g. http://127.0.0.1:8000/v1."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model's name there.")] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="Environment variable that holds the endpoint's key.")
    ] = None,
    codec: Annotated[str, typer.Option(help="One of `edge-daemon codecs`.")] = "jpeg",
    quality: Annotated[
        str, typer.Option(help="Qualities to compare at, in the codec's own unit.")
    ] = "20,40,60,80",
    condition: Annotated[
        str, typer.Option(help="The codec alone (`plain`), after the prefilter, or both.")
    ] = "plain,prefilter",
    circular: Annotated[
        bool,
        typer.Option(
            "--circular", help="Right only if right in every rotation of the options, as MMBench."
        ),
    ] = False,
    temperature: Annotated[
        float, typer.Option(min=0.0, max=2.0, help="Of the model's sampling.")
    ] = 0.0,
    parallel: Annotated[int, typer.Option(min=1, max=256, help="Requests at once.")] = 4,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Ask so many of the questions only.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides which.")] = 1,
    config: ConfigOption = None,
    bundle: BundleOption = None,
    backend: BackendOption = None,
) -> None:
    """Measure rate against a vision-language model's accuracy on MMBench, MME or SEED-Bench.

    Each picture is encoded, and decoded again, before the model sees it. Answers are scored as
    VLMEvalKit's exact matching does. A run that was cut off, or that met errors, goes on when it is
    repeated. What endpoint to ask is said here or by `[cloud.vlm]` in the settings. See
    `docs/vlmevalkit.md`.

    `edge-daemon study vlm MMBench_DEV_EN.tsv --base-url http://127.0.0.1:8000/v1 --model NAME`
    """
    settings = settings_with(config, bundle, backend=backend)
    chat = _chat(settings, base_url, model, api_key_env, temperature)
    conditions = _conditions(codec, quality, condition)
    with errors.status(f"Reading {file.name}"):
        questions = QuestionFile(file)
    for row in questions.bad:
        errors.print(f"{file.name} line {row.line}: {row.problem}", markup=False, soft_wrap=True)
    wanted = any(one.series == "prefilter" for one in conditions)
    prefilter = load_prefilter(settings) if wanted else None
    with progress_bar() as progress:
        task = progress.add_task("questions x conditions", total=None)

        def show(reached: Reached) -> None:
            failed = f", {reached.failed} failed" if reached.failed else ""
            progress.update(
                task,
                completed=reached.done,
                total=reached.total,
                description=f"questions x conditions{failed}",
            )

        outcome = run_study(
            questions,
            conditions,
            chat,
            settings,
            output,
            prefilter=prefilter,
            circular=circular,
            limit=limit,
            seed=seed,
            parallel=parallel,
            on_progress=show,
        )
    console.print(_table(outcome))
    if prefilter is not None and prefilter.bundle.manifest.notice:
        console.print(f"[yellow]Note:[/] {prefilter.bundle.manifest.notice}.")
    _print_failures(outcome, output)
    console.print(f"Next: [bold]edge-daemon study bdrate {output / RESULTS}[/]", soft_wrap=True)


def _chat(
    settings: Settings,
    base_url: str | None,
    model: str | None,
    api_key_env: str | None,
    temperature: float,
) -> ChatSettings:
    """The settings' model with the command line's options on top."""
    if settings.cloud.vlm is None and (base_url is None or model is None):
        raise SettingsError(
            "no model to ask",
            remedy="give --base-url and --model, or name one under [cloud.vlm] in the settings",
        )
    given = {"base_url": base_url, "model": model}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if api_key_env is not None:
        changes |= {"api_key_env": api_key_env, "api_key_file": None}
    values = settings.model_dump(by_alias=True)
    values["cloud"]["vlm"] = {
        **(values["cloud"]["vlm"] or {}),
        **changes,
        "temperature": temperature,
    }
    chat = parse_settings(values, source="command line").cloud.vlm
    assert chat is not None
    return chat


def _conditions(codec: str, qualities: str, series: str) -> list[Condition]:
    codecs = [get_codec({"id": codec, "quality": _number(text)}) for text in qualities.split(",")]
    check_encoder(codecs[0])
    names = [name.strip() for name in series.split(",")]
    unknown = [name for name in names if name not in SERIES]
    if unknown:
        raise SettingsError(
            "unknown condition", value=unknown[0], remedy=f"use {' or '.join(SERIES)}, or both"
        )
    return list(
        dict.fromkeys(Condition(one, each) for one in SERIES if one in names for each in codecs)
    )


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise SettingsError(
            "a quality is a number", value=text, remedy="write for example --quality 20,40,60,80"
        ) from None
    return int(value) if value.is_integer() else value


def _table(outcome: Outcome) -> Table:
    sums = {
        (one.series, one.codec, one.quality, one.group): one
        for one in outcome.scores
        if one.score is not None and one.group in MME_SUMS
    }
    table = narrow_table(
        "Rate against accuracy",
        "n: questions; means of bytes of the bitstream,\n"
        "and of bpp, bits per source pixel;\n"
        "unread: questions of which an answer chose\nnothing, counted as wrong",
    )
    table.add_column("condition", overflow="fold")
    names = ("quality", "n", "bytes", "bpp", "accuracy", "unread")
    for name in (*names, *(MME_SUMS if sums else ())):
        table.add_column(name, justify="right", no_wrap=True)
    for one in outcome.summaries:
        scores = [sums.get((one.series, one.codec, one.quality, name)) for name in MME_SUMS]
        table.add_row(
            f"{one.series} {one.codec}",
            f"{one.quality:g}",
            str(one.questions),
            f"{one.bytes:,.0f}",
            f"{one.bpp:.4f}",
            f"{one.accuracy:.1%}",
            str(one.unread),
            *(_score(score) for score in (scores if sums else ())),
        )
    return table


def _score(one: Score | None) -> str:
    return "-" if one is None or one.score is None else f"{one.score:.1f}"


def _print_failures(outcome: Outcome, output: Path) -> None:
    if not outcome.failures:
        return
    kinds = Counter(one.code for one in outcome.failures)
    told = ", ".join(f"{count} x {code}" for code, count in kinds.most_common())
    console.print(
        f"[yellow]Without an answer, neither right nor wrong:[/] {told} "
        f"(see {output / 'failures.csv'}); the same command asks again.",
        soft_wrap=True,
    )
