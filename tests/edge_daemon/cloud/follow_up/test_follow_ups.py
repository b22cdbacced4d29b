"""The queue, the threads and the journals, with tasks that do what a test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from edge_daemon.cloud.follow_up import FollowUps
from edge_daemon.cloud.follow_up.jobs import Job
from edge_daemon.cloud.store import Store
from edge_daemon.errors import DecodeError, EdgeError, StorageError
from edge_daemon.wire import EnvelopeHeader, unpack_envelope
from support.sealed import lines_of, sealed
from support.waiting import PATIENCE_S, wait_until

JOURNAL = "made.jsonl"


def made(job: Job) -> dict[str, Any]:
    return {"made": job.prompt}


class Make:
    """Stands in for a model: does each prompt as it is told, and tells what it was given."""

    name: ClassVar[str] = "make"
    journal: ClassVar[str] = JOURNAL

    def __init__(self, does: Callable[[Job], dict[str, Any]] | None = None) -> None:
        self._does = does or made
        self.given: list[str | None] = []

    def prompts_of(self, header: EnvelopeHeader) -> Sequence[str]:
        return [prompt for prompt in header.prompts if prompt]

    def do(self, job: Job) -> dict[str, Any]:
        self.given.append(job.prompt)
        return self._does(job)


class Cloud:
    """What a keeper does with frames, and no more."""

    def __init__(self, directory: Path, task: Make, **options: int) -> None:
        self.directory = directory
        self.task = task
        self.store = Store(directory, options.pop("remembered", 100))
        self.follow_ups = FollowUps([task], self.store, directory, **options)

    def keep(self, sequence: int, *prompts: str) -> None:
        envelope = unpack_envelope(sealed(sequence, prompts=list(prompts)))
        wanted = self.follow_ups.wanted(envelope.header)
        self.follow_ups.put(self.store.add(envelope, {"picture": b"png"}, 1, wanted))

    def lines(self) -> list[dict[str, Any]]:
        return lines_of(self.directory, JOURNAL)

    def close(self, patience_s: float = PATIENCE_S) -> None:
        self.follow_ups.close(patience_s)
        self.store.close()


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """Holds up a task until it is set."""
    event = threading.Event()
    yield event
    event.set()


def held_up(event: threading.Event) -> Callable[[Job], dict[str, Any]]:
    def do(job: Job) -> dict[str, Any]:
        event.wait(PATIENCE_S)
        return made(job)

    return do


def refuses(error: Exception) -> Callable[[Job], dict[str, Any]]:
    def do(_: Job) -> dict[str, Any]:
        raise error

    return do


def test_each_prompt_leaves_a_line(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, Make())
    cloud.keep(1, "a", "b")
    cloud.keep(2, "")
    cloud.keep(3, "c")
    wait_until(lambda: len(cloud.lines()) == 3)
    assert [(line["sequence"], line["prompt"], line["made"]) for line in cloud.lines()] == [
        (1, "a", "a"),
        (1, "b", "b"),
        (3, "c", "c"),
    ]
    assert {"client", "finished", "seconds"} <= cloud.lines()[0].keys()
    assert [line.get("follow_up") for line in lines_of(tmp_path)] == [["make"], None, ["make"]]
    cloud.close()


def test_what_is_owed_is_found_again_and_what_is_done_is_not(
    tmp_path: Path, held: threading.Event
) -> None:
    first = Cloud(tmp_path, Make())
    first.keep(1, "a")
    wait_until(lambda: len(first.lines()) == 1)
    first.close()
    busy = Cloud(tmp_path, Make(held_up(held)))
    busy.keep(2, "b", "c")
    wait_until(lambda: busy.task.given == ["b"])
    busy.close(0.0)
    held.set()
    again = Cloud(tmp_path, Make())
    wait_until(lambda: len(again.lines()) == 3)
    again.close()
    assert again.task.given == ["b", "c"]
    assert [line["prompt"] for line in again.lines()] == ["a", "b", "c"]


def test_what_was_kept_before_there_was_a_task_is_left_in_peace(tmp_path: Path) -> None:
    store = Store(tmp_path, 100)
    store.add(unpack_envelope(sealed(1, prompts=["a"])), {"picture": b"png"}, 1)
    store.close()
    cloud = Cloud(tmp_path, Make())
    cloud.keep(2, "b")
    wait_until(lambda: len(cloud.lines()) == 1)
    cloud.close()
    assert cloud.task.given == ["b"]


def test_frames_that_are_no_longer_remembered_are_not_found_again(
    tmp_path: Path, held: threading.Event
) -> None:
    busy = Cloud(tmp_path, Make(held_up(held)))
    for sequence in range(4):
        busy.keep(sequence, str(sequence))
    busy.close(0.0)
    held.set()
    again = Cloud(tmp_path, Make(), remembered=2)
    wait_until(lambda: len(again.lines()) == 2)
    again.close()
    assert again.task.given == ["2", "3"]


def test_a_full_queue_leaves_out_what_comes_last_until_the_next_start(
    tmp_path: Path, held: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    busy = Cloud(tmp_path, Make(held_up(held)), most_waiting=2)
    busy.keep(0, "0")
    wait_until(lambda: busy.task.given == ["0"])
    for sequence in (1, 2, 3):
        busy.keep(sequence, str(sequence))
    busy.keep(4, "4", "5")
    assert "event=not_followed_up task=make client=cam sequence=3 jobs=1 left_out=1" in caplog.text
    assert "event=not_followed_up task=make client=cam sequence=4 jobs=2 left_out=3" in caplog.text
    held.set()
    wait_until(lambda: len(busy.lines()) == 3)
    busy.close()
    again = Cloud(tmp_path, Make(), most_waiting=2)
    wait_until(lambda: len(again.lines()) == 5)
    again.close()
    assert [line["prompt"] for line in again.lines()] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DecodeError("damaged", remedy="none"), "decode_failed"),
        (StorageError("the file is gone", remedy="none"), "storage"),
        (ZeroDivisionError("a defect"), "internal"),
    ],
)
def test_a_failure_for_good_is_written_down_and_not_tried_again(
    tmp_path: Path, error: Exception, code: str
) -> None:
    cloud = Cloud(tmp_path, Make(refuses(error)))
    cloud.keep(1, "a")
    cloud.keep(2, "b")
    wait_until(lambda: len(cloud.lines()) == 2)
    cloud.close()
    assert [line["error"]["code"] for line in cloud.lines()] == [code, code]
    again = Cloud(tmp_path, Make())
    again.keep(3, "c")
    wait_until(lambda: len(again.lines()) == 3)
    again.close()
    assert again.task.given == ["c"]


def test_trouble_with_the_disk_costs_nothing_but_time(tmp_path: Path) -> None:
    full: EdgeError = StorageError("full", remedy="make room", retry_after_s=5.0)
    cloud = Cloud(tmp_path, Make(refuses(full)))
    cloud.keep(1, "a")
    wait_until(lambda: cloud.task.given == ["a"])
    cloud.close()
    assert cloud.lines() == []
    again = Cloud(tmp_path, Make())
    wait_until(lambda: len(again.lines()) == 1)
    again.close()


def test_a_stop_ends_what_waits_and_gives_up_what_hangs(
    tmp_path: Path, held: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    cloud = Cloud(tmp_path, Make(held_up(held)))
    cloud.keep(1, "a")
    cloud.keep(2, "b")
    wait_until(lambda: cloud.task.given == ["a"])
    cloud.close(0.05)
    assert "event=follow_ups_left task=make jobs=2" in caplog.text
    held.set()
    (thread,) = (one for one in threading.enumerate() if one.name == "cloud-make")
    thread.join(PATIENCE_S)
    # Too late: the journal may be another process's by now.
    assert cloud.lines() == []
    assert cloud.task.given == ["a"]


def test_a_stop_lets_the_job_in_work_come_to_its_end(tmp_path: Path, held: threading.Event) -> None:
    cloud = Cloud(tmp_path, Make(held_up(held)))
    cloud.keep(1, "a")
    cloud.keep(2, "b")
    wait_until(lambda: cloud.task.given == ["a"])
    threading.Timer(0.05, held.set).start()
    cloud.close()
    assert [line["prompt"] for line in cloud.lines()] == ["a"]
    assert cloud.task.given == ["a"]


def test_without_tasks_there_is_nothing_to_do(tmp_path: Path) -> None:
    store = Store(tmp_path, 10)
    follow_ups = FollowUps([], store, tmp_path)
    envelope = unpack_envelope(sealed(1, prompts=["a"]))
    assert follow_ups.wanted(envelope.header) == []
    follow_ups.put(store.add(envelope, {"picture": b"png"}, 1))
    follow_ups.close()
    store.close()
