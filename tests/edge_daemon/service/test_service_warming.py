from __future__ import annotations

from typing import Any

import pytest

from edge_daemon.semantic.refine import Refined
from edge_daemon.service import warming
from edge_daemon.service.warming import warm, warm_soon
from support.stand_in_describer import StandInDescriber

PATIENCE_S = 20.0


class Cold(StandInDescriber):
    """Its encoder fails."""

    def describe(self, *_: Any, **__: Any) -> Refined:
        raise RuntimeError("no encoder")


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "_AFTER_S", 0.01)


def test_nobody_is_asked_to_get_warm() -> None:
    describer = StandInDescriber(local=False)
    warm(describer)
    (asked,) = describer.asked
    assert asked.at_once
    assert not asked.pixels.any()


@pytest.mark.usefixtures("soon")
def test_it_happens_a_while_after_the_start() -> None:
    describer = StandInDescriber()
    warm_soon(describer).join(PATIENCE_S)
    assert len(describer.asked) == 1


@pytest.mark.usefixtures("soon")
def test_what_cannot_get_warm_is_told_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    warm_soon(Cold()).join(PATIENCE_S)
    assert "event=describer_not_warm" in caplog.text


def test_a_daemon_that_stops_before_does_not_wait_for_it() -> None:
    describer = StandInDescriber()
    timer = warm_soon(describer)
    timer.cancel()
    timer.join(PATIENCE_S)
    assert not timer.is_alive()
    assert describer.asked == []
