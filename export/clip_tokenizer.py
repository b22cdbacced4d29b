"""CLIP's tokenizer, from any of the forms in which it is published."""

from __future__ import annotations

import gzip
from itertools import chain
from pathlib import Path
from typing import Any

import transformers as _transformers
from tokenizers import Tokenizer

from export.errors import ExportError, brief

# Its types are resolved at run time and mostly unknown; this one name keeps that from spreading.
transformers: Any = _transformers

READY = "tokenizer.json"
PARTS = ("vocab.json", "merges.txt")
MERGES_ALONE = "bpe_simple_vocab_16e6.txt.gz"
"""OpenAI's and open_clip's only file: the vocabulary follows from the order of the merges."""

_VOCABULARY = 49408
_LARGEST_TEXT = 16 << 20
"""Bytes of merges that are read at most; the published file unpacks to 3.2 MB."""

_AGAIN = "copy or download it again"


def find_tokenizer(directory: Path) -> Path | None:
    """The file to read a directory's tokenizer from, the most complete form first."""
    if (directory / READY).is_file():
        return directory / READY
    if all((directory / part).is_file() for part in PARTS):
        return directory / PARTS[0]
    if (directory / MERGES_ALONE).is_file():
        return directory / MERGES_ALONE
    return None


def read_tokenizer(file: Path) -> Tokenizer:
    """Read a tokenizer with its start and end tokens.

    Args:
        file: A `tokenizer.json`, a `vocab.json` beside its `merges.txt`, or OpenAI's
            `bpe_simple_vocab_16e6.txt.gz`.

    Raises:
        ExportError: The file is damaged, or no tokenizer.
    """
    try:
        if file.name == PARTS[0]:
            fast = transformers.CLIPTokenizerFast.from_pretrained(
                file.parent, local_files_only=True
            )
            return Tokenizer.from_str(fast.backend_tokenizer.to_str())
        if file.suffix == ".gz":
            return _from_merges(file)
        return Tokenizer.from_file(str(file))
    # The tokenizers library raises bare Exception.
    except Exception as error:
        raise ExportError(
            f"not a readable tokenizer ({brief(error)})", file=file, remedy=_AGAIN
        ) from error


def last_token(file: Path, tokenizer: Tokenizer) -> int:
    """The id that the tokenizer ends every text with.

    Raises:
        ExportError: It appends nothing.
    """
    empty = tokenizer.encode("").ids
    if not empty:
        raise ExportError(
            "the tokenizer adds no end token to a text",
            file=file,
            remedy="use a tokenizer with CLIP's start and end post-processor",
        )
    return empty[-1]


def highest_token(tokenizer: Tokenizer) -> int:
    """The highest id that the tokenizer can produce."""
    return max(tokenizer.get_vocab(with_added_tokens=True).values())


def _from_merges(file: Path) -> Tokenizer:
    """OpenAI's vocabulary: bytes, bytes at the end of a word, merges in order, start and end."""
    with gzip.open(file) as packed:
        lines = packed.read(_LARGEST_TEXT).decode("utf-8").split("\n")
    letters = _byte_letters()
    # The first line is a comment; the file lists more merges than the vocabulary has room for.
    listed = lines[1 : 1 + _VOCABULARY - 2 * len(letters) - 2]
    merges = [(first, second) for first, second in (line.split() for line in listed)]
    tokens = chain(
        letters,
        (letter + "</w>" for letter in letters),
        (first + second for first, second in merges),
        ("<|startoftext|>", "<|endoftext|>"),
    )
    vocabulary = {token: number for number, token in enumerate(tokens)}
    fast = transformers.CLIPTokenizerFast(vocab=vocabulary, merges=merges)
    return Tokenizer.from_str(fast.backend_tokenizer.to_str())


def _byte_letters() -> list[str]:
    """The letter that stands for each byte, in the order of their ids.

    Bytes that are printable in Latin-1 stand for themselves and come first; the rest are moved up
    beyond Latin-1 (`bytes_to_unicode` of OpenAI's GPT-2 and CLIP).
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)]
    printable += range(ord("®"), ord("ÿ") + 1)
    moved = 256 - len(printable)
    return [chr(code) for code in (*printable, *range(256, 256 + moved))]
