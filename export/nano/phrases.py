"""What people say when they mean a concept: names, keywords, questions, raw and distilled.

Each phrase has a target: the concepts it means, with weights. A name means its concept; a keyword
that several concepts share means all of them; a phrase that is both leans to the name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from export.nano.concepts import Concept


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ALIASES: dict[str, tuple[str, ...]] = {
    "airplane": ("plane", "aeroplane", "aircraft"),
    "automobile": ("car",),
    "bicycle": ("bike",),
    "birthday cake": ("cake",),
    "cooking": ("frying pan",),
    "delivery truck": ("truck", "lorry"),
    "doughnut": ("donut",),
    "ewe": ("sheep",),
    "fire engine": ("fire truck",),
    "glasses": ("eyeglasses", "spectacles"),
    "hamburger": ("burger",),
    "hot beverage": ("cup of coffee", "coffee cup", "coffee"),
    "locomotive": ("steam train", "steam engine"),
    "mobile phone": ("smartphone", "cell phone"),
    "motorcycle": ("motorbike",),
    "open book": ("book",),
    "police car": ("police cruiser",),
    "red apple": ("apple",),
    "sailboat": ("sailing boat", "boat"),
    "soccer ball": ("football ball", "soccer"),
    "telephone": ("phone",),
    "vertical traffic light": ("traffic light", "traffic signal"),
    "wrapped gift": ("gift", "present"),
}
"""Everyday words for things whose official name is another one."""

_COLOURS = _words("red orange yellow green blue purple pink brown black white grey gray")

_QUESTIONS = (
    "Where is the {}?",
    "What colour is the {}?",
    "What color is the {}?",
    "Is there a {} in the picture?",
    "How many {}s are there?",
    "How many {}s can you see in the image?",
    "What is next to the {}?",
    "What is to the left of the {}?",
    "Which side of the picture is the {} on?",
    "What is the {} doing?",
    "Describe the {}.",
    "a photo of a {}",
    "a picture of the {}",
    "Find the {}.",
    "Can you see the {}?",
    "What kind of {} is this?",
    "What is written on the {}?",
    "What does the {} say?",
    "What is the word on the {}?",
    "Is the {} open or closed? Answer yes or no.",
    "Who is holding the {}?",
    "How big is the {}?",
    "Is the {} on the left or on the right?",
    "Question: Where is the {}? Options: A. left B. right Answer with the option's letter.",
    "Look at the {}. What can you tell me about it?",
    "Please show me the {} in this image.",
    "Is the {} new or old?",
    "Which number is on the {}?",
    "the {}",
    "one {}",
    "{}s",
)

_EXTRAS = _words(
    """
    colour color left right side next number many kind big small new old near picture photo image
    say word write read hold stand sit type brand shape size look behind front top bottom
    notice see find show tell describe point explain check count there here over under above below
    between corner middle side centre center edge far away close scene view screen object thing item
    many several one two three first second last whole part half good bad clean dirty broken empty
    full open close wear carry use make go come move stop start play work want need like know think
    visible present exact current possible main important different same other
    """
)
"""Words that a distilled question carries beside the thing it is about."""

_ADJECTIVES = ("big", "small", "little", "large", "old", "new", "shiny", *_COLOURS)

_KEYWORD_SHARE = 0.1
"""How much the keywords that equal another concept's name pull it towards their concepts."""

_ASIDE_SHARE = 0.25
"""How much a word beside a name counts."""

_QUESTIONS_PER_PHRASE = 6

_NAME_COPIES = 16
"""How often a bare name stands in the corpus: it is what most questions are distilled to."""

Distil = Callable[[str], str]
Target = dict[int, float]


@dataclass(frozen=True)
class Phrase:
    """A text and the concepts that it means; weights sum to 1."""

    text: str
    target: Target


def _scaled(target: Target) -> Target:
    total = sum(target.values())
    return {concept: weight / total for concept, weight in target.items()}


def meanings(concepts: list[Concept]) -> list[Phrase]:
    """Every name, alias and keyword once, with what it means."""
    names: dict[str, Target] = defaultdict(dict)
    keywords: dict[str, Target] = defaultdict(dict)
    for number, concept in enumerate(concepts):
        for name in (concept.name, *ALIASES.get(concept.name, ())):
            names[name][number] = 1.0
        for keyword in concept.keywords:
            keywords[keyword][number] = 1.0
        if not concept.codes:
            for word in concept.name.split():
                keywords[word][number] = 1.0
    phrases: list[Phrase] = []
    for text in sorted({*names, *keywords}):
        named, spoken = names.get(text, {}), keywords.get(text, {})
        if not named:
            phrases.append(Phrase(text, _scaled(spoken)))
            continue
        target = _scaled(named)
        for concept in spoken:
            target[concept] = target.get(concept, 0.0) + _KEYWORD_SHARE / len(spoken)
        phrases.append(Phrase(text, _scaled(target)))
    return phrases


def names(concepts: list[Concept]) -> list[Phrase]:
    """Names and aliases alone, meaning their own concept."""
    return [
        Phrase(name, {number: 1.0})
        for number, concept in enumerate(concepts)
        for name in (concept.name, *ALIASES.get(concept.name, ()))
    ]


def question(text: str, rng: np.random.Generator) -> str:
    """A random question about something."""
    return _QUESTIONS[int(rng.integers(len(_QUESTIONS)))].format(text)


def _pair(one: Phrase, other: Phrase) -> Phrase:
    target = {concept: weight / 2 for concept, weight in one.target.items()}
    for concept, weight in other.target.items():
        target[concept] = target.get(concept, 0.0) + weight / 2
    return Phrase(f"{one.text} and {other.text}", target)


def _mixed(phrase: Phrase, aside: Phrase) -> Phrase:
    """A name with something else said beside it: the name weighs more."""
    target = {concept: weight * (1 - _ASIDE_SHARE) for concept, weight in phrase.target.items()}
    for concept, weight in aside.target.items():
        target[concept] = target.get(concept, 0.0) + weight * _ASIDE_SHARE
    return Phrase(f"{aside.text} {phrase.text}", target)


def corpus(concepts: list[Concept], distil: Distil, seed: int) -> list[Phrase]:
    """All that the text tower is fitted to.

    Names and keywords as they are and in questions, each raw and as `distil` leaves it; names with
    an adjective, a stray word or another keyword beside them; pairs of names.

    Args:
        concepts: All concepts.
        distil: The prompt step of the prefilter.
        seed: Chooses questions, adjectives and pairs.
    """
    rng = np.random.default_rng((seed, 11))
    known = meanings(concepts)
    exact = {phrase.text for phrase in known}
    said: list[Phrase] = []
    for phrase in known:
        said.append(phrase)
        said.append(Phrase(distil(phrase.text), phrase.target))
        for _ in range(_QUESTIONS_PER_PHRASE):
            asked = question(phrase.text, rng)
            said.append(Phrase(asked, phrase.target))
            said.append(Phrase(distil(asked), phrase.target))
    named = names(concepts)
    whole = {phrase.text: phrase for phrase in known}
    for phrase in named:
        said += [whole[phrase.text]] * _NAME_COPIES
        for word in (*rng.choice(_ADJECTIVES, 3), *rng.choice(_EXTRAS, 2)):
            text = f"{word} {phrase.text}"
            if text not in exact:
                said.append(Phrase(text, phrase.target))
        before, after = rng.choice(_EXTRAS, 2)
        said.append(Phrase(f"{distil(phrase.text)} {after}", phrase.target))
        said.append(Phrase(f"{before} {distil(phrase.text)} {after}", phrase.target))
        said.append(_mixed(phrase, known[int(rng.integers(len(known)))]))
    for _ in range(2 * len(named)):
        first, second = rng.choice(len(named), 2, replace=False)
        pair = _pair(named[int(first)], named[int(second)])
        said += [pair, Phrase(distil(pair.text), pair.target)]
    return [phrase for phrase in said if phrase.text]
