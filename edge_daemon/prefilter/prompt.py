"""From a prompt to the few words that say what to look for.

A text encoder of CLIP's kind reads a handful of tokens and was trained on captions. A prompt for a
question-answering model is longer, and much of it is about the form of the answer. Distilling
removes that, drops stop words, takes lemmas, and when the token budget is short keeps the words
that name things: nouns (with names and quoted text, which stay whole) before adjectives and
numbers, those before verbs, verbs before the rest. The original order is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edge_daemon.errors import PromptError
from edge_daemon.prefilter.clauses import Clause, clean, is_foreign, split_clauses
from edge_daemon.prefilter.options import Option, split_options
from edge_daemon.prefilter.phrases import PHRASES, POINTING_WORDS, STOP_WORDS, is_boilerplate
from edge_daemon.prefilter.tagger import PartOfSpeech, Tagged, Tagger

NOTE_EMPTY = "empty prompt: no filtering"
NOTE_NOTHING_LEFT = "nothing was left of the prompt: its raw text is used"
NOTE_FOREIGN = "not in Latin script: the raw text is used"

NOTE_LONG = "very long prompt: only its beginning and its end were read"

TokenCount = Callable[[str], int]

# Characters read of a prompt: contexts are long, questions stand at either end of them.
_MOST_READ = 32_768
# No token of a byte-pair vocabulary is longer; used to bound the work on long raw texts.
_LONGEST_TOKEN = 64
_RANK: dict[PartOfSpeech, int] = {
    "quote": 0,
    "name": 0,
    "noun": 0,
    "adjective": 1,
    "number": 1,
    "verb": 2,
    "other": 3,
}
_LITERAL: dict[str, PartOfSpeech] = {"quote": "quote", "symbol": "other"}
# Words that may stand inside a name: "Statue of Liberty".
_CONNECTORS = frozenset({"of", "de", "van", "von", "der", "du"})


@dataclass(frozen=True)
class Word:
    """One kept unit: a word, a whole name, or a whole quotation."""

    text: str
    """As written in the prompt."""
    lemma: str
    """As handed to the encoder."""
    pos: PartOfSpeech


@dataclass(frozen=True)
class Distilled:
    """What a prompt was distilled to. `text` is empty only for an empty prompt."""

    raw: str
    """The prompt without control characters."""
    text: str
    """What the text encoder reads; at most the token budget."""
    tokens: int
    """Tokens of `text`, without start and end."""
    kept: tuple[Word, ...] = ()
    dropped: tuple[str, ...] = ()
    """Content words that the token budget had no room for."""
    removed_phrases: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    note: str | None = None


def check_prompt(prompt: str, max_bytes: int) -> None:
    """Refuse what is no text or too long, before any work is done on it.

    Raises:
        PromptError: Not a string, or longer than `max_bytes` in UTF-8.
    """
    if not isinstance(prompt, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise PromptError(
            "the prompt is not text", value=type(prompt).__name__, remedy="send a string"
        )
    # A character takes at least a byte: the cheap test spares encoding a huge text.
    length = len(prompt)
    if length <= max_bytes:
        length = len(prompt.encode("utf-8", "surrogatepass"))
    if length > max_bytes:
        raise PromptError(
            f"the prompt is longer than {max_bytes} bytes of UTF-8",
            value=f"{length} bytes",
            remedy="shorten it, or raise prompt.max_bytes",
        )


def distil(prompt: str, *, tagger: Tagger, token_count: TokenCount, token_budget: int) -> Distilled:
    """Distil a prompt to at most `token_budget` tokens.

    Args:
        prompt: Any text. Control characters and lone surrogates count as white space.
        tagger: See `edge_daemon.prefilter.tagger.make_tagger`.
        token_count: Tokens of a text without start and end, as the bundle's tokenizer counts them.
        token_budget: Most tokens that `text` may have, at least 1.

    Returns:
        The distilled prompt. An empty prompt gives an empty text; a prompt that distils to nothing,
        or is mostly in another script than Latin, gives its raw text cut to the budget. Both are
        said in `note`.
    """
    too_long = len(prompt) > _MOST_READ
    if too_long:
        half = _MOST_READ // 2
        prompt = f"{prompt[:half]}\n{prompt[-half:]}"
    raw = clean(prompt)
    if not any(character.isprintable() and not character.isspace() for character in raw):
        return Distilled(raw="", text="", tokens=0, note=NOTE_EMPTY)
    removed: list[str] = []

    def cut_out(match: re.Match[str]) -> str:
        removed.append(match.group().strip())
        return " "

    passages = split_options(PHRASES.sub(cut_out, raw))
    clauses: list[Clause] = []
    options: list[Option] = []
    for passage in passages:
        left: list[Clause] = []
        for clause in split_clauses(passage.text, in_option=passage.letter is not None):
            if is_boilerplate(clause.words()):
                removed.append(" ".join(token.text for token in clause.tokens))
            elif clause.tokens:
                left.append(clause)
        if passage.letter:
            options.append(Option(passage.letter, " ".join(one.source for one in left)))
        clauses += left
    if is_foreign(clauses):
        text = " ".join(clause.source for clause in clauses)
        units: list[_Unit] = []
        note = NOTE_FOREIGN
    else:
        text = raw
        units = _units(clauses, tagger)
        note = NOTE_NOTHING_LEFT
    if not units:
        text = cut_to_budget(" ".join(text.split()), token_count, token_budget)
        return Distilled(
            raw=raw,
            text=text,
            tokens=token_count(text),
            removed_phrases=tuple(removed),
            options=tuple(options),
            note=note,
        )
    chosen = _choose(units, token_count, token_budget)
    text = " ".join(unit.word.lemma for unit in chosen)
    kept = {unit.order for unit in chosen}
    return Distilled(
        raw=raw,
        text=text,
        tokens=token_count(text),
        kept=tuple(unit.word for unit in chosen),
        dropped=tuple(unit.word.text for unit in units if unit.order not in kept),
        removed_phrases=tuple(removed),
        options=tuple(options),
        note=NOTE_LONG if too_long else None,
    )


def cut_to_budget(text: str, token_count: TokenCount, token_budget: int) -> str:
    """The longest beginning of `text` that fits the budget, cut between words where it can be."""
    text = text[: token_budget * _LONGEST_TOKEN].strip()
    if token_count(text) <= token_budget:
        return text
    words = text.split(" ")
    beginning = _longest(lambda n: " ".join(words[:n]), len(words), token_count, token_budget)
    return beginning or _longest(lambda n: words[0][:n], len(words[0]), token_count, token_budget)


def _longest(
    piece: Callable[[int], str], most: int, token_count: TokenCount, token_budget: int
) -> str:
    """Bisect for the longest piece within the budget; `most` is known not to fit."""
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if token_count(piece(middle)) <= token_budget:
            low = middle
        else:
            high = middle
    return piece(low)


@dataclass(frozen=True)
class _Unit:
    word: Word
    order: int
    in_option: bool

    @property
    def rank(self) -> tuple[int, bool, int]:
        return _RANK[self.word.pos], self.in_option, self.order


def _units(clauses: Sequence[Clause], tagger: Tagger) -> list[_Unit]:
    """Content words, names and quotations in their order, each once."""
    units: list[_Unit] = []
    seen: set[str] = set()
    for clause in clauses:
        for word in _words(clause, tagger):
            if word.lemma.lower() not in seen:
                seen.add(word.lemma.lower())
                units.append(_Unit(word, len(units), clause.in_option))
    return units


def _words(clause: Clause, tagger: Tagger) -> Iterator[Word]:
    """The clause's content, with the words of each name joined."""
    plain = [_bare(token.text) for token in clause.tokens if token.kind == "word"]
    tags = iter(tagger.tag(plain))
    name: list[str] = []
    bridge: list[str] = []
    for token in clause.tokens:
        word = _bare(token.text) if token.kind == "word" else token.text
        tagged = next(tags) if token.kind == "word" else Tagged(word, _LITERAL[token.kind])
        if token.kind == "word" and tagged.pos == "name" and word.lower() not in STOP_WORDS:
            name += [*bridge, word]
            bridge = []
        elif name and not bridge and word.lower() in _CONNECTORS:
            bridge = [word]
        else:
            if name:
                yield Word(" ".join(name), " ".join(name), "name")
                name, bridge = [], []
            if token.kind != "word" or _has_content(word, tagged):
                yield Word(word, tagged.lemma, tagged.pos)
    if name:
        yield Word(" ".join(name), " ".join(name), "name")


def _bare(word: str) -> str:
    """Without a possessive ending; with the plain apostrophe."""
    word = word.replace("’", "'")
    return word[:-2] if word.lower().endswith("'s") else word


def _has_content(word: str, tagged: Tagged) -> bool:
    forms = {word.lower(), tagged.lemma}
    if forms & STOP_WORDS or (tagged.pos != "noun" and forms & POINTING_WORDS):
        return False
    # A lone letter is a name ("letter B"), a leftover otherwise.
    return len(word) > 1 or word.isdigit() or word.isupper() or not word.isascii()


def _choose(units: Sequence[_Unit], token_count: TokenCount, token_budget: int) -> list[_Unit]:
    """The units that fit the budget, by rank; returned in their original order."""
    # Each unit takes a token or more; a few times the budget leaves room for passing over some.
    ranked = sorted(units, key=lambda unit: unit.rank)[: 4 * token_budget]
    chosen: list[_Unit] = []
    for unit in ranked:
        if len(unit.word.lemma) > token_budget * _LONGEST_TOKEN:
            continue
        trial = sorted([*chosen, unit], key=lambda one: one.order)
        if token_count(" ".join(one.word.lemma for one in trial)) <= token_budget:
            chosen = trial
    if not chosen:
        first = ranked[0]
        text = cut_to_budget(first.word.lemma, token_count, token_budget)
        chosen = [_Unit(Word(first.word.text, text, first.word.pos), first.order, first.in_option)]
    return chosen
