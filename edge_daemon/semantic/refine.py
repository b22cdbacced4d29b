"""The search: a hill climb in the space of texts with the critic as judge.

What is looked for is the text of at most R bytes whose drawings come nearest to the picture:
max over p with len(p) <= R of E[CLIPSim(I, G(p))]. In each of N rounds a refiner proposes M texts,
the critic compares each with the picture, the best of them is drawn K times, and the best drawing
counts. The best of all rounds never falls ("LLM-Guided Semantic Image Compression via CLIP-Guided
Prompt Refinement", Algorithm details). Without a generator, texts are compared with the picture
only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_daemon.semantic.brief import Brief
from edge_daemon.semantic.cleaning import cleaned
from edge_daemon.semantic.critic import Critic
from edge_daemon.semantic.generators.abc import Generator, Order
from edge_daemon.semantic.notes import Note
from edge_daemon.semantic.refiners.abc import Best, Refiner
from edge_daemon.semantic.side import Side
from edge_daemon.semantic.steering import led
from edge_daemon.semantic.trace import Candidate, Drawing, Round, Trace


@dataclass(frozen=True)
class Limits:
    """How far a search may go.

    Attributes:
        iterations: Rounds (N), at least 1.
        prompts: Texts per round (M), at least 1.
        images: Drawings per round (K), at least 1.
        time_s: Seconds after which no new round is begun, and that peers may take together.
        cost: Most that the search may cost, in the unit of the prices; `None` for no bound.
        seed: Of whatever is left to chance.
    """

    iterations: int = 4
    prompts: int = 3
    images: int = 4
    time_s: float = 30.0
    cost: float | None = None
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Refined:
    """What a search ended with.

    Attributes:
        text: The best text: at most the brief's bytes, leading with what was asked. It is never
            empty, unless nobody proposed or asked anything.
        text_score: Cosine of the text and the picture, -1..1.
        image_score: CLIPSim of the text's best drawing; `None` if nothing was drawn.
        drawing: That drawing, uint8 (h, w, 3); `None` if nothing was drawn.
        trace: The whole account.
    """

    text: str
    text_score: float
    image_score: float | None
    drawing: NDArray[np.uint8] | None
    trace: Trace


def refine(
    brief: Brief,
    critic: Critic,
    refiner: Refiner,
    generator: Generator | None,
    limits: Limits,
    *,
    side: Side | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Refined:
    """Search for the text that says most of a picture.

    Args:
        brief: The picture, and what texts have to keep to.
        critic: Judges.
        refiner: Proposes.
        generator: Draws; `None` leaves drawings out, and the trace says so.
        limits: When to end.
        side: Side information that the cloud will have too, for generators that take it.
        clock: Monotonic, in seconds.

    Returns:
        The best that was found within the limits, whatever went wrong on the way.
    """
    climb = _Climb(brief, critic, refiner, generator, limits, side, clock)
    for number in range(1, limits.iterations + 1):
        if not climb.go_on(number):
            break
        climb.round(number)
    return climb.result()


class _Climb:
    """The state of one search."""

    def __init__(
        self,
        brief: Brief,
        critic: Critic,
        refiner: Refiner,
        generator: Generator | None,
        limits: Limits,
        side: Side | None,
        clock: Callable[[], float],
    ) -> None:
        self._brief = brief
        self._critic = critic
        self._refiner = refiner
        self._generator = generator
        self._limits = limits
        self._side = side
        self._clock = clock
        self._begun = clock()
        self._rng = np.random.default_rng(limits.seed)
        self._rounds: list[Round] = []
        self._spent = 0.0
        self._notes: list[Note] = []
        self._best: Best | None = None
        self._best_text_score = 0.0
        self._drawing: NDArray[np.uint8] | None = None

    def go_on(self, number: int) -> bool:
        """Whether another round is within the limits."""
        if self._left_s() <= 0.0:
            self._tell_last(Note("out-of-time", f"no time for round {number}"))
            return False
        left = self._left()
        if left is not None and left <= 0.0 < self._spent:
            self._tell_last(Note("out-of-money", f"nothing left for round {number}"))
            return False
        return True

    def round(self, number: int) -> None:
        """One iteration: propose, compare, draw, keep the best."""
        begun, before = self._clock(), self._spent
        self._notes = []
        candidates = self._candidates()
        chosen: int | None = None
        if candidates:
            chosen = max(range(len(candidates)), key=lambda i: candidates[i].score)
            candidates[chosen] = self._judged(candidates[chosen], number)
        best = None if self._best is None else self._best.score
        seconds, cost = self._clock() - begun, self._spent - before
        self._rounds.append(
            Round(number, tuple(candidates), chosen, best, cost, seconds, tuple(self._notes))
        )

    def result(self) -> Refined:
        """The best of all rounds."""
        if self._best is None:
            # Nobody proposed anything: what was asked, and what the client said, are still known.
            self._notes = []
            text = led(self._clean(self._brief.caption), self._brief.asked, self._brief.max_bytes)
            self._tell_last(*self._notes)
            score = self._critic.text_image(text, self._brief.sight).score
            self._best, self._best_text_score = Best(text, score, drawn=False), score
        trace = Trace(
            self._critic.name,
            self._critic.notice,
            self._refiner.name,
            None if self._generator is None else self._generator.name,
            self._limits.seed,
            tuple(self._rounds),
        )
        best = self._best
        return Refined(
            best.text,
            self._best_text_score,
            best.score if best.drawn else None,
            self._drawing,
            trace,
        )

    def _candidates(self) -> list[Candidate]:
        proposal = self._refiner.propose(
            self._brief,
            self._best,
            self._limits.prompts,
            rng=self._rng,
            timeout_s=self._left_s(),
            budget=self._left(),
        )
        self._spent += proposal.cost
        self._notes += proposal.notes
        texts = [
            led(text, self._brief.asked, self._brief.max_bytes)
            for proposed in proposal.texts
            if (text := self._clean(proposed))
        ]
        return [self._scored(text) for text in dict.fromkeys(texts)][: self._limits.prompts]

    def _clean(self, text: str) -> str:
        clean, notes = cleaned(text, self._brief.max_bytes)
        self._notes += notes
        return clean

    def _scored(self, text: str) -> Candidate:
        scored = self._critic.text_image(text, self._brief.sight)
        return Candidate(text, len(text.encode("utf-8")), scored.score, len(scored.chunks))

    def _judged(self, candidate: Candidate, number: int) -> Candidate:
        """The candidate with its drawings; it becomes the best if it is."""
        drawings: list[Drawing] = []
        pictures: tuple[NDArray[np.uint8], ...] = ()
        if self._generator is None:
            if number == 1:
                self._notes.append(
                    Note("no-generator", "nothing is drawn: scores compare text and picture")
                )
        else:
            pictures = self._drawn(self._generator, candidate.text, number)
            looks = [self._critic.look(picture) for picture in pictures]
            drawings = [
                Drawing(i, self._critic.image_image(look, self._brief.sight))
                for i, look in enumerate(looks)
            ]
        if drawings:
            best = max(drawings, key=lambda one: one.score)
            # Cosines of drawings and of texts do not compare: a drawing beats any text.
            if self._best is None or not self._best.drawn or best.score > self._best.score:
                self._best = Best(candidate.text, best.score, drawn=True)
                self._best_text_score = candidate.score
                self._drawing = pictures[best.number]
        elif self._best is None or (not self._best.drawn and candidate.score > self._best.score):
            self._best = Best(candidate.text, candidate.score, drawn=False)
            self._best_text_score = candidate.score
        return replace(candidate, drawings=tuple(drawings))

    def _drawn(self, generator: Generator, text: str, number: int) -> tuple[NDArray[np.uint8], ...]:
        height, width = self._brief.pixels.shape[:2]
        limits = self._limits
        drawn = generator.draw(
            Order(
                text,
                limits.images,
                width,
                height,
                seed=limits.seed + (number - 1) * limits.images,
                side=self._side if generator.takes_side else None,
                timeout_s=max(0.0, self._left_s()),
                budget=self._left(),
            )
        )
        self._spent += drawn.cost
        self._notes += drawn.notes
        return drawn.pictures[: limits.images]

    def _left_s(self) -> float:
        return self._limits.time_s - (self._clock() - self._begun)

    def _left(self) -> float | None:
        cost = self._limits.cost
        return None if cost is None else max(0.0, cost - self._spent)

    def _tell_last(self, *notes: Note) -> None:
        if self._rounds:
            last = self._rounds[-1]
            self._rounds[-1] = replace(last, notes=(*last.notes, *notes))
