from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_daemon.errors import SettingsError
from edge_daemon.prefilter.tagger import EmbeddedTagger, SpacyTagger, make_tagger


@pytest.fixture(scope="module")
def tagger() -> EmbeddedTagger:
    return EmbeddedTagger()


def lemma_and_pos(tagger: EmbeddedTagger, sentence: str, word: str) -> tuple[str, str]:
    words = sentence.split()
    tagged = tagger.tag(words)[words.index(word)]
    return tagged.lemma, tagged.pos


@pytest.mark.parametrize(
    ("sentence", "word", "lemma", "pos"),
    [
        ("two dogs running", "dogs", "dog", "noun"),
        ("two dogs running", "two", "two", "number"),
        ("two dogs running", "running", "run", "verb"),
        ("the red sign", "red", "red", "adjective"),
        ("the sign on the left", "left", "left", "adjective"),
        ("a man wearing glasses", "glasses", "glasses", "noun"),
        ("next to the bus", "bus", "bus", "noun"),
        ("the leaves of the tree", "leaves", "leaf", "noun"),
        ("three knives", "knives", "knife", "noun"),
        ("the lens of the camera", "lens", "lens", "noun"),
        ("the building near the painting", "building", "building", "noun"),
        ("the building near the painting", "painting", "painting", "noun"),
        ("find the parked cars", "parked", "parked", "adjective"),
        ("where is the saw", "saw", "saw", "noun"),
        ("where is the present", "present", "present", "noun"),
        ("the biggest dog", "biggest", "big", "adjective"),
        ("near the Eiffel Tower", "Eiffel", "Eiffel", "name"),
        ("the STOP sign", "STOP", "STOP", "name"),
        ("Bicycles by the wall", "Bicycles", "bicycle", "noun"),
        ("WHERE ARE THE DOGS", "DOGS", "dog", "noun"),
    ],
)
def test_words_keep_the_form_that_names_the_thing(
    tagger: EmbeddedTagger, sentence: str, word: str, lemma: str, pos: str
) -> None:
    assert lemma_and_pos(tagger, sentence, word) == (lemma, pos)


@pytest.mark.parametrize("words", [[], ["猫", "🚲", "x" * 5000], ["#1", "a/b", "-", "&slash;"]])
def test_there_is_one_tag_per_word(tagger: EmbeddedTagger, words: list[str]) -> None:
    assert len(tagger.tag(words)) == len(words)


def test_neither_import_nor_use_opens_a_socket_or_reads_a_corpus(tmp_path: Path) -> None:
    script = """
import sys

def refuse(event, args):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname"):
        raise AssertionError(event)

sys.addaudithook(refuse)
from edge_daemon.prefilter.tagger import make_tagger
import nltk
nltk.data.find = nltk.download = None
print(make_tagger("embedded").tag(["red", "dogs"])[1].lemma)
"""
    root = Path(__file__).parents[3]
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        # A home without any corpora.
        env={"PYTHONPATH": str(root), "HOME": str(tmp_path), "NLTK_DATA": str(tmp_path)},
    )
    assert result.stdout.strip() == "dog", result.stderr


def test_an_unknown_tagger_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="'treebank'") as caught:
        make_tagger("treebank")
    assert "embedded" in caught.value.remedy


def test_missing_spacy_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(SettingsError, match="spaCy is not installed") as caught:
        make_tagger("spacy:en_core_web_sm")
    assert "spacy" in caught.value.remedy


def _spacy_with(monkeypatch: pytest.MonkeyPatch, pipeline: Any) -> None:
    """A module in spaCy's place whose `load` returns or raises what the test wants."""

    def load(name: str) -> Any:
        if isinstance(pipeline, Exception):
            raise pipeline
        return pipeline

    class Doc:
        def __init__(self, vocab: object, words: list[str]) -> None:
            self.words = words

    spacy = types.ModuleType("spacy")
    tokens = types.ModuleType("spacy.tokens")
    monkeypatch.setattr(spacy, "load", load, raising=False)
    monkeypatch.setattr(tokens, "Doc", Doc, raising=False)
    monkeypatch.setitem(sys.modules, "spacy", spacy)
    monkeypatch.setitem(sys.modules, "spacy.tokens", tokens)


def test_a_missing_spacy_pipeline_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _spacy_with(monkeypatch, OSError("not there"))
    with pytest.raises(SettingsError, match="en_core_web_sm"):
        make_tagger("spacy:en_core_web_sm")


def test_a_spacy_pipeline_without_a_tagger_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _spacy_with(monkeypatch, SimpleNamespace(pipe_names=["sentencizer"]))
    with pytest.raises(SettingsError, match="no part-of-speech tagger"):
        make_tagger("spacy:blank")


def test_spacy_tags_are_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "Paris": ("Paris", "PROPN", "GPE"),
        "two": ("two", "NUM", "CARDINAL"),
        "dogs": ("dog", "NOUN", ""),
        "left": ("leave", "VERB", ""),
        "of": ("of", "ADP", ""),
    }

    class Pipeline:
        pipe_names = ("tagger", "ner")
        vocab = None

        def __call__(self, document: Any) -> list[SimpleNamespace]:
            return [
                SimpleNamespace(text=word, lemma_=lemma, pos_=pos, ent_type_=entity)
                for word in document.words
                for lemma, pos, entity in [answers[word]]
            ]

    _spacy_with(monkeypatch, Pipeline())
    tagged = SpacyTagger("en_core_web_sm").tag(["Paris", "two", "dogs", "left", "of"])
    assert [(one.lemma, one.pos) for one in tagged] == [
        ("Paris", "name"),
        ("two", "number"),
        ("dog", "noun"),
        ("left", "adjective"),
        ("of", "other"),
    ]
