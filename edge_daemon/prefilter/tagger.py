"""Parts of speech and lemmas, offline.

The embedded tagger is TextBlob's pattern tagger (a lexicon with context rules) with simplemma's
tables. Both ship their data inside their packages: nothing is downloaded, at import or later. Both
are wrong now and then ("leaves" after "the" as a verb; "glasses" as "glass"), so lemmas are asked
for only where the tag calls for one, and known mistakes are corrected by table. An operator who has
installed a trained spaCy pipeline can name it instead.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

from edge_daemon.errors import SettingsError
from edge_daemon.prefilter.phrases import SPATIAL_WORDS

PartOfSpeech = Literal["quote", "name", "noun", "adjective", "number", "verb", "other"]


@dataclass(frozen=True)
class Tagged:
    """A word's base form and its coarse part of speech."""

    lemma: str
    pos: PartOfSpeech


class Tagger(Protocol):
    """Anything that tags the words of one clause. Must be safe to call from several threads."""

    @property
    def name(self) -> str:
        """As in the settings: `embedded` or `spacy:NAME`."""
        ...

    def tag(self, words: Sequence[str]) -> list[Tagged]:
        """Tag the words of one clause, in order; as many results as words."""
        ...


def make_tagger(name: str = "embedded") -> Tagger:
    """The tagger that a settings value names.

    Args:
        name: `embedded`, or `spacy:NAME` for an installed spaCy pipeline.

    Raises:
        SettingsError: The name is unknown, or spaCy or the pipeline is not installed.
    """
    if name == "embedded":
        return EmbeddedTagger()
    if name.startswith("spacy:"):
        return SpacyTagger(name.removeprefix("spacy:"))
    raise SettingsError(
        "unknown tagger", value=name, remedy="set prompt.tagger to 'embedded' or 'spacy:NAME'"
    )


# Things that come in pairs or heaps keep their plural: a glass is not half a pair of glasses.
_PLURALS = """
    glasses sunglasses eyeglasses spectacles goggles binoculars scissors pliers tweezers
    tongs shorts trousers pants jeans tights leggings pajamas pyjamas clothes headphones
    earphones earbuds stairs fireworks fries sweets dice people lens series species gas
    news means
"""
# What the lemmatiser gets wrong.
_LEMMAS = {
    **{word: word for word in _PLURALS.split()},
    "leaves": "leaf",
    "loaves": "loaf",
    "calves": "calf",
    "halves": "half",
    "thieves": "thief",
    "wives": "wife",
    "knives": "knife",
    "lives": "life",
    "elves": "elf",
    "lenses": "lens",
    "axes": "axe",
    "bigger": "big",
    "darker": "dark",
    "playing": "play",
    "sitting": "sit",
    "hanging": "hang",
    "closing": "close",
    "burning": "burn",
    "gone": "go",
}
_DETERMINERS = frozenset({"DT", "PRP$", "JJ", "CD", "POS"})
_NOUNS = frozenset({"NN", "NNS"})


class EmbeddedTagger:
    """TextBlob's pattern tagger with simplemma; English only."""

    name = "embedded"

    def __init__(self) -> None:
        # Imported here: together they take about a second, and `edge_daemon.client` needs neither.
        taggers = importlib.import_module("textblob.en.taggers")
        simplemma = importlib.import_module("simplemma")
        self._tag = cast("Callable[..., list[tuple[str, str]]]", taggers.PatternTagger().tag)
        lemmatize = cast("Callable[..., str]", simplemma.lemmatize)
        self._lemma: Callable[[str], str] = lambda word: lemmatize(word, lang="en")
        # Both load their tables at first use; do it now, and in one thread.
        self.tag(["warm", "dogs"])

    def tag(self, words: Sequence[str]) -> list[Tagged]:
        """See `Tagger.tag`."""
        if not words:
            return []
        shown = _sentence_case(words)
        # The tagger splits at white space; a word never holds any, so the counts agree.
        tags = [tag for _, tag in self._tag(" ".join(shown), tokenize=False)]
        if len(tags) != len(shown):
            # It drops tokens that it takes for markup. Such words are tagged one by one, without
            # their context.
            tags = [self._lone_tag(word) for word in shown]
        tags = _in_context(tags)
        return [self._tagged(word, tag) for word, tag in zip(shown, tags, strict=True)]

    def _lone_tag(self, word: str) -> str:
        found = self._tag(word, tokenize=False)
        return found[0][1] if len(found) == 1 else "NN"

    def _tagged(self, word: str, tag: str) -> Tagged:
        lower = word.lower()
        if lower in SPATIAL_WORDS:
            return Tagged(lower, "adjective")
        if tag.startswith("NNP") or (word.isupper() and word not in ("A", "I")):
            return Tagged(word, "name")
        if tag.startswith("N"):
            return Tagged(self._base(lower) if tag == "NNS" else lower, "noun")
        if tag == "CD":
            return Tagged(lower, "number")
        if tag.startswith("J"):
            return Tagged(self._base(lower) if tag in ("JJR", "JJS") else lower, "adjective")
        if tag.startswith("V"):
            return Tagged(self._base(lower), "verb")
        return Tagged(lower, "other")

    def _base(self, word: str) -> str:
        known = _LEMMAS.get(word)
        return known if known is not None else self._lemma(word).lower()


def _sentence_case(words: Sequence[str]) -> list[str]:
    """Undo capitals that mean nothing: of a clause's first word, or of a clause all in capitals."""
    # One or two words in capitals are taken for a sign's text or a name: "STOP", "NEW YORK".
    if len(words) > 2 and "".join(words).isupper():
        return [word.lower() for word in words]
    shown = list(words)
    follows_name = len(words) > 1 and words[1].istitle()
    if len(words) > 1 and shown[0].istitle() and not follows_name:
        shown[0] = shown[0].lower()
    return shown


def _in_context(tags: list[str]) -> list[str]:
    """Repair what the pattern rules leave: "the leaves" is no verb, "parked" no deed."""
    repaired = list(tags)
    for i, tag in enumerate(tags):
        before = repaired[i - 1] if i else ""
        after = tags[i + 1] if i + 1 < len(tags) else ""
        modifies = after in _NOUNS or after.startswith("J")
        if modifies and (tag == "VBN" or (tag == "VBD" and before in _DETERMINERS)):
            repaired[i] = "JJ"
        elif tag in ("VB", "VBP", "VBD", "MD") and before in _DETERMINERS and not modifies:
            repaired[i] = "NN"
        elif tag == "VBZ" and before in _DETERMINERS:
            repaired[i] = "NNS"
        elif tag == "JJ" and before in ("DT", "PRP$") and _ends_phrase(after):
            repaired[i] = "NN"
    return repaired


def _ends_phrase(tag: str) -> bool:
    return tag in ("", "IN", "MD") or tag.startswith("V")


_SPACY_POS: dict[str, PartOfSpeech] = {
    "NOUN": "noun",
    "PROPN": "name",
    "ADJ": "adjective",
    "NUM": "number",
    "VERB": "verb",
}
# Entities of time and quantity are no names of things.
_NAMED = frozenset(
    {"PERSON", "NORP", "FAC", "ORG", "GPE", "LOC", "PRODUCT", "EVENT", "WORK_OF_ART"}
)


class SpacyTagger:
    """An installed spaCy pipeline; never downloads one."""

    def __init__(self, pipeline: str) -> None:
        self.name = f"spacy:{pipeline}"
        try:
            spacy: Any = importlib.import_module("spacy")
            tokens: Any = importlib.import_module("spacy.tokens")
        except ImportError:
            raise SettingsError(
                "spaCy is not installed",
                value=self.name,
                remedy="install the 'spacy' extra, or set prompt.tagger = 'embedded'",
            ) from None
        try:
            self._nlp: Any = spacy.load(pipeline)
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"the spaCy pipeline cannot be loaded ({type(error).__name__})",
                value=self.name,
                remedy=f"install the package of {pipeline}, or set prompt.tagger = 'embedded'",
            ) from error
        if not {"tagger", "morphologizer"} & set(self._nlp.pipe_names):
            raise SettingsError(
                "the spaCy pipeline has no part-of-speech tagger",
                value=self.name,
                remedy="use a trained pipeline, or set prompt.tagger = 'embedded'",
            )
        self._doc: Any = tokens.Doc

    def tag(self, words: Sequence[str]) -> list[Tagged]:
        """See `Tagger.tag`."""
        if not words:
            return []
        # A ready-made document keeps our words; spaCy's tokeniser would cut them differently.
        document: Any = self._nlp(self._doc(self._nlp.vocab, words=list(words)))
        return [self._tagged(token) for token in document]

    @staticmethod
    def _tagged(token: Any) -> Tagged:
        word = str(token.text)
        if word.lower() in SPATIAL_WORDS:
            return Tagged(word.lower(), "adjective")
        pos = _SPACY_POS.get(str(token.pos_), "other")
        if pos == "name" or str(token.ent_type_) in _NAMED:
            return Tagged(word, "name")
        return Tagged((str(token.lemma_) or word).lower(), pos)
