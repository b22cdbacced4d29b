from __future__ import annotations

import math
import threading
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_daemon.rate import Bucket, Reservation


@dataclass
class Frame:
    """A frame in work."""

    reservation: Reservation
    set_aside: list[tuple[float, int]]
    """When, and how many bytes."""

    def settle(self, used: int) -> list[tuple[float, int]]:
        """When the used bytes had been set aside."""
        self.reservation.settle(used)
        taken: list[tuple[float, int]] = []
        for moment, size in self.set_aside:
            taken.append((moment, min(size, used)))
            used -= min(size, used)
        return taken


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["arrive", "arrive", "settle", "extend"]),
        st.floats(-5, 5) | st.just(0.0) | st.floats(0, 0.2),  # seconds that pass
        st.floats(0, 1),  # which frame, and what it uses
    ),
    max_size=60,
)


@given(events=EVENTS, rate=st.floats(1, 1e5), burst_s=st.floats(0.01, 10))
@example(
    events=[
        ("arrive", 0.0, 0.0),
        ("arrive", 0.0, 0.0),
        ("settle", 1.0, 0.0),
        ("extend", -1.0, 1.0),
        ("settle", 1.0, 1.0),
        ("arrive", 0.0, 1.0),
    ],
    rate=8.0,
    burst_s=1.0,
)
@settings(deadline=None, max_examples=300)
def test_no_stretch_of_time_commits_more_than_its_inflow_and_the_burst(
    events: list[tuple[str, float, float]], rate: float, burst_s: float
) -> None:
    bucket = Bucket(rate, burst_s)
    waiting: list[Frame] = []
    committed: list[tuple[float, int]] = []
    clock, standing = 0.0, -math.inf
    for kind, elapsed, number in events:
        clock += elapsed
        if kind == "arrive":
            standing = max(standing, clock)
            most = None if number > 0.3 else int(number * rate)
            reservation = bucket.reserve(clock, most)
            assert most is None or reservation.allowance <= most
            waiting.append(Frame(reservation, [(standing, reservation.allowance)]))
        elif waiting:
            frame = waiting[int(number * (len(waiting) - 1))]
            before = frame.reservation.allowance
            if kind == "extend":
                more = int(number * rate * burst_s)
                if frame.reservation.extend(before + more):
                    frame.set_aside.append((standing, more))
                else:
                    assert frame.reservation.allowance == before
            else:
                committed += frame.settle(int(before * min(1.0, 2 * number)))
                waiting.remove(frame)
    for frame in waiting:
        committed += frame.settle(frame.reservation.allowance)
    committed.sort()
    for first, (start, _) in enumerate(committed):
        total = 0
        for moment, size in committed[first:]:
            total += size
            assert total <= rate * (moment - start + burst_s) * (1 + 1e-9) + 1e-6


def steady(bucket: Bucket, times: np.ndarray, use: float) -> tuple[list[int], int]:
    """Allowances of frames at these times, and the bytes that they used together."""
    allowances: list[int] = []
    total = 0
    for now in times:
        reservation = bucket.reserve(float(now))
        allowances.append(reservation.allowance)
        used = int(use * reservation.allowance)
        reservation.settle(used)
        total += used
    return allowances, total


@pytest.mark.parametrize("use", [1.0, 0.9])
@pytest.mark.parametrize("fps", [0.2, 1, 10, 30])
def test_a_steady_camera_gets_even_shares_and_its_whole_rate(fps: float, use: float) -> None:
    rate = 100_000.0
    times = np.arange(400) / fps
    allowances, total = steady(Bucket(rate, 2.0), times, use)
    settled = np.array(allowances[100:])
    assert settled.max() / settled.min() < 1.1
    if fps >= 1:
        assert 0.99 * rate * times[-1] <= total <= rate * (times[-1] + 2.0)
        assert settled.mean() * use == pytest.approx(rate / fps, rel=0.03)
    else:  # more flows in between two frames than may be saved up
        assert settled.mean() == pytest.approx(2.0 * rate, rel=0.01)


def test_an_unsteady_camera_is_not_starved() -> None:
    rng = np.random.default_rng(7)
    times = np.cumsum(rng.uniform(0.02, 0.18, 500))
    allowances, _ = steady(Bucket(100_000.0, 2.0), times, 0.92)
    settled = np.array(allowances[100:])
    assert settled.min() > 0.5 * settled.mean()
    assert settled.max() < 2 * settled.mean()


def test_a_pause_is_spent_gradually() -> None:
    times = np.concatenate([np.arange(100) / 10, 60 + np.arange(100) / 10])
    allowances, _ = steady(Bucket(100_000.0, 2.0), times, 1.0)
    after = np.array(allowances[100:])
    assert after.max() < 5 * 10_000
    assert after.min() > 0.9 * 10_000
    assert np.all(np.diff(after) < 1_500)


def test_frames_at_once_share_what_there_is() -> None:
    bucket = Bucket(1000.0, 1.0)
    together = [bucket.reserve(0.0) for _ in range(50)]
    assert sum(one.allowance for one in together) <= 1000
    assert together[0].allowance <= 500
    together[0].settle(0)
    assert bucket.reserve(0.0).allowance > 0


def test_more_than_fair_only_while_there_is_some() -> None:
    bucket = Bucket(1000.0, 1.0)
    reservation = bucket.reserve(0.0)
    assert reservation.allowance == 500
    assert not reservation.extend(1001)
    assert reservation.allowance == 500
    assert reservation.extend(1000)
    assert reservation.extend(3)
    assert reservation.allowance == 1000
    assert bucket.reserve(0.0).allowance == 0


def test_waits_are_the_time_that_tokens_need() -> None:
    bucket = Bucket(1000.0, 2.0)
    first = bucket.reserve(0.0)
    assert first.extend(2000)
    second = bucket.reserve(0.0)
    assert second.wait_s(500) == pytest.approx(0.5)
    assert second.wait_s(2001) is None
    first.settle(0)
    assert second.wait_s(500) == 0.0


def test_settling_counts_once_and_never_beyond_the_allowance() -> None:
    bucket = Bucket(1000.0, 1.0)
    reservation = bucket.reserve(0.0)
    with pytest.raises(ValueError, match="501 bytes used of 500"):
        reservation.settle(501)
    reservation.settle(100)
    reservation.settle(0)
    assert not bucket.reserve(0.0).extend(901)


def test_a_smaller_burst_takes_effect_at_once() -> None:
    bucket = Bucket(1000.0, 10.0)
    held = bucket.reserve(0.0)
    bucket.tune(100.0, 1.0)
    assert bucket.reserve(0.0).allowance == 0
    held.settle(0)
    assert bucket.reserve(60.0).extend(100)
    assert not bucket.reserve(60.0).extend(1)


def test_threads_never_take_more_than_there_is() -> None:
    bucket = Bucket(1e-9, 1e15)  # a million bytes, and nothing flows in
    taken: list[int] = []

    def work() -> None:
        for _ in range(300):
            reservation = bucket.reserve(0.0, 1000)
            reservation.settle(reservation.allowance // 2)
            taken.append(reservation.allowance // 2)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) + bucket_left(bucket) == 1_000_000


def bucket_left(bucket: Bucket) -> int:
    """All that can still be taken."""
    reservation = bucket.reserve(0.0)
    left = reservation.allowance
    for step in (100_000, 1000, 10, 1):
        while reservation.extend(left + step):
            left += step
    return left
