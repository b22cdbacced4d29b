"""The words that the refiner `phrases` has for what a picture may show.

The packaged file `vocabulary.toml` is made for cameras of all kinds. An operator's file of the same
form extends it, or replaces sections of it, with what stands before this camera.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, cast

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, model_validator

from edge_daemon.errors import SettingsError
from edge_daemon.settings.strict import Strict

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PACKAGED: Final = "vocabulary.toml"
_MOST: Final = 5000
"""Phrases of one section: the text encoder reads each once, some milliseconds apiece."""
_MOST_BYTES: Final = 2**20
_REMEDY: Final = f"correct the file; edge_daemon/semantic/{_PACKAGED} shows the form"


def _each_once(phrases: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(phrases))


# No punctuation: in a text, that is what separates phrases.
Phrase = Annotated[str, StringConstraints(pattern=r"^\w[\w'-]*( [\w'-]+)*$", max_length=60)]
Phrases = Annotated[tuple[Phrase, ...], Field(max_length=_MOST), AfterValidator(_each_once)]
Section = Literal[
    "scenes",
    "objects",
    "lighting",
    "texts",
    "relations",
    "attributes.colours",
    "attributes.materials",
    "attributes.states",
    "synonyms",
    "plurals",
]


class Attributes(Strict):
    """What a thing can be like."""

    colours: Phrases = ()
    materials: Phrases = ()
    states: Phrases = ()

    @property
    def words(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.colours, *self.materials, *self.states)


class _Sections(Strict):
    """What every file of phrases may have."""

    scenes: Phrases = ()
    objects: Phrases = ()
    lighting: Phrases = ()
    texts: Phrases = ()
    relations: Phrases = ()
    attributes: Attributes = Attributes()
    synonyms: dict[Phrase, Phrases] = Field(default={}, max_length=_MOST)
    plurals: dict[Phrase, Phrase] = Field(default={}, max_length=_MOST)


class _Extra(_Sections):
    """An operator's file."""

    replace: tuple[Section, ...] = ()


class Vocabulary(_Sections):
    """Phrases by what they are about.

    Attributes:
        scenes: Where a picture is taken.
        objects: Things in it, in the singular.
        lighting: Light and weather.
        texts: Writing in it.
        relations: What may stand between two things.
        attributes: What may stand before a thing.
        synonyms: Other words for an object; the object's own name is the one that is written.
        plurals: Of objects, where it is not the regular one.
    """

    @model_validator(mode="after")
    def _one_thing_per_word(self) -> Vocabulary:
        owners = {thing: thing for thing in self.objects}
        for thing in (*self.synonyms, *self.plurals):
            if thing not in self.objects:
                table = "synonyms" if thing in self.synonyms else "plurals"
                raise ValueError(f"{table}: '{thing}' is not among the objects")
        for thing, others in self.synonyms.items():
            for word in others:
                if owners.setdefault(word, thing) != thing:
                    raise ValueError(f"synonyms: '{word}' means '{owners[word]}' and '{thing}'")
        return self

    def names(self, thing: str) -> tuple[str, ...]:
        """All words for an object, its own name first."""
        return (thing, *self.synonyms.get(thing, ()))

    def plural(self, name: str) -> str:
        """Of an object, or of another word for one."""
        irregular = self.plurals.get(name)
        if irregular is not None:
            return irregular
        if name.endswith("y") and name[-2:-1] not in "aeiou":
            return f"{name[:-1]}ies"
        return f"{name}es" if name.endswith(("s", "x", "z", "ch", "sh")) else f"{name}s"


def load_vocabulary(extra: Path | None = None) -> Vocabulary:
    """The packaged vocabulary, and the operator's on top.

    Args:
        extra: A TOML file of the form of `vocabulary.toml`. Its phrases are added to the packaged
            ones; they take the place of those in the sections that its key `replace` lists, such as
            `replace = ["scenes", "attributes.colours"]`.

    Raises:
        SettingsError: The file cannot be read, is not TOML, or has unknown or bad keys; each
            mistake is named with its key.
    """
    if extra is None:
        return _packaged()
    source = str(extra)
    theirs = _checked(_Extra, _parsed(_read(extra), source), source)
    return _checked(Vocabulary, _merged(_packaged(), theirs), source)


@cache
def _packaged() -> Vocabulary:
    text = resources.files("edge_daemon.semantic").joinpath(_PACKAGED).read_text(encoding="utf-8")
    return _checked(Vocabulary, _parsed(text, _PACKAGED), _PACKAGED)


def _merged(ours: Vocabulary, theirs: _Extra) -> dict[str, Any]:
    """The values of both, with the sections that are replaced from theirs alone."""
    kept = ours.model_dump(exclude=_excluded(theirs.replace))
    added = theirs.model_dump(exclude={"replace"})
    if "objects" in theirs.replace:
        # What is said of things that are no longer there goes with them.
        for table in ("synonyms", "plurals"):
            kept[table] = {
                thing: words
                for thing, words in kept.get(table, {}).items()
                if thing in theirs.objects
            }
    return _joined(kept, added)


def _excluded(sections: tuple[Section, ...]) -> dict[str, Any]:
    """The sections in the form in which pydantic takes what it shall leave out."""
    excluded: dict[str, Any] = {}
    for section in sections:
        table, _, name = section.partition(".")
        if name:
            excluded.setdefault(table, set()).add(name)
        else:
            excluded[table] = True
    return excluded


def _joined(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    joined = dict(ours)
    for key, value in theirs.items():
        have = joined.get(key)
        if isinstance(have, Mapping):
            joined[key] = _joined(cast(Mapping[str, Any], have), value)
        elif isinstance(have, tuple):
            joined[key] = (*have, *value)
        else:
            joined[key] = value
    return joined


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"semantic.vocabulary: cannot read the file: {error}",
            value=str(file),
            remedy="name a readable UTF-8 TOML file",
        ) from error
    if len(content) > _MOST_BYTES:
        raise SettingsError(
            f"semantic.vocabulary: the file has more than {_MOST_BYTES} bytes",
            value=str(file),
            remedy="list only what this camera may see",
        )
    return text


def _parsed(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source}: not valid TOML: {error}", remedy=_REMEDY) from error


_File = TypeVar("_File", bound=_Sections)


def _checked(form: type[_File], values: Mapping[str, Any], source: str) -> _File:
    try:
        return form.model_validate(values)
    except ValidationError as error:
        lines = [
            f"  {source}: {'.'.join(str(part) for part in item['loc']) or '(the whole file)'}: "
            f"{item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        ]
        raise SettingsError(
            "\n".join([f"{len(lines)} mistake(s)", *lines, ""]), remedy=_REMEDY
        ) from error
