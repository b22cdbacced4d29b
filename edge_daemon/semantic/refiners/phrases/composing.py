"""Texts that say most of a picture within so many bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from edge_daemon.semantic.refiners.phrases.coverage import covered, gains
from edge_daemon.semantic.refiners.phrases.draft import Draft, Item
from edge_daemon.semantic.refiners.phrases.evidence import Evidence, Phrase
from edge_daemon.semantic.refiners.phrases.finding import Found, find
from edge_daemon.semantic.refiners.phrases.wording import Wording
from edge_daemon.semantic.steering import mentions, shortened

_SURE: Final = 0.25
"""Likelihood of what is asked about, in its best part, below which the text says "perhaps". In
scenes of icons, 82 % of what is there is above it, and 0.5 % of what is not."""
_MOST_THINGS: Final = 24


class Composer:
    """Composes texts for one picture.

    Args:
        evidence: What the picture shows.
        wording: Puts drafts into words.
        asked: What every text has to lead with.
        caption: What every text goes on from; one line, may be empty.
        said: Things that the caption or the question say already.
        max_bytes: Most bytes of UTF-8 of a text, at least 1.
    """

    def __init__(
        self,
        evidence: Evidence,
        wording: Wording,
        asked: tuple[str, ...],
        caption: str,
        said: Iterable[str],
        max_bytes: int,
    ) -> None:
        self._evidence = evidence
        self._found: dict[Phrase, Found] = {}
        self._wording = wording
        self._asked = asked
        self._max_bytes = max_bytes
        self._said = tuple(Phrase("thing", words) for words in said)
        room = max_bytes - self._bytes(self._trimmed(Draft(self._asked_items()))) - len(". ")
        self._caption = shortened(caption, room) if room > 0 else ""

    def begun(self) -> Draft:
        """What every text begins with: what is asked about, and the caption."""
        return self._trimmed(Draft(self._asked_items(), self._caption))

    def read(self, text: str) -> Draft:
        """The draft that a text of this composer's was made of."""
        draft, begun = self._wording.draft(text, self._asked, self._caption), self.begun()
        whole = len(draft.asked) == len(begun.asked)
        return replace(draft, asked=(draft if whole else begun).asked, caption=begun.caption)

    def text(self, draft: Draft) -> str:
        """As much of a draft as fits, in words; what is asked about is kept to the last."""
        return shortened(self._wording.text(self._trimmed(draft)), self._max_bytes)

    def extended(self, draft: Draft, least: float, *, per_byte: bool = False) -> Draft:
        """A draft with the phrases that add most, one by one, as long as they add and fit.

        Args:
            draft: What it begins with.
            least: Parts that each phrase has to cover beyond what is said before it.
            per_byte: Whether that phrase comes first that adds most per byte, or simply most.
        """
        while len(draft.things) < _MOST_THINGS:
            longer = [
                (gain, self.extended_by(draft, phrase)) for phrase, gain in self.gains(draft, least)
            ]
            fitting = [(gain, one) for gain, one in longer if self.fits(one)]
            if not fitting:
                break
            if per_byte:
                before = self._bytes(draft)
                fitting = [(gain / max(1, self._bytes(one) - before), one) for gain, one in fitting]
            draft = max(fitting, key=lambda one: one[0])[1]
        return draft

    def gains(self, draft: Draft, least: float) -> list[tuple[Phrase, float]]:
        """What would add at least so much to a draft, in parts, the most first."""
        evidence = self._evidence
        added = gains(evidence.weights, covered(evidence.weights, self._columns(draft)))
        columns = sorted(np.flatnonzero(added >= least), key=lambda column: -added[column])
        return [(evidence.phrases[column], float(added[column])) for column in columns]

    def fits(self, draft: Draft) -> bool:
        """Whether all of a draft can be said."""
        return self._bytes(draft) <= self._max_bytes

    def losses(self, draft: Draft) -> list[float]:
        """What a draft would lose with each of its things, in parts."""
        weights = self._evidence.weights
        whole = covered(weights, self._columns(draft)).sum()
        things = draft.things
        shorter = (
            replace(draft, things=(*things[:i], *things[i + 1 :])) for i in range(len(things))
        )
        return [float(whole - covered(weights, self._columns(one)).sum()) for one in shorter]

    def extended_by(self, draft: Draft, phrase: Phrase) -> Draft:
        """A draft that says one more phrase."""
        if phrase.kind == "scene":
            return replace(draft, scene=phrase.words)
        if phrase.kind == "light":
            return replace(draft, light=phrase.words)
        found = self.found(phrase)
        if phrase.kind == "text":
            return replace(draft, texts=(*draft.texts, Item(phrase.words, 1, found.place)))
        item = Item(phrase.words, found.count, found.place)
        return replace(draft, things=(*draft.things, item))

    def found(self, phrase: Phrase) -> Found:
        """Where the parts show something, and how many of it."""
        if phrase not in self._found:
            self._found[phrase] = find(self._evidence.on_parts(phrase), self._evidence.boxes)
        return self._found[phrase]

    def phrase(self, item: Item) -> Phrase:
        """The phrase of which there is evidence, for an item of a draft."""
        words = self._wording.name(item.words) or item.words
        thing = Phrase("thing", words)
        return thing if thing in self._evidence.columns else Phrase("text", words)

    def _asked_items(self) -> tuple[Item, ...]:
        return tuple(map(self._asked_item, self._asked))

    def _asked_item(self, words: str) -> Item:
        found = self.found(self.phrase(Item(words)))
        item = Item(words, found.count, found.place, doubtful=found.likelihood < _SURE)
        # Some plurals do not count as the word: who asks about a knife, reads of a knife.
        return item if mentions(self._wording.clause(item), words) else replace(item, count=1)

    def _columns(self, draft: Draft) -> list[int]:
        """Of all that a draft says, the caption included."""
        items = (*draft.asked, *draft.things, *draft.texts)
        phrases = (
            *map(self.phrase, items),
            *(Phrase("thing", item.other) for item in items),
            Phrase("scene", draft.scene),
            Phrase("light", draft.light),
            *self._said,
        )
        columns = self._evidence.columns
        return [columns[phrase] for phrase in phrases if phrase in columns]

    def _trimmed(self, draft: Draft) -> Draft:
        shorter = list(_shorter(draft))
        return next(filter(self.fits, shorter), shorter[-1])

    def _bytes(self, draft: Draft) -> int:
        return len(self._wording.text(draft).encode("utf-8"))


def _shorter(draft: Draft) -> Iterator[Draft]:
    """A draft, then ever less of it."""
    yield draft
    yield (draft := replace(draft, texts=()))
    yield (draft := replace(draft, light=""))
    while draft.things:
        yield (draft := replace(draft, things=draft.things[:-1]))
    yield (draft := replace(draft, scene=""))
    yield (draft := replace(draft, asked=tuple(Item(item.words) for item in draft.asked)))
    yield replace(draft, caption="")
