"""Where units of work run: processes of this machine, or a cluster's, through joblib."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import chain, islice
from typing import Any, Final, Literal, TypeAlias, TypeVar, get_args

from edge_daemon.errors import LinkError, SettingsError, UnsupportedError

Backend: TypeAlias = Literal["loky", "threading", "sequential", "dask", "ray"]
BACKENDS: Final[tuple[Backend, ...]] = get_args(Backend)
ALL_CORES: Final = -1
"""As many jobs as there are cores, of this machine or of the cluster."""

_ROUND: Final = 64
"""Units that Ray gets at once."""

_Unit = TypeVar("_Unit")
_Result = TypeVar("_Result")


def results_of(
    function: Callable[[_Unit], _Result],
    units: Iterable[_Unit],
    *,
    backend: Backend,
    jobs: int = ALL_CORES,
    scheduler: str | None = None,
    patience_s: float = 30.0,
) -> Generator[_Result]:
    """Results as they come, in any order. Close it to stop early: nothing more is begun.

    Args:
        function: On the top level of a module.
        units: Picklable.
        backend: "loky" runs processes, "threading" and "sequential" stay in this one, "dask" and
            "ray" run on a cluster, or on one that is started on this machine.
        jobs: At once, or `ALL_CORES`.
        scheduler: Address of a Dask cluster that runs already, such as tcp://10.0.0.1:8786.
        patience_s: How long that may take to answer.

    Raises:
        SettingsError: An address is given without Dask.
        UnsupportedError: A package is not installed.
        LinkError: No scheduler answers there.
    """
    if scheduler is not None and backend != "dask":
        raise SettingsError(
            "only Dask has a scheduler", value=backend, remedy="use --backend dask with it"
        )
    joblib = _package("joblib", "study")
    with _cluster(backend, jobs, scheduler, patience_s):
        # Other backends' workers have one thread each by their own defaults.
        threads = {"inner_max_num_threads": 1} if backend == "loky" else {}
        # Units are small: none needs to travel as a file.
        with joblib.parallel_config(backend, n_jobs=jobs, max_nbytes=None, **threads):
            call = joblib.delayed(function)
            if backend == "ray":
                # It gives nothing back before a call is done, so calls are kept short.
                yield from chain.from_iterable(
                    joblib.Parallel(batch_size=1)(map(call, some)) for some in _rounds(units)
                )
                return
            parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1)
            with closing(parallel(map(call, units))) as results:
                yield from results


@contextmanager
def _cluster(
    backend: Backend, jobs: int, scheduler: str | None, patience_s: float
) -> Generator[None]:
    if backend == "ray":
        _package("ray.util.joblib", "ray").register_ray()
    if backend != "dask":
        yield
        return
    distributed = _package("distributed", "dask")
    if scheduler is None:
        with (
            distributed.LocalCluster(
                n_workers=None if jobs == ALL_CORES else jobs,
                threads_per_worker=1,
                dashboard_address=None,
            ) as cluster,
            distributed.Client(cluster),
        ):
            yield
        return
    try:
        client = distributed.Client(scheduler, timeout=patience_s)
    except (OSError, ValueError) as reason:
        raise LinkError(
            f"no Dask scheduler answers: {reason}",
            value=scheduler,
            remedy="start one with `dask scheduler`, and give the address that it tells",
        ) from reason
    with client:
        yield


def _rounds(units: Iterable[_Unit]) -> Iterator[list[_Unit]]:
    left = iter(units)
    while some := list(islice(left, _ROUND)):
        yield some


def _package(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as missing:
        raise UnsupportedError(
            f"this needs {name.partition('.')[0]}, which is not installed",
            value=missing.name,
            remedy=f"install the extra: pip install 'edge-daemon[{extra}]'",
        ) from missing
