"""The search, with refiners and generators that are told what to do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.semantic.brief import Brief
from edge_daemon.semantic.critic import Critic
from edge_daemon.semantic.generators.abc import Drawn, Order
from edge_daemon.semantic.notes import Note
from edge_daemon.semantic.refine import Limits, Refined, refine
from edge_daemon.semantic.refiners.abc import Best, Proposal
from edge_daemon.semantic.side import Side
from models import load_bundle
from support.tiny_bundle import COLOURS, make_tiny_bundle

GREY = (128, 128, 128)


@pytest.fixture(scope="module")
def critic(tmp_path_factory: pytest.TempPathFactory) -> Critic:
    directory: Path = make_tiny_bundle(tmp_path_factory.mktemp("bundle"))
    return Critic(load_bundle(directory, threads=1))


@dataclass
class Scripted:
    """A stand-in for a refiner: proposes what it was given, round by round."""

    rounds: Sequence[Proposal]
    name: ClassVar[str] = "scripted"
    local: ClassVar[bool] = True
    asked: list[tuple[Best | None, int, float | None]] = field(
        default_factory=list[tuple[Best | None, int, "float | None"]]
    )

    def propose(
        self,
        brief: Brief,
        best: Best | None,
        count: int,
        *,
        rng: np.random.Generator,
        timeout_s: float,
        budget: float | None,
    ) -> Proposal:
        self.asked.append((best, count, budget))
        return self.rounds[min(len(self.asked), len(self.rounds)) - 1]


@dataclass
class Painter:
    """A stand-in for a generator: a plain picture of the first colour in the text."""

    name: ClassVar[str] = "painter"
    takes_side: bool = False
    cost: float = 0.0
    fails: bool = False
    orders: list[Order] = field(default_factory=list[Order])

    def draw(self, order: Order) -> Drawn:
        self.orders.append(order)
        if self.fails:
            return Drawn((), self.cost, (Note("endpoint-down", "refused the connection"),))
        words = order.text.lower().replace(",", " ").replace(".", " ").split()
        colour = next((COLOURS[word] for word in words if word in COLOURS), None)
        level = GREY if colour is None else tuple(round(255 * band) for band in colour)
        pictures = [np.full((8, 8, 3), level, np.uint8) for _ in range(order.count)]
        for number, picture in enumerate(pictures):
            picture[:number] = GREY  # later ones are worse
        return Drawn(tuple(pictures), self.cost * order.count)


def brief_of(
    critic: Critic, colour: tuple[int, int, int] = (255, 0, 0), max_bytes: int = 60
) -> Brief:
    pixels: NDArray[np.uint8] = np.full((40, 60, 3), colour, np.uint8)
    return Brief(pixels, critic.look(pixels), max_bytes=max_bytes)


def says(*texts: str, cost: float = 0.0) -> Proposal:
    return Proposal(texts, cost)


def troubles(refined: Refined) -> list[str]:
    return [note.trouble for note in refined.trace.notes]


def test_the_best_text_wins_without_a_generator_and_that_is_said(critic: Critic) -> None:
    refiner = Scripted([says("a blue thing", "a red thing", "a green thing")])
    found = refine(brief_of(critic), critic, refiner, None, Limits(iterations=1))
    assert found.text == "a red thing"
    assert found.image_score is None
    assert found.drawing is None
    assert found.trace.generator is None
    assert troubles(found) == ["no-generator"]


def test_drawings_decide_with_a_generator(critic: Critic) -> None:
    refiner = Scripted([says("blue"), says("yellow"), says("red"), says("green")])
    found = refine(brief_of(critic), critic, refiner, Painter(), Limits())
    assert found.text == "red"
    assert found.image_score == pytest.approx(1.0, abs=1e-4)
    assert found.drawing is not None
    assert (found.drawing == (255, 0, 0)).all()
    assert found.text_score == critic.text_image("red", brief_of(critic).sight).score


def test_only_the_best_of_a_round_is_drawn_and_as_often_as_told(critic: Critic) -> None:
    painter = Painter()
    refiner = Scripted([says("blue", "red", "green")])
    limits = Limits(iterations=2, prompts=3, images=5, seed=7)
    found = refine(brief_of(critic), critic, refiner, painter, limits)
    assert [(order.text, order.count, order.seed) for order in painter.orders] == [
        ("red", 5, 7),
        ("red", 5, 12),
    ]
    assert (painter.orders[0].width, painter.orders[0].height) == (60, 40)
    first = found.trace.rounds[0]
    assert [len(one.drawings) for one in first.candidates] == [0, 5, 0]
    assert first.chosen == 1


def test_the_best_never_falls(critic: Critic) -> None:
    texts = ["yellow", "blue", "orange", "green", "red", "black"]
    refiner = Scripted([says(text) for text in texts])
    found = refine(brief_of(critic), critic, refiner, Painter(), Limits(iterations=6))
    best = [one.best for one in found.trace.rounds if one.best is not None]
    assert len(best) == 6
    assert best == sorted(best)
    assert found.image_score == best[-1] > best[0]
    assert [asked[0].text if asked[0] else None for asked in refiner.asked] == [
        None,
        "yellow",
        "yellow",
        "orange",
        "orange",
        "red",
    ]


def test_a_drawing_beats_any_text(critic: Critic) -> None:
    """Cosines of texts and of drawings do not compare."""
    painter = Painter(fails=True)

    class Later(Scripted):
        def propose(self, *args: object, **more: object) -> Proposal:
            painter.fails = not self.asked
            return super().propose(*args, **more)  # type: ignore[arg-type]  # pyright: ignore

    found = refine(
        brief_of(critic), critic, Later([says("red"), says("blue")]), painter, Limits(iterations=2)
    )
    assert found.text == "blue"
    assert found.image_score is not None
    assert "endpoint-down" in troubles(found)


def test_texts_lead_with_what_is_asked_and_keep_to_their_bytes(critic: Critic) -> None:
    brief = replace(brief_of(critic, max_bytes=24), asked=("blue sign",))
    refiner = Scripted([says("a red house with a green tree and more", "blue sign, red")])
    found = refine(brief, critic, refiner, None, Limits(iterations=1))
    texts = [one.text for one in found.trace.rounds[0].candidates]
    assert texts == ["blue sign. a red house", "blue sign, red"]
    assert [one.utf8_bytes for one in found.trace.rounds[0].candidates] == [22, 14]


def test_equal_texts_are_scored_once_and_no_more_than_asked_for(critic: Critic) -> None:
    refiner = Scripted([says("red", "red", "blue", "green", "yellow")])
    found = refine(brief_of(critic), critic, refiner, None, Limits(iterations=1, prompts=3))
    assert [one.text for one in found.trace.rounds[0].candidates] == ["red", "blue", "green"]


def test_without_any_proposal_what_is_known_is_sent(critic: Critic) -> None:
    down = Proposal((), notes=(Note("endpoint-down", "refused"),))
    brief = replace(brief_of(critic), asked=("red sign",), caption="A house.")
    found = refine(brief, critic, Scripted([down]), Painter(), Limits())
    assert found.text == "red sign. A house."
    assert found.image_score is None
    assert troubles(found) == ["endpoint-down"]
    assert [one.best for one in found.trace.rounds] == [None] * 4


def test_a_round_without_proposals_keeps_the_best_so_far(critic: Critic) -> None:
    down = Proposal((), notes=(Note("endpoint-down", "refused"),))
    found = refine(brief_of(critic), critic, Scripted([says("red"), down]), None, Limits())
    assert found.text == "red"
    assert [one.chosen for one in found.trace.rounds] == [0, None, None, None]


def test_time_ends_the_search(critic: Critic) -> None:
    now = iter(range(0, 1000, 4))
    refiner = Scripted([says("red")])
    found = refine(
        brief_of(critic),
        critic,
        refiner,
        None,
        Limits(iterations=50, time_s=30.0),
        clock=lambda: float(next(now)),
    )
    assert 0 < len(found.trace.rounds) < 5
    assert troubles(found)[-1] == "out-of-time"
    assert found.text == "red"


def test_money_ends_the_search(critic: Critic) -> None:
    refiner = Scripted([says("red", cost=0.25)])
    limits = Limits(iterations=9, images=2, cost=1.0)
    found = refine(brief_of(critic), critic, refiner, Painter(cost=0.125), limits)
    assert len(found.trace.rounds) == 2
    assert found.trace.cost == pytest.approx(1.0)
    assert [asked[2] for asked in refiner.asked] == [1.0, 0.5]
    assert troubles(found) == ["out-of-money"]


def test_what_is_free_ends_with_no_money_but_goes_on(critic: Critic) -> None:
    found = refine(brief_of(critic), critic, Scripted([says("red")]), None, Limits(cost=0.0))
    assert len(found.trace.rounds) == 4


def test_side_information_goes_to_generators_that_take_it(critic: Critic) -> None:
    side = Side("thumbnail", np.zeros((2, 3, 3), np.uint8))
    for takes in (True, False):
        painter = Painter(takes_side=takes)
        refine(
            brief_of(critic),
            critic,
            Scripted([says("red")]),
            painter,
            Limits(iterations=1),
            side=side,
        )
        assert painter.orders[0].side is (side if takes else None)


def test_the_trace_is_json_and_complete(critic: Critic) -> None:
    refiner = Scripted([says("blue", "red", cost=0.5)])
    found = refine(brief_of(critic), critic, refiner, Painter(), Limits(iterations=1, seed=3))
    told = json.loads(json.dumps(found.trace.to_dict()))
    assert (told["critic"], told["refiner"], told["generator"]) == (
        "tiny-colours",
        "scripted",
        "painter",
    )
    assert (told["seed"], told["cost"]) == (3, 0.5)
    (only,) = told["rounds"]
    assert [one["text"] for one in only["candidates"]] == ["blue", "red"]
    assert [one["utf8_bytes"] for one in only["candidates"]] == [4, 3]
    assert [one["number"] for one in only["candidates"][1]["drawings"]] == [0, 1, 2, 3]
    assert only["best"] == pytest.approx(found.image_score, abs=1e-5)
