"""What the model knows: the concepts, with their names and keywords.

A concept is a thing with a picture: an emoji of `emojibase-data` (people's variants, symbols that
are letters, and flags left out), or a drawn thing from `drawn`. All concepts share one numbering,
the row order of the table of label vectors.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_GROUPS = frozenset({0, 3, 4, 5, 6, 7})
"""Faces and emotion, animals and nature, food, travel and places, activities, objects."""

_BODY_SUBGROUPS = frozenset({16, 17, 18, 19, 20, 21, 22})
"""Hands and parts of the body; skin tones are nested variants there and stay out."""

_PEOPLE_SUBGROUPS = frozenset({23, 24, 25, 26, 27, 28, 29})
"""People: only the entries that name no gender are taken."""

_GENDERED = re.compile(r"\b(man|woman|men|women|boy|girl|beard|hair|facing right)\b")

_CLOCK = re.compile(r"(o’clock|-thirty)$")
"""Twenty-four emoji that differ in the hands of a clock alone; together they are one concept."""

_KEYWORD_NOISE = re.compile(r"^[^a-z]*$|[^a-z0-9 ’'-]")
"""Keywords such as ":-)" or "5" that are no words."""


@dataclass(frozen=True)
class Concept:
    """One thing that can be asked for.

    Attributes:
        name: Lower-case English name, unique among all concepts.
        keywords: Other words for it, lower case; several concepts may share one.
        codes: Unicode sequences (lower-case hexadecimal, "-" between) of the emoji that show it;
            empty for drawn things.
    """

    name: str
    keywords: tuple[str, ...]
    codes: tuple[str, ...] = ()


def plain_code(hexcode: str) -> str:
    """A Unicode sequence in the icon sets' spelling: lower case, no variation selectors."""
    return "-".join(part for part in hexcode.lower().split("-") if part != "fe0f")


def _words(entry: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    name = str(entry["label"]).lower().replace("’", "'").replace("“", "").replace("”", "")
    tags: list[str] = entry.get("tags", [])
    keywords = dict.fromkeys(
        tag.lower().replace("’", "'") for tag in tags if not _KEYWORD_NOISE.search(tag.lower())
    )
    keywords.pop(name, None)
    return name, tuple(keywords)


def _wanted(entry: dict[str, Any]) -> bool:
    group, subgroup = entry.get("group"), entry.get("subgroup")
    if group in _GROUPS:
        return True
    if subgroup in _BODY_SUBGROUPS:
        return True
    return subgroup in _PEOPLE_SUBGROUPS and not _GENDERED.search(str(entry["label"]).lower())


def emoji_concepts(emojibase: Path) -> list[Concept]:
    """The concepts of an unpacked `emojibase-data` package, in its own order.

    Args:
        emojibase: The package's directory (the one that holds `en/data.json`).
    """
    entries = json.loads((emojibase / "en" / "data.json").read_text(encoding="utf-8"))
    concepts: list[Concept] = []
    clocks: list[str] = []
    for entry in entries:
        if not _wanted(entry):
            continue
        code = plain_code(entry["hexcode"])
        if _CLOCK.search(entry["label"].lower()):
            clocks.append(code)
            continue
        name, keywords = _words(entry)
        concepts.append(Concept(name, keywords, (code,)))
    concepts.append(Concept("clock face", ("clock", "time", "hour", "o'clock"), tuple(clocks)))
    return concepts
