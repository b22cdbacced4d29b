"""Texts as a reader takes them, whatever characters they are written with.

Who wants to slip words past a filter writes them with letters of other alphabets, in mathematical
or small capitals, with accents, with digits for letters, or with a space after each letter. Read
as below, all of these are the same words. Letters that look alike are a small part of those that
Unicode Technical Standard 39 lists (confusables.txt).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_LOOK_LIKE: Final = {
    # Cyrillic, Greek, Armenian and phonetic letters; some look so as capitals only.
    "a": "аɑαᴀ",
    "b": "вβʙ",
    "c": "сϲᴄ",
    "d": "ԁᴅ",
    "e": "еєҽεᴇ",
    "f": "ꜰ",
    "g": "ɡɢց",
    "h": "нһհʜ",
    "i": "іїıιɪ",
    "j": "јϳյᴊ",
    "k": "кκᴋ",
    "l": "ӏʟ",
    "m": "мᴍ",
    "n": "пηոɴ",
    "o": "оοօσᴏ",
    "p": "рρքᴘ",
    "q": "ԛ",
    "r": "гʀ",
    "s": "ѕꜱ",
    "t": "тτᴛ",
    "u": "սυᴜ",
    "v": "ѵνᴠ",
    "w": "ԝωᴡ",
    "x": "хχ",
    "y": "уγʏ",
    "z": "ᴢ",
}
_LATIN: Final = str.maketrans(
    {other: latin for latin, others in _LOOK_LIKE.items() for other in others}
)
_DIGITS: Final = str.maketrans("013457@$", "oieastas")
_SPELLED: Final = re.compile(r"\b(?:[^\W\d_][\s._*-]){3,}[^\W\d_]\b")
"""Letters one by one: "i g n o r e", "i.g.n.o.r.e"."""
_BETWEEN_LETTERS: Final = re.compile(r"[\s._*-]")


def readings(text: str) -> tuple[str, ...]:
    """How a text may be read, all in small letters.

    Args:
        text: Without invisible characters.

    Returns:
        In compatible characters (NFKC); in Latin letters without accents; the same with letters for
        the digits that look like them; and with spelled words joined.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    decomposed = unicodedata.normalize("NFKD", plain)
    bare = "".join(one for one in decomposed if not unicodedata.combining(one))
    latin = bare.translate(_LATIN)
    joined = _SPELLED.sub(lambda found: _BETWEEN_LETTERS.sub("", found[0]), latin)
    return tuple(dict.fromkeys((plain, latin, latin.translate(_DIGITS), joined)))
