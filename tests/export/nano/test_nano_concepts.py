from __future__ import annotations

import json
from pathlib import Path

import pytest

from export.nano.concepts import emoji_concepts, plain_code
from export.nano.drawn import drawn_concepts

pytestmark = pytest.mark.export


def entry(label: str, hexcode: str, group: int, subgroup: int, *tags: str) -> dict[str, object]:
    return {
        "label": label,
        "hexcode": hexcode,
        "group": group,
        "subgroup": subgroup,
        "tags": list(tags),
    }


@pytest.fixture
def emojibase(tmp_path: Path) -> Path:
    entries = [
        entry("dog", "1F415", 3, 34, "animal", "dog", ":-)", "Pet"),
        entry("raised hand", "270B", 1, 16, "5", "hand"),
        entry("man running", "1F3C3-200D-2642-FE0F", 1, 27),
        entry("person running", "1F3C3", 1, 27),
        entry("one o’clock", "1F550", 5, 58),
        entry("ten-thirty", "1F565", 5, 58),
        entry("flag: France", "1F1EB-1F1F7", 9, 98),
        entry("input numbers", "1F522", 8, 95),
    ]
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "data.json").write_text(json.dumps(entries), encoding="utf-8")
    return tmp_path


def test_things_stay_and_people_by_gender_flags_and_symbols_go(emojibase: Path) -> None:
    names = [concept.name for concept in emoji_concepts(emojibase)]
    assert names == ["dog", "raised hand", "person running", "clock face"]


def test_keywords_are_words_and_not_the_name(emojibase: Path) -> None:
    dog, hand, *_ = emoji_concepts(emojibase)
    assert dog.keywords == ("animal", "pet")
    assert hand.keywords == ("hand",)


def test_all_clock_times_are_one_concept(emojibase: Path) -> None:
    assert emoji_concepts(emojibase)[-1].codes == ("1f550", "1f565")


def test_variation_selectors_are_dropped_from_codes() -> None:
    assert plain_code("1F3C3-200D-2642-FE0F") == "1f3c3-200d-2642"


def test_drawn_concepts_have_distinct_names_and_no_code() -> None:
    drawn = drawn_concepts()
    assert len({concept.name for concept in drawn}) == len(drawn)
    assert not any(concept.codes for concept in drawn)
    assert {"red circle", "blue square", "red sign"} <= {concept.name for concept in drawn}
