"""The words for what pictures show, the packaged ones and the operator's."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_daemon.demo.scenes import icon_names
from edge_daemon.errors import SettingsError
from edge_daemon.semantic.vocabulary import Vocabulary, load_vocabulary

COCO = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire
hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear,
zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports
ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine
glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot
dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop,
mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book, clock,
vase, scissors, teddy bear, hair drier, toothbrush
"""
PACKAGED = load_vocabulary()


def _file(directory: Path, text: str) -> Path:
    file = directory / "mine.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_packaged_one_has_words_for_what_is_usual() -> None:
    words = {word for thing in PACKAGED.objects for word in PACKAGED.names(thing)}
    coco = " ".join(COCO.split()).split(", ")
    assert len(coco) == 80
    assert words.issuperset(coco)
    assert words.issuperset(icon_names())
    assert len(PACKAGED.scenes) >= 150
    assert len(PACKAGED.objects) >= 500
    assert PACKAGED.lighting
    assert PACKAGED.texts
    assert PACKAGED.relations
    assert len(PACKAGED.attributes.words) == sum(
        map(len, (PACKAGED.attributes.colours, PACKAGED.attributes.materials))
    ) + len(PACKAGED.attributes.states)


@pytest.mark.parametrize(
    ("name", "plural"),
    [
        ("dog", "dogs"),
        ("box", "boxes"),
        ("bench", "benches"),
        ("strawberry", "strawberries"),
        ("monkey", "monkeys"),
        ("knife", "knives"),
        ("person", "people"),
        ("scissors", "scissors"),
        ("bow and arrow", "bows and arrows"),
    ],
)
def test_plurals(name: str, plural: str) -> None:
    assert PACKAGED.plural(name) == plural


def test_the_operators_file_extends(tmp_path: Path) -> None:
    mine = load_vocabulary(
        _file(
            tmp_path,
            """
            scenes = ["weighbridge", "kitchen"]
            objects = ["coil of wire", "dog"]
            [attributes]
            states = ["galvanised"]
            [synonyms]
            dog = ["guard dog"]
            [plurals]
            "coil of wire" = "coils of wire"
            """,
        )
    )
    assert mine.scenes == (*PACKAGED.scenes, "weighbridge")
    assert mine.objects == (*PACKAGED.objects, "coil of wire")
    assert mine.attributes.colours == PACKAGED.attributes.colours
    assert mine.attributes.states[-1] == "galvanised"
    assert mine.names("dog") == ("dog", "guard dog")
    assert mine.names("car") == PACKAGED.names("car")
    assert mine.plural("coil of wire") == "coils of wire"
    assert mine.plural("knife") == "knives"


def test_the_operators_file_replaces_the_sections_that_it_names(tmp_path: Path) -> None:
    mine = load_vocabulary(
        _file(
            tmp_path,
            """
            replace = ["objects", "attributes.colours", "lighting"]
            objects = ["knife", "car"]
            attributes = { colours = ["oxblood"], states = ["galvanised"] }
            """,
        )
    )
    assert mine.objects == ("knife", "car")
    assert mine.lighting == ()
    assert mine.attributes.colours == ("oxblood",)
    assert mine.attributes.states == (*PACKAGED.attributes.states, "galvanised")
    assert mine.scenes == PACKAGED.scenes
    assert mine.plurals == {"knife": "knives"}
    assert mine.names("car") == ("car", "automobile")


def test_synonyms_can_be_replaced(tmp_path: Path) -> None:
    text = 'replace = ["synonyms"]\nobjects = ["sofa"]'
    mine = load_vocabulary(_file(tmp_path, text))
    assert mine.names("couch") == ("couch",)
    assert mine.names("sofa") == ("sofa",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('scene = ["kitchen"]', ["scene: Extra inputs"]),
        ('objects = ["dog, cat"]', ["objects.0: String should match"]),
        ('objects = ["dog\\ncat"]', ["objects.0: "]),
        ('objects = [" dog"]', ["objects.0: "]),
        ('objects = [""]', ["objects.0: "]),
        ('objects = ["' + "x" * 61 + '"]', ["objects.0: String should have at most 60"]),
        (
            "objects = [" + ",".join(f'"x{i}"' for i in range(5001)) + "]",
            ["objects: Tuple", "5000"],
        ),
        ('replace = ["things"]', ["replace.0: Input should be 'scenes'"]),
        ('plurals = { wibble = "wibbles" }', ["plurals: 'wibble' is not among the objects"]),
        ('synonyms = { wibble = ["wobble"] }', ["synonyms: 'wibble' is not among the objects"]),
        ('objects = ["sofa"]', ["synonyms: 'sofa' means 'sofa' and 'couch'"]),
        ("scenes = 3\nlighting = [4]", ["2 mistake(s)", "scenes: ", "lighting.0: "]),
        ("scenes = [", ["not valid TOML"]),
    ],
)
def test_mistakes_are_named_with_file_and_key(tmp_path: Path, text: str, told: list[str]) -> None:
    file = _file(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_vocabulary(file)
    for words in (str(file), *told):
        assert words in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    with pytest.raises(SettingsError, match=r"semantic\.vocabulary: cannot read .*missing\.toml"):
        load_vocabulary(missing)
    latin = tmp_path / "latin.toml"
    latin.write_bytes('scenes = ["Café"]'.encode("latin-1"))
    with pytest.raises(SettingsError, match=r"latin\.toml"):
        load_vocabulary(latin)
    endless = _file(tmp_path, "#" * (2**20 + 1))
    with pytest.raises(SettingsError, match="more than 1048576 bytes"):
        load_vocabulary(endless)


def test_a_word_means_one_thing() -> None:
    two = {"objects": ["seat", "chair"], "synonyms": {"seat": ["stool"], "chair": ["stool"]}}
    with pytest.raises(ValueError, match="'stool' means 'seat' and 'chair'"):
        Vocabulary.model_validate(two)
