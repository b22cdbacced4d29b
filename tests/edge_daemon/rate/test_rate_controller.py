from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import pytest

from edge_daemon.bench.scenes import scene
from edge_daemon.errors import OverBudgetError, SettingsError
from edge_daemon.rate import Attempt, Budget, Counters, Policy, RateController
from support.curves import Curve, Recorder, formula_bytes

PIXELS = scene(160, 120)


def even(attempt: Attempt) -> int:
    return formula_bytes(attempt, best=60_000)


def test_a_camera_soon_needs_one_encode_per_frame() -> None:
    """Similar frames: bytes wander by 2 % from frame to frame, as in a video."""
    rng = np.random.default_rng(11)
    controller = RateController()
    level = 0.0
    encodes: list[int] = []
    shares: list[float] = []
    for _ in range(41):
        level = 0.95 * level + rng.normal(0, 0.03)
        recorder = Recorder(lambda attempt, up=2**level: round(up * even(attempt)))
        fitted = controller.fit("gate", Curve(), PIXELS, Budget(9_000), recorder, now=0.0)
        encodes.append(fitted.encodes)
        shares.append(fitted.share)
    assert np.mean(encodes[5:]) <= 1.3
    assert np.mean(shares[5:]) >= 0.85


def test_cameras_codecs_options_and_variants_are_learned_apart() -> None:
    controller = RateController()

    def first_attempt(camera: str, codec: Curve, variant: str | None = None) -> Attempt:
        recorder = Recorder(even)
        controller.fit(camera, codec, PIXELS, Budget(2_000), recorder, now=0.0, variant=variant)
        return recorder.made[0][1]

    cold = first_attempt("a", Curve())
    assert first_attempt("a", Curve()) != cold
    assert first_attempt("a", Curve(quality=7)) != cold
    assert first_attempt("b", Curve()) == cold
    assert first_attempt("a", Curve(effort="more")) == cold
    assert first_attempt("a", Curve(), "mapped") == cold


def test_the_number_of_cameras_is_bounded() -> None:
    controller = RateController(cameras=20)
    for number in range(100):
        controller.fit(number, Curve(), PIXELS, Budget(9_000), Recorder(even), now=0.0)
        controller.fit("steady", Curve(), PIXELS, Budget(9_000), Recorder(even), now=0.0)
    assert controller.remembered == 20
    assert controller.counters("steady").frames == 100
    assert controller.counters(99).frames == 1
    assert controller.counters(5) == Counters()
    assert list(controller.accounts(2)) == ["steady", 99]


def test_the_number_of_variants_is_bounded() -> None:
    controller = RateController()
    for number in range(100):
        variant = number if number % 2 else "steady"
        recorder = Recorder(even)
        controller.fit("a", Curve(), PIXELS, Budget(900), recorder, now=0.0, variant=variant)
    assert len(controller._cameras["a"].models) <= 8  # pyright: ignore[reportPrivateUsage]


def test_counters_tell_the_cameras_frames() -> None:
    controller = RateController(Policy(order=("quality",)))
    for limit in (9_000, 10_000, 100_000):
        controller.fit("a", Curve(), PIXELS, Budget(limit), Recorder(even), now=0.0)
    with pytest.raises(OverBudgetError):
        controller.fit("a", Curve(), PIXELS, Budget(10), Recorder(even), now=0.0)
    found = controller.counters("a")
    assert (found.frames, found.within, found.at_ceiling) == (4, 3, 1)
    assert found.mean_share is not None
    assert 0.7 < found.mean_share <= 1
    assert 1 <= found.mean_encodes <= 4
    assert Counters().mean_share is None


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"frame_bytes": 0},
        {"kbps": 0.0},
        {"kbps": math.nan},
        {"kbps": math.inf},
        {"kbps": 1.0, "burst_s": -1.0},
    ],
)
def test_wrong_budgets_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        Budget(**wrong)


def test_a_rate_is_kept_and_used() -> None:
    """80 kbit/s at 5 frames per second: 2000 bytes per frame, after the burst is spent."""
    controller = RateController()
    budget = Budget(kbps=80, burst_s=1.0)
    sent: list[int] = []
    for number in range(150):
        now = 1000 + number / 5
        fitted = controller.fit("a", Curve(), PIXELS, budget, Recorder(even), now=now)
        sent.append(len(fitted.bitstream))
    sums = np.cumsum([0, *sent])
    for start in range(150):
        for end in range(start + 1, 151):
            assert sums[end] - sums[start] <= 10_000 * ((end - 1 - start) / 5 + 1.0)
    assert sums[-1] >= 0.95 * 10_000 * 30
    assert max(sent[50:]) < 1.3 * min(sent[50:])


def test_with_two_limits_the_smaller_counts() -> None:
    controller = RateController()
    both = Budget(frame_bytes=1_500, kbps=80)
    fitted = controller.fit("a", Curve(), PIXELS, both, Recorder(even), now=0.0)
    assert fitted.budget == 1_500
    both = Budget(frame_bytes=1_000_000, kbps=80, burst_s=0.5)
    fitted = controller.fit("b", Curve(), PIXELS, both, Recorder(even), now=0.0)
    assert fitted.budget == 2_500


def test_a_frame_may_take_more_than_is_fair_if_it_cannot_do_with_less() -> None:
    controller = RateController(Policy(order=("quality",)))
    budget = Budget(kbps=80, burst_s=1.0)  # 10,000 bytes, of which 5,000 are fair
    recorder = Recorder(lambda attempt: formula_bytes(attempt, best=180_000))
    fitted = controller.fit("a", Curve(), PIXELS, budget, recorder, now=0.0)
    assert len(fitted.bitstream) == fitted.budget == 7_955
    with pytest.raises(OverBudgetError) as refusal:
        controller.fit("a", Curve(), PIXELS, budget, recorder, now=0.1)
    # 10,000 - 7,955 + 1,000 that flowed in are there; the rest comes at 10,000 a second.
    wait_s = refusal.value.retry_after_s
    assert wait_s == pytest.approx((7_955 - 3_045) / 10_000)
    assert wait_s is not None
    later = 0.1 + wait_s + 1e-3
    assert controller.fit("a", Curve(), PIXELS, budget, recorder, now=later).share == 1.0


@pytest.mark.parametrize("budget", [Budget(kbps=8, burst_s=1.0), Budget(frame_bytes=500, kbps=80)])
def test_what_never_fits_is_not_to_be_tried_again(budget: Budget) -> None:
    controller = RateController(Policy(order=("quality",)))
    recorder = Recorder(lambda attempt: formula_bytes(attempt, best=180_000))
    with pytest.raises(OverBudgetError) as refusal:
        controller.fit("a", Curve(), PIXELS, budget, recorder, now=0.0)
    assert refusal.value.retry_after_s is None


def test_failures_give_their_bytes_back() -> None:
    controller = RateController()
    budget = Budget(kbps=80, burst_s=1.0)

    def fails(attempt: Attempt) -> tuple[bytes, None]:
        raise ZeroDivisionError

    for _ in range(20):
        with pytest.raises(ZeroDivisionError):
            controller.fit("a", Curve(), PIXELS, budget, fails, now=0.0)
    assert controller.counters("a").frames == 0
    late = controller.fit("a", Curve(), PIXELS, budget, Recorder(even), now=10.0)
    assert late.budget > 1_000


def test_frames_of_one_camera_may_be_in_work_at_once() -> None:
    controller = RateController()
    budget = Budget(kbps=80, burst_s=1.0)
    sizes: list[int] = []

    def work() -> None:
        for _ in range(20):
            try:
                fitted = controller.fit("a", Curve(), PIXELS, budget, Recorder(even), now=0.0)
            except OverBudgetError:
                continue
            sizes.append(len(fitted.bitstream))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < sum(sizes) <= 10_000
    assert controller.counters("a").frames == 120


def test_a_text_is_given_its_room_and_is_charged_to_the_cameras_rate() -> None:
    controller = RateController()
    rate = Budget(frame_bytes=900, kbps=8.0, burst_s=2.0)
    recorder = Recorder(lambda attempt: attempt.room or 0)
    fitted = controller.fit_text("gate", rate, recorder, now=0.0)
    assert fitted.attempt == Attempt(0, semantic=True, room=900)
    assert (fitted.budget, fitted.encodes, fitted.share) == (900, 1, 1.0)
    used = 900
    for _ in range(5):
        used += len(controller.fit_text("gate", rate, recorder, now=0.0).bitstream)
    assert 900 < used <= 2_000
    account = controller.counters("gate")
    assert (account.frames, account.within, account.mean_share) == (6, 6, None)


def test_a_text_that_cannot_be_shorter_takes_more_than_its_share_or_says_when_it_may() -> None:
    controller = RateController()
    rate = Budget(kbps=8.0, burst_s=2.0)  # the first frame's share is half of 2,000 bytes
    fitted = controller.fit_text("gate", rate, Recorder(lambda _: 1_500), now=0.0)
    assert (fitted.attempt.room, fitted.budget) == (1_000, 1_500)
    with pytest.raises(OverBudgetError, match="takes 1500 bytes") as caught:
        controller.fit_text("gate", rate, Recorder(lambda _: 1_500), now=0.0)
    assert caught.value.retry_after_s == pytest.approx(1.0)
    with pytest.raises(OverBudgetError) as caught:
        controller.fit_text("gate", Budget(1_000), Recorder(lambda _: 1_500), now=0.0)
    assert caught.value.retry_after_s is None
    assert (controller.counters("gate").frames, controller.counters("gate").within) == (3, 1)
