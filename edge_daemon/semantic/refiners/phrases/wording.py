"""Drafts in words, and back.

    perhaps bicycle in the middle. city street, two red cars on the left, daylight, sign with text

What was asked is a sentence of its own, then comes the client's caption, then the rest. Articles
and capitals are left out: they cost bytes and say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from edge_daemon.semantic.places import PLACES
from edge_daemon.semantic.refiners.phrases.draft import Draft, Item
from edge_daemon.semantic.vocabulary import Vocabulary

NUMBERS: Final = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
"""Of what is more than one; beyond ten, ten is said."""
_DOUBT: Final = "perhaps "


class Wording:
    """Writes and reads drafts in the words of one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._scenes = frozenset(vocabulary.scenes)
        self._lights = frozenset(vocabulary.lighting)
        self._texts = frozenset(vocabulary.texts)
        # The longest first: "dark blue" before "dark".
        self._attributes = sorted(vocabulary.attributes.words, key=len, reverse=True)
        self._names = {text: text for text in vocabulary.texts}
        for thing in vocabulary.objects:
            self._names |= dict.fromkeys(vocabulary.names(thing), thing)
        for word, thing in list(self._names.items()):
            self._names.setdefault(vocabulary.plural(word), thing)

    def name(self, words: str) -> str | None:
        """The phrase that words stand for, singular or plural; `None` if there is none."""
        return self._names.get(words)

    def text(self, draft: Draft) -> str:
        """A draft in words."""
        rest = [
            draft.scene,
            *map(self.clause, draft.things),
            draft.light,
            *map(self.clause, draft.texts),
        ]
        sentences = (
            ", ".join(map(self.clause, draft.asked)),
            draft.caption,
            ", ".join(clause for clause in rest if clause),
        )
        return ". ".join(sentence for sentence in sentences if sentence)

    def clause(self, item: Item) -> str:
        """One item in words."""
        many = item.count > 1
        words = (
            NUMBERS[min(item.count, len(NUMBERS) + 1) - 2] if many else "",
            item.attribute,
            self._vocabulary.plural(item.words) if many else item.words,
            item.relation,
            item.other,
            item.place,
        )
        return (_DOUBT if item.doubtful else "") + " ".join(word for word in words if word)

    def draft(self, text: str, asked: Collection[str], caption: str) -> Draft:
        """A text in its parts.

        Args:
            text: As `text` wrote it. What is not worded in that way is left out.
            asked: What the question is about.
            caption: What the client says of the picture, as it was written.
        """
        before, caption_found, after = text.partition(caption) if caption else (text, "", "")
        clauses = re.split(r"[.,] ", f"{before}. {after}")
        scene = next((clause for clause in clauses if clause in self._scenes), "")
        light = next((clause for clause in clauses if clause in self._lights), "")
        items = [
            item
            for clause in clauses
            if clause not in (scene, light) and (item := self._item(clause, asked)) is not None
        ]
        return Draft(
            tuple(item for item in items if item.words in asked),
            caption_found,
            scene,
            tuple(i for i in items if i.words not in asked and i.words not in self._texts),
            light,
            tuple(i for i in items if i.words not in asked and i.words in self._texts),
        )

    def _item(self, clause: str, asked: Collection[str]) -> Item | None:
        """One item of its words; `None` if they are not ours."""
        doubtful = clause.startswith(_DOUBT)
        clause, place = _without_place(clause.removeprefix(_DOUBT))
        number, _, rest = clause.partition(" ")
        many = number in NUMBERS
        clause, relation, other = self._without_relation(rest if many else clause)
        attribute = next((a for a in self._attributes if clause.startswith(f"{a} ")), "")
        for described in ("", attribute):
            words = clause.removeprefix(described).strip()
            name = words if words in asked else self._names.get(words)
            if name is not None:
                count = NUMBERS.index(number) + 2 if many else 1
                return Item(name, count, place, described, relation, other, doubtful)
        return None

    def _without_relation(self, clause: str) -> tuple[str, str, str]:
        """What is before a relation, the relation, and the thing behind it."""
        for relation in self._vocabulary.relations:
            before, found, other = clause.partition(f" {relation} ")
            if found and other in self._names:
                return before, relation, other
        return clause, "", ""


def _without_place(clause: str) -> tuple[str, str]:
    for place in PLACES:
        if clause.endswith(f" {place}"):
            return clause.removesuffix(f" {place}"), place
    return clause, ""
