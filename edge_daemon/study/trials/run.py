"""One task: every question in every way, but for what the folder knows already."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from edge_daemon.codecs import Codec, check_encoder
from edge_daemon.settings import Settings
from edge_daemon.study.methods.catalogue import NEED_MAP
from edge_daemon.study.methods.method import Method
from edge_daemon.study.tasks.task import Task
from edge_daemon.study.trials.backends import ALL_CORES, Backend, results_of
from edge_daemon.study.trials.csv_tables import write_tables
from edge_daemon.study.trials.journal import TrialJournal
from edge_daemon.study.trials.trial import Failure, TaskOutcome, Trial
from edge_daemon.study.trials.work import Sendings, Unit, answer


@dataclass(frozen=True)
class Progress:
    """How far a task is: questions that are done, all of them, and failures."""

    done: int
    total: int
    failed: int


def run_task(
    task: Task,
    methods: Sequence[Method],
    codecs: Sequence[Codec],
    output: Path,
    *,
    bundle: str,
    limit: int | None = None,
    jobs: int = ALL_CORES,
    backend: Backend = "loky",
    scheduler: str | None = None,
    settings: Settings | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> TaskOutcome:
    """Try every method with every codec on every question, and write down what comes of it.

    What an earlier run in this folder tried is not tried again, and a run that was cut off, in
    whatever way, goes on where it was. The outcome depends on what is asked for and on nothing
    else: not on the number of jobs, the order in which they end, or what else the folder knows.

    Args:
        task: Asks and judges.
        methods: Of sending, in the order of tables and charts.
        codecs: Each at each of its qualities.
        output: Folder for journal and tables; made if it is not there.
        bundle: Name or path of the one that methods use which name none.
        limit: Ask so many of the questions only.
        jobs: At once, or `ALL_CORES`.
        backend: See `results_of`.
        scheduler: See `results_of`.
        settings: What codecs need of every process (see `configure_codecs`), and how prompts are
            distilled; default `Settings()`.
        on_progress: Called after each question, from this thread.

    Raises:
        EdgeError: The task, a codec, the folder or the backend cannot be used.
        BundleError: A bundle cannot be used.
    """
    available = task.check()
    count = available if limit is None else min(limit, available)
    for codec in codecs:
        check_encoder(codec)
    sendings = _sendings(methods, codecs)
    failures: dict[int, list[Failure]] = {}
    settings = settings or Settings()
    with TrialJournal(output, task, methods, codecs, bundle, settings.prompt) as journal:
        units = _units(task, count, bundle, settings, sendings, journal)
        done, failed = count - len(units), 0
        on_progress(Progress(done, count, failed))
        answers = results_of(answer, units, backend=backend, jobs=jobs, scheduler=scheduler)
        with _opencv_restored(), closing(answers):
            for answered in answers if units else ():
                journal.add(answered)
                failures[answered.number] = answered.failures
                done, failed = done + 1, failed + len(answered.failures)
                on_progress(Progress(done, count, failed))
        trials = _asked(count, sendings, journal)
    outcome = TaskOutcome(
        task.name,
        tuple(task.measures),
        tuple(dict.fromkeys(method.name for method in methods)),
        tuple(dict.fromkeys(codec.codec_id for codec in codecs)),
        count,
        trials,
        [failure for number in sorted(failures) for failure in failures[number]],
        _left_out(methods, codecs),
    )
    write_tables(outcome, output)
    return outcome


def _fits(method: Method, codec: Codec) -> bool:
    return method.name not in NEED_MAP or codec.takes_map()


def _sendings(methods: Sequence[Method], codecs: Sequence[Codec]) -> list[Sendings]:
    return [
        Sendings(
            method, tuple(one.get_config() for one in dict.fromkeys(codecs) if _fits(method, one))
        )
        for method in {method.name: method for method in methods}.values()
    ]


def _left_out(methods: Sequence[Method], codecs: Sequence[Codec]) -> list[str]:
    words = (
        f"{method.name} with {codec.codec_id}, which takes no quantiser map"
        for method in methods
        for codec in codecs
        if not _fits(method, codec)
    )
    return list(dict.fromkeys(words))


def _units(
    task: Task,
    count: int,
    bundle: str,
    settings: Settings,
    sendings: Sequence[Sendings],
    journal: TrialJournal,
) -> list[Unit]:
    """The questions of which something is missing."""
    units: list[Unit] = []
    for number in range(count):
        known = journal.of(number)
        missing = [
            replace(one, codecs=codecs)
            for one in sendings
            if (codecs := tuple(config for config in one.codecs if one.key(config) not in known))
        ]
        if missing:
            units.append(Unit(task, number, bundle, settings, tuple(missing)))
    return units


def _asked(count: int, sendings: Sequence[Sendings], journal: TrialJournal) -> list[Trial]:
    """What is known of all that was asked for, in the order that `TaskOutcome` tells."""
    keys = [one.key(config) for one in sendings for config in one.codecs]
    methods, codecs = (list(dict.fromkeys(key[part] for key in keys)) for part in (0, 1))
    keys.sort(key=lambda key: (codecs.index(key[1]), methods.index(key[0]), key[2]))
    every = (journal.of(number) for number in range(count))
    return [known[key] for known in every for key in keys if key in known]


@contextmanager
def _opencv_restored() -> Generator[None]:
    """Units that run in this process take one thread of OpenCV's each."""
    threads = cv2.getNumThreads()
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
