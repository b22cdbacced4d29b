from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.codecs import get_codec
from edge_daemon.settings import PrefilterSettings
from edge_daemon.study.methods.catalogue import method_of
from edge_daemon.study.tasks.task import Task
from edge_daemon.study.trials import TaskOutcome, run_task
from support.stand_in_task import StandInTask
from support.tiny_bundle import make_tiny_bundle


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_tiny_bundle(tmp_path_factory.mktemp("trials") / "tiny"))


@pytest.fixture
def study(tmp_path: Path, tiny: str) -> Callable[..., TaskOutcome]:
    """Runs a task in the folder `results`, in this process unless told otherwise."""

    def run(
        task: Task | None = None,
        methods: Sequence[str] = ("plain", "gaussian:2"),
        codecs: Sequence[tuple[str, int]] = (("jpeg", 10), ("jpeg", 40), ("jpeg", 80)),
        settings: PrefilterSettings | None = None,
        **options: Any,
    ) -> TaskOutcome:
        given: dict[str, Any] = {"bundle": tiny, "backend": "sequential", **options}
        return run_task(
            task or StandInTask(),
            [method_of(name, settings) for name in methods],
            [get_codec({"id": name, "quality": quality}) for name, quality in codecs],
            tmp_path / "results",
            **given,
        )

    return run


@pytest.fixture
def written(tmp_path: Path) -> Callable[[], dict[str, str]]:
    """Every table of the folder `results`, by its name."""

    def read() -> dict[str, str]:
        files = sorted((tmp_path / "results").glob("*.csv"))
        return {file.name: file.read_text(encoding="utf-8") for file in files}

    return read
