from __future__ import annotations

import asyncio
import threading

import pytest

from edge_daemon.errors import StorageError
from edge_daemon.telemetry import Health, none_stalled, tasks_alive
from edge_daemon.telemetry.health import Check


def says(problem: str | None) -> Check:
    async def check() -> str | None:
        return problem

    return check


async def test_what_is_wrong_is_named() -> None:
    health = Health()
    health.add("stages", says(None))
    health.add("uplink", says("ended"))
    verdict = await health.live()
    assert not verdict.good
    assert verdict.problems == {"uplink": "ended"}


async def test_a_daemon_that_cannot_take_frames_is_still_alive() -> None:
    health = Health()
    health.add("queues", says("full"), "ready")
    assert (await health.live()).good
    assert (await health.ready()).problems == {"queues": "full"}


async def test_one_that_is_not_alive_cannot_take_frames() -> None:
    health = Health()
    health.add("stages", says("hung"))
    assert (await health.ready()).problems == {"stages": "hung"}


async def test_a_link_that_is_down_is_shown_and_no_reason_for_anything() -> None:
    health = Health()
    health.add("link", says("down for 5 s"), "note")
    for verdict in (await health.live(), await health.ready()):
        assert verdict.good
        assert verdict.notes == {"link": "down for 5 s"}
    assert health.latest == {}


async def test_a_check_that_fails_is_a_problem_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def check() -> str | None:
        raise ZeroDivisionError

    health = Health()
    health.add("broken", check)
    health.add("good", says(None))
    verdict = await health.live()
    assert verdict.problems == {"broken": "the check itself failed: ZeroDivisionError"}
    assert "event=check_failed check=broken" in caplog.text


async def test_a_check_that_hangs_is_told_from_a_loop_that_does() -> None:
    cancelled = asyncio.Event()

    async def check() -> str | None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    health = Health(check_s=0.01)
    health.add("spool", check, "ready")
    verdict = await asyncio.to_thread(health.ask, "ready")
    assert verdict.problems == {"spool": "did not answer within 0.01 s"}
    await cancelled.wait()


async def test_another_thread_gets_the_loops_verdict() -> None:
    threads: list[threading.Thread] = []

    async def check() -> str | None:
        threads.append(threading.current_thread())
        return "wrong"

    health = Health()
    health.add("one", check)
    verdict = await asyncio.to_thread(health.ask, "live")
    assert verdict.problems == {"one": "wrong"}
    assert threads == [threading.current_thread()]


async def test_a_blocked_loop_is_found_and_recovers() -> None:
    health = Health(answer_s=0.05)
    found: list[dict[str, str]] = []
    asker = threading.Thread(target=lambda: found.append(health.ask("live").problems))
    asker.start()
    # Deliberately: the loop does nothing else until the other thread has given it up.
    asker.join(30)
    assert found == [{"event_loop": "the event loop did not answer within 0.05 s"}]
    assert (await asyncio.to_thread(Health(answer_s=30).ask, "live")).good


async def test_a_loop_that_has_ended_is_said_to_have() -> None:
    made: list[Health] = []

    async def make() -> None:
        made.append(Health())

    await asyncio.to_thread(asyncio.run, make())
    verdict = await asyncio.to_thread(made[0].ask, "live")
    assert verdict.problems == {"event_loop": "the event loop has ended"}


async def test_a_vital_task_that_ended_is_named() -> None:
    end = asyncio.Event()
    task = asyncio.create_task(end.wait(), name="front")
    runs = asyncio.create_task(asyncio.Event().wait(), name="uplink")
    health = Health()
    health.add("tasks", tasks_alive(lambda: (task, runs)))
    assert (await health.live()).good
    end.set()
    await task
    assert (await health.live()).problems == {"tasks": "ended: front"}
    runs.cancel()


async def test_a_stage_that_hangs_makes_the_daemon_unhealthy_until_it_moves_again() -> None:
    """A stand-in for the stages: `Activity` names the workers that hang."""
    hung = ["finish-0", "slow"]
    health = Health()
    health.add("stages", none_stalled(lambda: hung))
    problem = "at one piece of work for longer than stages.stall_s: finish-0, slow"
    assert (await health.live()).problems == {"stages": problem}
    assert await health.failing() == [f"stages: {problem}"]
    hung.clear()
    assert (await health.live()).good
    assert await health.failing() == []


async def test_a_check_may_say_what_is_wrong_by_a_typed_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def probe() -> str | None:
        raise StorageError("the spool's disk does not answer", remedy="look at the disk")

    health = Health()
    health.add("spool", probe)
    assert "the spool's disk does not answer" in (await health.live()).problems["spool"]
    assert not caplog.records


async def test_watching_keeps_the_latest_problems() -> None:
    asked = asyncio.Queue[int]()

    async def check() -> str | None:
        asked.put_nowait(asked.qsize())
        return "full"

    health = Health()
    health.add("queues", check, "ready")
    watch = asyncio.create_task(health.watch(every_s=0.0))
    await asked.get()
    await asked.get()
    watch.cancel()
    assert health.latest == {"queues": "full"}
