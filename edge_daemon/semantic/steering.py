"""What the client asks comes first in every text, whoever wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from edge_daemon.prefilter.prompt import Distilled

_PROPERTIES: Final = frozenset(
    ["colour", "color", "number", "kind", "type", "sort", "name", "amount", "size", "shape"]
)
"""Words that ask for a property of a thing and describe nothing by themselves."""
_SENTENCE_END: Final = re.compile(r"[.!?;\n]")


def asked_of(questions: Iterable[Distilled]) -> tuple[str, ...]:
    """What questions are about, each in a few words.

    Args:
        questions: Distilled.

    Returns:
        For each question that says anything, its words without those that only ask for a property:
        "What colour is the bicycle's saddle?" is about "bicycle saddle". Each once.
    """
    asked: list[str] = []
    for question in questions:
        words = [word.lemma for word in question.kept if word.lemma.lower() not in _PROPERTIES]
        text = " ".join(words) or question.text
        if text:
            asked.append(text)
    return tuple(dict.fromkeys(asked))


def led(text: str, asked: Sequence[str], max_bytes: int) -> str:
    """The text, beginning with what is asked about.

    What its first sentence does not mention is put before it; if that makes it too long, its end
    gives way, never its beginning.

    Args:
        text: A description.
        asked: What it has to lead with, the first first.
        max_bytes: Most bytes of UTF-8, at least 1.

    Returns:
        At most `max_bytes` of UTF-8, cut between words where that is possible.
    """
    opening = _SENTENCE_END.split(text, maxsplit=1)[0]
    missing = [one for one in asked if not mentions(opening, one)]
    if not missing:
        return shortened(text, max_bytes)
    whole = _before(missing, text)
    if len(whole.encode("utf-8")) > max_bytes:
        # What the opening does mention may be what gives way.
        whole = _before(asked, text)
    return shortened(whole, max_bytes)


def _before(asked: Sequence[str], text: str) -> str:
    return ". ".join(filter(None, (", ".join(asked), text)))


def mentions(text: str, asked: str) -> bool:
    """Whether every word that is asked about stands in the text, if need be as a plural."""
    words = re.findall(r"\w+", text.lower())
    have = {form for word in words for form in (word, word.removesuffix("s"), word[:-2])}
    return all(
        word in have or word.removesuffix("s") in have for word in re.findall(r"\w+", asked.lower())
    )


def shortened(text: str, max_bytes: int) -> str:
    """The longest beginning of a text within so many bytes, cut between words if it can be."""
    encoded = text.encode("utf-8")
    if len(encoded) <= max_bytes:
        return text
    beginning = encoded[:max_bytes].decode("utf-8", "ignore")
    follows = encoded[len(beginning.encode("utf-8")) :]
    if beginning[-1:].isspace() or follows[:1].isspace():
        return beginning.rstrip(" ,;:-")
    whole = beginning.rsplit(maxsplit=1)
    return (whole[0] if len(whole) == 2 else beginning).rstrip(" ,;:-")
