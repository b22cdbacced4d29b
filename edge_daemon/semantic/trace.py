"""The full account of a search: every text and every drawing, with scores, bytes and cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge_daemon.semantic.notes import Note


@dataclass(frozen=True)
class Drawing:
    """One picture that was drawn.

    Attributes:
        number: Which of its order, from 0.
        score: CLIPSim with the source, -1..1.
    """

    number: int
    score: float


@dataclass(frozen=True)
class Candidate:
    """One text that was scored.

    Attributes:
        text: As it was scored, which is as it would be sent.
        utf8_bytes: Its length in bytes of UTF-8, before packing.
        score: Cosine of text and picture, -1..1.
        chunks: Pieces in which the encoder read it.
        drawings: Those that were made of it; of all candidates of a round only the best is drawn.
    """

    text: str
    utf8_bytes: int
    score: float
    chunks: int
    drawings: tuple[Drawing, ...] = ()


@dataclass(frozen=True)
class Round:
    """One iteration.

    Attributes:
        number: From 1.
        candidates: In the order in which they were proposed.
        chosen: Index of the candidate with the highest score; `None` if there was none.
        best: The best score of the whole search after this round; `None` if there is none yet.
        cost: Of the round, in the unit of the prices in the settings.
        seconds: That it took.
        notes: Troubles that were survived.
    """

    number: int
    candidates: tuple[Candidate, ...]
    chosen: int | None
    best: float | None
    cost: float
    seconds: float
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Trace:
    """A whole search.

    Attributes:
        critic: The bundle that scored.
        notice: That bundle's caveat; may be empty.
        refiner: What proposed the texts.
        generator: What drew them; `None`: nothing did, and scores compare text and picture.
        seed: Of whatever was left to chance.
        rounds: In order.
    """

    critic: str
    notice: str
    refiner: str
    generator: str | None
    seed: int
    rounds: tuple[Round, ...]

    @property
    def cost(self) -> float:
        """Of all rounds, in the unit of the prices in the settings."""
        return sum(one.cost for one in self.rounds)

    @property
    def notes(self) -> tuple[Note, ...]:
        """Of all rounds, each once."""
        return tuple(dict.fromkeys(note for one in self.rounds for note in one.notes))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; bytes are of UTF-8, scores are cosines."""
        return {
            "critic": self.critic,
            "notice": self.notice,
            "refiner": self.refiner,
            "generator": self.generator,
            "seed": self.seed,
            "cost": round(self.cost, 6),
            "rounds": [_round(one) for one in self.rounds],
        }


def _round(one: Round) -> dict[str, Any]:
    return {
        "number": one.number,
        "best": None if one.best is None else round(one.best, 6),
        "chosen": one.chosen,
        "cost": round(one.cost, 6),
        "seconds": round(one.seconds, 3),
        "notes": [{"trouble": note.trouble, "detail": note.detail} for note in one.notes],
        "candidates": [
            {
                "text": candidate.text,
                "utf8_bytes": candidate.utf8_bytes,
                "score": round(candidate.score, 6),
                "chunks": candidate.chunks,
                "drawings": [
                    {"number": drawing.number, "score": round(drawing.score, 6)}
                    for drawing in candidate.drawings
                ],
            }
            for candidate in one.candidates
        ],
    }
