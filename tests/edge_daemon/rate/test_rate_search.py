from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.bench.scenes import scene
from edge_daemon.errors import DeadlineError, OverBudgetError
from edge_daemon.rate import Attempt, Budget, Fitted, Policy, RateController, path_of
from support.curves import Curve, Recorder, Steps, formula_bytes

PIXELS = scene(160, 120)
FULL = Policy(order=("quality", "smoothing", "scale"))


def fit(
    recorder: Recorder,
    budget: int,
    policy: Policy = FULL,
    controller: RateController | None = None,
    ceiling: int | None = None,
) -> Fitted[Attempt]:
    controller = controller or RateController()
    return controller.fit(
        "camera",
        Curve(),
        PIXELS,
        Budget(budget),
        recorder,
        now=0.0,
        policy=policy,
        ceiling=ceiling,
    )


def check(fitted: Fitted[Attempt], recorder: Recorder, budget: int) -> None:
    """What must hold of every result."""
    assert len(fitted.bitstream) <= budget == fitted.budget
    assert (fitted.bitstream, fitted.attempt) in recorder.made
    assert fitted.extra == fitted.attempt
    assert [(one.attempt, one.size) for one in fitted.tried] == [
        (attempt, len(made)) for made, attempt in recorder.made
    ]
    assert len({one.attempt for one in fitted.tried}) == fitted.encodes
    fitting = [one.size for one in fitted.tried if one.size <= budget]
    assert len(fitted.bitstream) == max(fitting)
    assert fitted.share == len(fitted.bitstream) / budget


def test_when_time_is_up_what_fits_is_taken() -> None:
    def size_of(attempt: Attempt) -> int:
        return formula_bytes(attempt, best=9_000)

    unhurried = Recorder(size_of)
    fit(unhurried, 9_000)
    assert [len(made) <= 9_000 for made, _ in unhurried.made] == [True, True]  # it goes on

    class Hurried(Recorder):
        """Has no time for more than some attempts."""

        def __init__(self, attempts: int) -> None:
            super().__init__(size_of)
            self.attempts = attempts

        def __call__(self, attempt: Attempt) -> tuple[bytes, Attempt]:
            if len(self.made) >= self.attempts:
                raise DeadlineError("no time is left", remedy="allow more")
            return super().__call__(attempt)

    hurried = Hurried(1)
    fitted = fit(hurried, 9_000)
    check(fitted, hurried, 9_000)
    assert fitted.encodes == 1
    with pytest.raises(DeadlineError):
        fit(Hurried(0), 9_000)


@given(data=st.data(), budget=st.integers(1, 60_000), most=st.integers(3, 9))
@settings(deadline=None, max_examples=300)
def test_any_bytes_at_all_end_within_the_budget_or_in_a_refusal(
    data: st.DataObject, budget: int, most: int
) -> None:
    sizes: dict[Attempt, int] = {}

    def size_of(attempt: Attempt) -> int:
        return sizes.setdefault(attempt, data.draw(st.integers(0, 100_000)))

    semantic = data.draw(st.booleans())
    order = (*FULL.order, "semantic") if semantic else FULL.order
    policy = replace(FULL, order=order, max_encodes=most)
    recorder = Recorder(size_of)
    end = path_of(Curve(), policy).attempts[-1]
    try:
        fitted = fit(recorder, budget, policy)
    except OverBudgetError as error:
        refusal = error.to_dict()
        least = min(sizes.values())
        assert least > budget
        assert end in sizes, "refused without having tried the end of the path"
        assert f"{least - budget} more than the {budget} allowed" in str(refusal["problem"])
        assert refusal["retry_after_s"] is None
        assert semantic == any(one.semantic for one in sizes)
    else:
        check(fitted, recorder, budget)
    assert len(recorder.made) <= most


@given(
    best=st.floats(2_000, 500_000),
    slope=st.floats(0.6, 1.6),
    share=st.floats(0.02, 0.98),
    noise=st.floats(0, 0.08),
    seed=st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=200)
def test_bytes_that_fall_about_evenly_use_most_of_a_budget_within_reach(
    best: float, slope: float, share: float, noise: float, seed: int
) -> None:
    path = path_of(Curve(), FULL)
    rng = np.random.default_rng(seed)
    noises = {one: 2 ** rng.normal(0, noise) for one in path.attempts}

    def size_of(attempt: Attempt) -> int:
        return round(noises[attempt] * formula_bytes(attempt, best=best, slope=slope))

    ends = [size_of(path.attempts[n]) for n in (-1, 0)]
    budget = max(round(ends[0] * (ends[1] / ends[0]) ** share), ends[0])
    recorder = Recorder(size_of)
    fitted = fit(recorder, budget)
    check(fitted, recorder, budget)
    # The codec's scale, the picture and the formula have nothing to do with each other.
    assert fitted.share > 0.5 or fitted.attempt == path.attempts[0]


def test_what_fits_at_its_best_is_not_made_coarser() -> None:
    recorder = Recorder(lambda attempt: formula_bytes(attempt, best=5_000))
    fitted = fit(recorder, 40_000)
    assert fitted.attempt == Attempt(38)
    assert fitted.ceiling
    fitted = fit(recorder, 40_000, ceiling=30)
    assert fitted.attempt == Attempt(30)
    assert fitted.ceiling


def test_a_bump_costs_encodes_and_nothing_else() -> None:
    def bumpy(attempt: Attempt) -> int:
        size = formula_bytes(attempt, best=50_000)
        return size * 3 if 18 <= attempt.quality <= 22 else size

    for budget in range(1_000, 50_000, 997):
        recorder = Recorder(bumpy)
        check(fit(recorder, budget), recorder, budget)


def test_a_step_is_found() -> None:
    recorder = Recorder(lambda attempt: 900 if attempt.quality < 17 else 30_000)
    fitted = fit(recorder, 1_000)
    assert len(fitted.bitstream) == 900


def test_a_finer_form_that_is_known_not_to_fit_is_not_tried() -> None:
    """With steps of half an octave, 0.77 of the budget can be the most there is."""
    controller = RateController(replace(FULL, order=("quality",)))
    recorder = Recorder(lambda attempt: round(20_000 * 2 ** ((attempt.quality - 6) / 2)))
    frames = [
        controller.fit("camera", Steps(), PIXELS, Budget(6_500), recorder, now=0.0)
        for _ in range(30)
    ]
    assert {frame.attempt for frame in frames} == {Attempt(2)}
    assert max(frame.encodes for frame in frames[20:]) == 1


def test_refusals_come_at_once_when_nothing_can_fit() -> None:
    policy = replace(FULL, order=("quality",))
    recorder = Recorder(lambda attempt: formula_bytes(attempt, best=500_000))
    controller = RateController()
    for _ in range(6):
        recorder.made.clear()
        with pytest.raises(OverBudgetError, match="the smallest attempt takes 22097 bytes"):
            fit(recorder, 1_000, policy, controller)
    assert [attempt for _, attempt in recorder.made] == [Attempt(4)]


def test_with_two_encodes_the_first_is_a_careful_one() -> None:
    policy = replace(FULL, max_encodes=2)
    firsts = 0
    for seed in range(60):
        factor = 2 ** np.random.default_rng(seed).normal(0, 0.1)
        recorder = Recorder(lambda attempt, f=factor: formula_bytes(attempt, best=60_000 * f))
        controller = RateController()
        with contextlib.suppress(OverBudgetError):
            fit(recorder, 9_000, policy, controller)  # learns the offset of such pictures
        recorder.made.clear()
        fitted = fit(recorder, 9_000, policy, controller)
        firsts += fitted.encodes == 1 or fitted.tried[0].size <= 9_000
    assert firsts >= 55


def test_the_semantic_attempt_is_the_last_resort() -> None:
    policy = replace(FULL, order=("quality", "semantic"))

    def size_of(attempt: Attempt) -> int:
        return 200 if attempt.semantic else formula_bytes(attempt, best=80_000)

    recorder = Recorder(size_of)
    fitted = fit(recorder, 1_000, policy)
    check(fitted, recorder, 1_000)
    assert fitted.attempt.semantic
    assert fitted.attempt.room == 1_000
    assert not fitted.ceiling
    assert Attempt(4) in [attempt for _, attempt in recorder.made]
    fitted = fit(Recorder(size_of), 10_000, policy)
    assert not any(one.attempt.semantic for one in fitted.tried)
    with pytest.raises(OverBudgetError, match="takes 200 bytes, 1 more than the 199"):
        fit(Recorder(size_of), 199, policy)


def test_what_encode_raises_passes_through() -> None:
    def fails(attempt: Attempt) -> tuple[bytes, None]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        RateController().fit("camera", Curve(), PIXELS, Budget(100), fails, now=0.0)
