"""Texts without a language model: phrases of a vocabulary, ranked and put together.

`embedding` embeds the vocabulary, `evidence` ranks it against a picture and its parts, `finding`
says where and how many, `draft` and `wording` are a text in its parts and in words, `composing`
makes texts, `varying` changes one with a `closer_look`, and `refiner` is what the search talks to.
"""

from edge_daemon.semantic.refiners.phrases.refiner import PhraseRefiner

__all__ = ["PhraseRefiner"]
