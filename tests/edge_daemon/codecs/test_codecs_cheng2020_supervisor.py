"""The supervisor against a stand-in worker that misbehaves as it is told."""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge_daemon.codecs.cheng2020.supervisor import Supervisor, WorkerError
from support.learned_worker import StandIn, gone, reaped

LONG_S, SHORT_S = 60.0, 2.0
ECHO = {"op": "echo"}


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path)


@pytest.fixture
def supervisor(stand_in: StandIn) -> Generator[Supervisor]:
    supervisor = Supervisor(stand_in.command, timeout_s=LONG_S, pause_s=0.0)
    yield supervisor
    supervisor.close()


def test_nothing_is_started_before_the_first_request(
    supervisor: Supervisor, stand_in: StandIn
) -> None:
    assert not supervisor.running
    assert stand_in.pids() == []
    supervisor.request(ECHO)
    assert supervisor.running
    assert len(stand_in.pids()) == 1


@pytest.mark.parametrize("size", [0, 1, 1 << 16, 5_000_001])
def test_payloads_of_any_size_pass_both_ways(supervisor: Supervisor, size: int) -> None:
    payload = os.urandom(size)
    header, answer = supervisor.request({"op": "echo", "text": "ä"}, payload)
    assert header["text"] == "ä"
    assert answer == payload


def test_one_worker_serves_all_requests(supervisor: Supervisor, stand_in: StandIn) -> None:
    pids = {supervisor.request(ECHO)[0]["pid"] for _ in range(5)}
    assert pids == set(stand_in.pids())
    assert len(pids) == 1


def test_concurrent_callers_get_their_own_answers(
    supervisor: Supervisor, stand_in: StandIn
) -> None:
    payloads = [bytes([n]) * (1 + 50_000 * n) for n in range(16)]

    def caller(payload: bytes) -> bytes:
        return supervisor.request(ECHO, payload)[1]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(caller, payloads))
    assert answers == payloads
    assert len(stand_in.pids()) == 1


@pytest.mark.parametrize("mode", ["hang", "child", "deaf"])
def test_a_worker_that_hangs_is_killed_with_its_children(stand_in: StandIn, mode: str) -> None:
    supervisor = Supervisor(stand_in.command, timeout_s=SHORT_S)
    stand_in.behave(mode)
    with pytest.raises(WorkerError, match="longer than 2 s"):
        supervisor.request(ECHO, bytes(10_000_000))
    pids = stand_in.pids()
    assert len(pids) == (2 if mode == "child" else 1)
    assert reaped(pids[0])
    assert all(gone(pid) for pid in pids)
    stand_in.behave()
    assert supervisor.request(ECHO, b"again")[1] == b"again"
    supervisor.close()


def test_a_worker_that_does_not_even_greet_is_killed(stand_in: StandIn) -> None:
    supervisor = Supervisor(stand_in.command, timeout_s=SHORT_S)
    stand_in.behave("deaf-from-start")
    with pytest.raises(WorkerError, match="longer than"):
        supervisor.request(ECHO)
    assert all(reaped(pid) for pid in stand_in.pids())
    supervisor.close()


def test_the_wait_for_others_counts_against_the_time_out(stand_in: StandIn) -> None:
    supervisor = Supervisor(stand_in.command, timeout_s=SHORT_S)
    stand_in.behave("hang")

    def caller(_: int) -> str:
        with pytest.raises(WorkerError) as caught:
            supervisor.request(ECHO)
        return str(caught.value)

    with ThreadPoolExecutor(3) as pool:
        problems = list(pool.map(caller, range(3)))
    assert all("longer than" in one or "busy" in one or "in a row" in one for one in problems)
    assert any("longer than" in one for one in problems)
    assert all(reaped(pid) for pid in stand_in.pids())
    supervisor.close()


@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        ("exit", r"it ended \(exit code 3\)"),
        ("segfault", r"it ended \(ended by SIGSEGV\)"),
        ("garbage", r"no frame \(killed\)"),
        ("huge", r"no frame \(killed\)"),
        ("half", r"it ended \(exit code 0\)"),
        ("answer [1]", r"no JSON object"),
        ("protocol", r"does not speak protocol 1"),
    ],
)
def test_a_worker_that_fails_costs_one_request(
    supervisor: Supervisor, stand_in: StandIn, mode: str, problem: str
) -> None:
    stand_in.behave(mode)
    with pytest.raises(WorkerError, match=problem):
        supervisor.request(ECHO, b"payload")
    assert not supervisor.running
    assert all(reaped(pid) for pid in stand_in.pids())
    stand_in.behave()
    assert supervisor.request(ECHO, b"payload")[1] == b"payload"
    assert len(stand_in.pids()) == 2


def test_a_worker_killed_between_requests_is_replaced(
    supervisor: Supervisor, stand_in: StandIn
) -> None:
    pid = supervisor.request(ECHO)[0]["pid"]
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    assert supervisor.request(ECHO)[0]["pid"] != pid
    assert reaped(pid)


def test_a_program_that_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    supervisor = Supervisor([tmp_path / "absent"], timeout_s=LONG_S)
    with pytest.raises(WorkerError, match=r"cannot be started.*absent"):
        supervisor.request(ECHO)


def test_repeated_failures_are_not_restarted_at_once(stand_in: StandIn) -> None:
    supervisor = Supervisor(stand_in.command, timeout_s=LONG_S, pause_s=1000.0)
    stand_in.behave("exit")
    for _ in range(2):
        with pytest.raises(WorkerError, match="it ended"):
            supervisor.request(ECHO)
    with pytest.raises(WorkerError, match="2 times in a row") as caught:
        supervisor.request(ECHO)
    assert caught.value.retry_after_s is not None
    assert 0 < caught.value.retry_after_s <= 60
    assert len(stand_in.pids()) == 2
    supervisor.close()


def test_an_answer_ends_the_row_of_failures(stand_in: StandIn) -> None:
    supervisor = Supervisor(stand_in.command, timeout_s=LONG_S, pause_s=1000.0)
    for _ in range(3):
        stand_in.behave("exit")
        with pytest.raises(WorkerError, match="it ended"):
            supervisor.request(ECHO)
        stand_in.behave()
        supervisor.request(ECHO)
    assert len(stand_in.pids()) == 4  # the first, and one after each failure
    supervisor.close()


def test_what_the_worker_prints_is_logged_in_lines_of_bounded_length(
    supervisor: Supervisor, stand_in: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    stand_in.behave("noise")
    with caplog.at_level(logging.INFO):
        assert supervisor.request(ECHO, b"clean")[1] == b"clean"
        deadline = time.monotonic() + 20
        while "last line" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.02)
    lines = [one.getMessage() for one in caplog.records if "worker_says" in one.getMessage()]
    assert "first line" in lines[0]
    assert "last line" in lines[-1]
    assert sum(line.count("x") for line in lines) >= 5000
    assert max(map(len, lines)) < 400


def test_closing_fails_the_request_in_work_and_all_after_it(stand_in: StandIn) -> None:
    supervisor = Supervisor(stand_in.command, timeout_s=LONG_S)
    supervisor.request(ECHO)
    stand_in.behave("child")  # hangs, and its child's number tells when
    problems: list[str] = []

    def caller() -> None:
        with pytest.raises(WorkerError) as caught:
            supervisor.request(ECHO)
        problems.append(str(caught.value))

    thread = threading.Thread(target=caller)
    thread.start()
    deadline = time.monotonic() + 20
    while len(stand_in.pids()) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    supervisor.close()
    thread.join(20)
    assert len(problems) == 1
    assert "it ended" in problems[0]
    assert all(gone(pid) for pid in stand_in.pids())
    with pytest.raises(WorkerError, match="shut down"):
        supervisor.request(ECHO)
    supervisor.close()
    assert all(gone(pid) for pid in stand_in.pids())


def test_a_supervisor_that_is_dropped_leaves_no_worker(stand_in: StandIn) -> None:
    supervisor = Supervisor(stand_in.command, timeout_s=LONG_S)
    supervisor.request(ECHO)
    del supervisor
    gc.collect()
    assert all(gone(pid) for pid in stand_in.pids())


PROGRAM = """
import sys, time
from edge_daemon.codecs.cheng2020.supervisor import Supervisor
supervisor = Supervisor(sys.argv[2:], timeout_s=60)
supervisor.request({"op": "echo"})
print("ready", flush=True)
if sys.argv[1] == "stay":
    time.sleep(600)
"""


@pytest.mark.parametrize("end", ["return", "kill"])
def test_a_process_that_ends_leaves_no_worker(stand_in: StandIn, end: str) -> None:
    stay = "stay" if end == "kill" else "return"
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, stay, *stand_in.command], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        if end == "kill":
            process.kill()
    (pid,) = stand_in.pids()
    assert gone(pid)


def test_a_forked_child_lets_go_of_the_parents_worker(
    supervisor: Supervisor, stand_in: StandIn
) -> None:
    parents = supervisor.request(ECHO)[0]["pid"]
    child = os.fork()
    if child == 0:
        status = 1
        try:
            own = supervisor.request(ECHO)[0]["pid"]
            supervisor.close()
            status = 0 if own != parents and gone(own) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert supervisor.request(ECHO)[0]["pid"] == parents
    assert len(stand_in.pids()) == 2
