"""Units on every backend that can run here; of Ray, only what is said where it is missing."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edge_daemon.errors import LinkError, SettingsError, UnsupportedError
from edge_daemon.study.trials import Backend, TaskOutcome
from edge_daemon.study.trials.backends import results_of
from support.free_port import free_endpoint

Study = Callable[..., TaskOutcome]
GIVEN: dict[str, Any] = {
    "methods": ["plain", "prefilter", "downsample"],
    "codecs": [("jpeg", 40), ("hevc", 34), ("webp", 50)],
    "limit": 4,
}


@pytest.fixture
def alone(study: Study, tmp_path: Path) -> TaskOutcome:
    """What one process finds; the folder is as if it had not been there."""
    outcome = study(**GIVEN)
    (tmp_path / "results" / "trials-stand-in.jsonl").unlink()
    return outcome


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_several_at_once_give_the_same_bytes(
    study: Study, alone: TaskOutcome, backend: Backend
) -> None:
    assert study(**GIVEN, backend=backend, jobs=2) == alone


def test_dask_starts_a_cluster_on_this_machine(study: Study, alone: TaskOutcome) -> None:
    there = study(**{**GIVEN, "methods": ["plain"]}, backend="dask", jobs=1)
    assert there.trials == [one for one in alone.trials if one.method == "plain"]


def test_dask_runs_on_the_cluster_of_an_address(study: Study, alone: TaskOutcome) -> None:
    distributed: Any = importlib.import_module("distributed")  # its types are partly unknown
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address=None,
    ) as cluster:
        assert study(**GIVEN, backend="dask", scheduler=cluster.scheduler_address) == alone


def test_where_no_scheduler_answers_it_says_so() -> None:
    with pytest.raises(LinkError, match="no Dask scheduler answers"):
        list(results_of(abs, [1], backend="dask", scheduler=free_endpoint(), patience_s=0.2))


def test_only_dask_has_a_scheduler() -> None:
    with pytest.raises(SettingsError, match="only Dask has a scheduler"):
        list(results_of(abs, [1], backend="loky", scheduler="tcp://127.0.0.1:8786"))


@pytest.mark.parametrize(
    ("backend", "package", "extra"),
    [("loky", "joblib", "study"), ("dask", "distributed", "dask"), ("ray", "ray", "ray")],
)
def test_a_missing_package_is_told_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, backend: Backend, package: str, extra: str
) -> None:
    there = importlib.import_module

    def without(name: str) -> ModuleType:
        if name.partition(".")[0] == package:
            raise ModuleNotFoundError(name=package)
        return there(name)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(UnsupportedError, match=rf"needs {package}, .*edge-daemon\[{extra}\]"):
        list(results_of(abs, [1], backend=backend))
