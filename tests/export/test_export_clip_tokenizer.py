from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

pytest.importorskip("transformers")

from export.clip_tokenizer import find_tokenizer, last_token, read_tokenizer
from export.errors import ExportError
from export.untrained import write_vocabulary

pytestmark = pytest.mark.export

MERGES = "bpe_simple_vocab_16e6.txt.gz"
START, END = 49406, 49407


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All forms of one vocabulary of CLIP's size."""
    directory = tmp_path_factory.mktemp("tokenizers")
    write_vocabulary(directory, END + 1)
    merges = (directory / "merges.txt").read_text(encoding="utf-8")
    # OpenAI's file lists more merges than its vocabulary takes up.
    (directory / MERGES).write_bytes(gzip.compress(f"{merges}sur plus\nmore surplus\n".encode()))
    read_tokenizer(directory / "vocab.json").save(str(directory / "tokenizer.json"))
    return directory


def _json(file: Path) -> object:
    return json.loads(read_tokenizer(file).to_str())


def test_all_published_forms_give_one_tokenizer(directory: Path) -> None:
    ready = _json(directory / "tokenizer.json")
    assert _json(directory / "vocab.json") == ready
    assert _json(directory / MERGES) == ready


def test_ids_are_clips(directory: Path) -> None:
    """Bytes at the end of a word begin at 256; `!` is the first byte, `a` the 65th."""
    tokenizer = read_tokenizer(directory / MERGES)
    assert tokenizer.encode("a").ids == [START, 320, END]
    assert tokenizer.encode("!").ids == [START, 256, END]
    assert tokenizer.encode("").ids == [START, END]
    assert tokenizer.encode(" A\n!").ids == [START, 320, 256, END]
    assert last_token(directory / MERGES, tokenizer) == END


def test_the_most_complete_form_is_found_first(directory: Path, tmp_path: Path) -> None:
    assert find_tokenizer(tmp_path) is None
    for names, found in (
        ([MERGES], MERGES),
        (["vocab.json"], MERGES),
        (["merges.txt"], "vocab.json"),
        (["tokenizer.json"], "tokenizer.json"),
    ):
        for name in names:
            (tmp_path / name).write_bytes((directory / name).read_bytes())
        assert find_tokenizer(tmp_path) == tmp_path / found


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", b"{"),
        ("vocab.json", b"{"),
        (MERGES, b"no gzip"),
        (MERGES, gzip.compress(b"#version\na b c\n")),
        (MERGES, gzip.compress(b"#version\na b\n")[:-6]),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ExportError, match="not a readable tokenizer") as caught:
        read_tokenizer(tmp_path / name)
    assert caught.value.file == tmp_path / name


def test_a_tokenizer_that_ends_no_text_is_refused(directory: Path) -> None:
    content = json.loads((directory / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_str(json.dumps({**content, "post_processor": None}))
    with pytest.raises(ExportError, match="adds no end token"):
        last_token(directory / "tokenizer.json", tokenizer)
