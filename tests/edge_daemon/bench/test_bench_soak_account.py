from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_daemon.bench.soak.account import Ledger, balance, logged, memory_slope


def ledger_of(sent: list[tuple[str, int]], acknowledged: list[tuple[str, int]]) -> Ledger:
    ledger = Ledger()
    for key in sent:
        ledger.offer(key)
    for key in acknowledged:
        ledger.acknowledge(key)
    return ledger


def test_every_kind_of_frame_is_counted_once() -> None:
    sent = [("a", 0), ("a", 0), ("a", 1), ("a", 2), ("b", 0)]
    ledger = ledger_of(sent, [("a", 0), ("a", 1), ("b", 0)])
    log = [("a", 0), ("a", 2), ("a", 1), ("a", 2), ("c", 9)]
    account = balance(ledger, log)
    assert (account.sent, account.attempts, account.acknowledged) == (4, 5, 3)
    assert account.delivered == 3
    assert account.lost == {("b", 0)}
    assert (account.duplicated, account.unordered, account.strangers) == (1, 1, 1)
    assert not account.whole


def test_a_promise_kept_is_whole_whatever_was_not_acknowledged() -> None:
    ledger = ledger_of([("a", 0), ("a", 1), ("b", 5)], [("a", 0)])
    assert balance(ledger, [("a", 0)]).whole
    assert balance(ledger, [("b", 5), ("a", 0), ("a", 1)]).whole


def test_a_torn_last_line_is_not_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    assert logged(log) == []
    lines = [json.dumps({"client": "a", "sequence": number}) for number in range(3)]
    log.write_text("\n".join(lines), encoding="utf-8")
    assert logged(log) == [("a", 0), ("a", 1)]


def test_the_slope_is_that_of_the_lives_after_their_start() -> None:
    long = [(float(t), 100.0 + (50.0 if t < 10 else 0.0) + t / 60) for t in range(600)]
    short = [(float(t), 500.0 * t) for t in range(15)]
    assert memory_slope([long, short]) == pytest.approx(60.0)
    assert memory_slope([short]) is None
