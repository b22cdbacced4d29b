from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.errors import BusyError, PayloadTooLargeError
from edge_daemon.service.limits import Clients, FrameRate
from edge_daemon.settings import CameraSettings, LimitSettings

RATES = st.floats(0.01, 1e4)


def clients(*cameras: CameraSettings, most: int = 100) -> Clients:
    return Clients(LimitSettings(max_payload_bytes=1000, max_pixels=500), cameras, most)


def test_the_first_rules_that_match_count() -> None:
    known = clients(
        CameraSettings(match="gate-*", max_payload_bytes=10), CameraSettings(max_payload_bytes=20)
    )
    assert known.of("gate-3").limits.max_bytes == 10
    assert known.of("yard").limits.max_bytes == 20


def test_a_client_may_not_have_more_than_everybody() -> None:
    limits = clients(CameraSettings(max_payload_bytes=5000, max_pixels=5000)).of("cam").limits
    assert (limits.max_bytes, limits.max_pixels) == (1000, 500)


def test_a_client_without_rules_has_the_limits_of_everybody() -> None:
    client = clients().of("cam")
    assert (client.limits.max_bytes, client.limits.max_pixels) == (1000, 500)
    client.check_rate(0.0)


def test_a_payload_over_the_clients_own_limit_is_told_so() -> None:
    client = clients(CameraSettings(max_payload_bytes=10)).of("cam")
    client.check_payload(10)
    with pytest.raises(PayloadTooLargeError, match=r"limit of 10 bytes \(got 11 bytes\)"):
        client.check_payload(11)


def test_too_early_is_told_with_the_time_to_wait() -> None:
    client = clients(CameraSettings(max_frames_per_s=0.5)).of("cam")
    assert client.rate is not None
    client.check_rate(100.0)
    client.rate.take(100.0)
    with pytest.raises(BusyError, match=r"0.5 frames per second") as caught:
        client.check_rate(100.5)
    assert caught.value.retry_after_s == 1.5
    client.check_rate(102.0)


def test_a_burst_is_what_a_second_brings() -> None:
    rate = FrameRate(5.0)
    allowed = 0
    while rate.wait_s(7.0) == 0.0:
        rate.take(7.0)
        allowed += 1
    assert allowed == 5
    assert rate.wait_s(7.0) == 0.2


@given(per_s=RATES, taken=st.integers(0, 50), at=st.floats(0, 1e6))
def test_who_waits_as_long_as_told_is_let_in(per_s: float, taken: int, at: float) -> None:
    rate = FrameRate(per_s)
    for _ in range(taken):
        rate.take(at)
    wait_s = rate.wait_s(at)
    assert rate.wait_s(at + wait_s) == 0.0
    if wait_s > 0.0011:
        assert rate.wait_s(at + wait_s - 0.0011) > 0.0


@given(per_s=RATES, pauses=st.lists(st.floats(0, 3), max_size=200))
def test_no_stretch_of_time_sees_more_than_its_share_and_a_burst(
    per_s: float, pauses: list[float]
) -> None:
    rate, now = FrameRate(per_s), 0.0
    came: list[float] = []
    for pause_s in pauses:
        now += pause_s / per_s
        if rate.wait_s(now) == 0.0:
            rate.take(now)
            came.append(now)
    for first, begin in enumerate(came):
        for last in range(first, len(came)):
            most = max(1.0, per_s) + per_s * (came[last] - begin) + 0.01 * (1 + per_s * 1e-3)
            assert last - first + 1 <= most


def test_only_the_clients_heard_from_last_are_remembered() -> None:
    known = clients(CameraSettings(max_frames_per_s=1.0), most=2)
    first = known.of("a")
    known.of("b")
    assert known.of("a") is first
    known.of("c")
    assert len(known) == 2
    assert known.of("a") is first
