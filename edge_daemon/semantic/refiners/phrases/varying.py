"""Variants of a text: small changes, left to chance.

What climbs was measured on scenes of icons. Where drawings decide between texts, saying three to
five more of the likeliest things raises the expected CLIPSim, while leaving out what is said, or
where it is, nearly always lowers it. So every variant adds, and as much as the others of its call,
since longer texts score lower against the picture whatever they say.

Where nothing is drawn, that last fact would have the search end with the shortest text. So a thing
is taken out and the likeliest put in, which may be the same: what there is little evidence of is
exchanged, the rest changes its order, and the text keeps its length. Everything else is rare.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from edge_daemon.semantic.refiners.phrases.closer_look import CloserLook
from edge_daemon.semantic.refiners.phrases.composing import Composer
from edge_daemon.semantic.refiners.phrases.draft import Draft, Item

_ADDED: Final = (3, 5)
"""Least and most phrases that are added where drawings decide."""
_DROPPING: Final = 0.1
"""How often a thing is left out there."""
_CHANGING: Final = 0.05
"""How often something else is said otherwise, for each kind of change."""
_LEAST: Final = 0.1
"""Parts that a phrase has to cover to be tried."""
_KEENNESS: Final = 6.0
"""Power of its gain that a phrase's odds of being added are in proportion to."""
_DOUBT: Final = 0.1
"""Parts that are added to what a draft would lose with a thing; the odds of its being dropped are
in inverse proportion."""


class Variation:
    """Changes drafts.

    Args:
        composer: Knows what would add how much.
        closer_look: Knows what things are like.
        rng: Decides.
    """

    def __init__(
        self, composer: Composer, closer_look: CloserLook, rng: np.random.Generator
    ) -> None:
        self._composer = composer
        self._closer_look = closer_look
        self._rng = rng

    def variants(self, draft: Draft, *, drawn: bool) -> Iterator[Draft]:
        """Variants without end, some of them alike.

        Args:
            draft: What they are variants of.
            drawn: Whether drawings decide between texts, or texts are compared with the picture.
        """
        count = int(self._rng.integers(_ADDED[0], _ADDED[1] + 1)) if drawn else 1
        dropping = _DROPPING if drawn else 1.0
        changes = (self._placed, self._described_one, self._related, self._elsewhere)
        while True:
            changed = draft
            for change in changes:
                if self._rng.random() < _CHANGING:
                    changed = change(changed)
            shorter = self._dropped(changed) if self._rng.random() < dropping else changed
            longer = self._extended(shorter, count)
            # A text that is full can only be changed by giving something up.
            yield self._extended(self._dropped(draft), count) if longer == draft else longer

    def described(self, draft: Draft) -> Draft:
        """A draft that says what the asked things are like."""
        return replace(draft, asked=tuple(map(self._described, draft.asked)))

    def _extended(self, draft: Draft, count: int) -> Draft:
        """With so many more phrases, as far as they fit."""
        for _ in range(count):
            longer = [
                (gain, one)
                for phrase, gain in self._composer.gains(draft, _LEAST)
                if phrase.kind in ("thing", "text")
                and self._composer.fits(one := self._composer.extended_by(draft, phrase))
            ]
            if not longer:
                break
            draft = longer[self._drawn([gain**_KEENNESS for gain, _ in longer])][1]
        return draft

    def _dropped(self, draft: Draft) -> Draft:
        """Without one thing, more likely one that is hardly missed."""
        if not draft.things:
            return draft
        odds = [1.0 / (loss + _DOUBT) for loss in self._composer.losses(draft)]
        return _with(draft, self._drawn(odds))

    def _placed(self, draft: Draft) -> Draft:
        """With the place of one thing, or without it if it was said."""
        if not draft.things:
            return draft
        number = int(self._rng.integers(len(draft.things)))
        item = draft.things[number]
        place = "" if item.place else self._composer.found(self._composer.phrase(item)).place
        return _with(draft, number, replace(item, place=place))

    def _described_one(self, draft: Draft) -> Draft:
        """With what one thing is like."""
        if not draft.things:
            return draft
        number = int(self._rng.integers(len(draft.things)))
        return _with(draft, number, self._described(draft.things[number]))

    def _described(self, item: Item) -> Item:
        found = self._composer.found(self._composer.phrase(item))
        return replace(item, attribute=self._closer_look.attribute(item.words, found.part))

    def _related(self, draft: Draft) -> Draft:
        """With two things of one place in one clause, as "cat next to dog on the left"."""
        single = [i for i, t in enumerate(draft.things) if t.place and t.count == 1 and not t.other]
        pairs = [
            (i, j)
            for i in single
            for j in single
            if i != j and draft.things[i].place == draft.things[j].place
        ]
        if not pairs:
            return draft
        i, j = pairs[int(self._rng.integers(len(pairs)))]
        item, other = draft.things[i], draft.things[j].words
        found = self._composer.found(self._composer.phrase(item))
        relation = self._closer_look.relation(item.words, other, found.part)
        if not relation:
            return draft
        joined = _with(draft, i, replace(item, relation=relation, other=other))
        return _with(joined, j)

    def _elsewhere(self, draft: Draft) -> Draft:
        """In another scene."""
        begun = replace(draft, scene="")
        scenes = [
            (phrase, gain)
            for phrase, gain in self._composer.gains(begun, _LEAST)
            if phrase.kind == "scene"
        ]
        if not scenes:
            return draft
        return self._composer.extended_by(begun, scenes[self._drawn([g for _, g in scenes])][0])

    def _drawn(self, odds: Sequence[float]) -> int:
        shares = np.array(odds)
        return int(self._rng.choice(len(odds), p=shares / shares.sum()))


def _with(draft: Draft, number: int, *items: Item) -> Draft:
    """A draft with others, or none, in the place of one thing."""
    return replace(draft, things=(*draft.things[:number], *items, *draft.things[number + 1 :]))
