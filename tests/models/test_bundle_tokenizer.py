from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from models import BundleError
from models.manifest import Manifest, read_manifest
from models.tokenizer import PromptTokenizer
from support.tiny_bundle import CONTEXT_LENGTH, make_tiny_bundle, make_tokenizer

FILE = Path("tokenizer.json")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return read_manifest(make_tiny_bundle(tmp_path_factory.mktemp("bundle")))


@pytest.fixture(scope="module")
def tokenizer(manifest: Manifest) -> PromptTokenizer:
    return PromptTokenizer(make_tokenizer().to_str().encode(), manifest, file=FILE)


def _changed(manifest: Manifest, **changes: int) -> Manifest:
    return manifest.model_copy(update=changes)


def test_rows_are_start_words_end_padding(tokenizer: PromptTokenizer, manifest: Manifest) -> None:
    plain = make_tokenizer()
    start, end = plain.encode("").ids
    (row,) = tokenizer.rows(["the red car"])
    words = [plain.token_to_id(word) for word in ("the", "red", "car")]
    assert row.tolist() == [start, *words, end, *([manifest.pad_token_id] * (CONTEXT_LENGTH - 5))]


def test_padding_is_the_manifests(manifest: Manifest) -> None:
    padded_with_3 = PromptTokenizer(
        make_tokenizer().to_str().encode(), _changed(manifest, pad_token_id=3), file=FILE
    )
    assert padded_with_3.rows(["red"])[0, 3:].tolist() == [3] * (CONTEXT_LENGTH - 3)


@settings(deadline=None, max_examples=60)
@given(text=st.text(max_size=300))
def test_every_text_gives_one_row_with_its_end(
    tokenizer: PromptTokenizer, manifest: Manifest, text: str
) -> None:
    (row,) = tokenizer.rows([text])
    count = tokenizer.token_count(text)
    kept = min(count, tokenizer.token_budget)
    assert row.shape == (CONTEXT_LENGTH,)
    assert row[kept + 1] == manifest.end_token_id
    assert (row[kept + 2 :] == manifest.pad_token_id).all()


def test_a_long_text_keeps_its_beginning_and_its_end_token(
    tokenizer: PromptTokenizer, manifest: Manifest
) -> None:
    red = make_tokenizer().token_to_id("red")
    (row,) = tokenizer.rows(["red " * 500])
    assert tokenizer.token_count("red " * 500) == 500
    assert row[1:-1].tolist() == [red] * tokenizer.token_budget
    assert row[-1] == manifest.end_token_id


def test_truncation_and_padding_saved_in_the_file_are_ignored(manifest: Manifest) -> None:
    saved = make_tokenizer()
    saved.enable_truncation(4)  # pyright: ignore[reportUnknownMemberType]
    saved.enable_padding(length=10)  # pyright: ignore[reportUnknownMemberType]
    loaded = PromptTokenizer(saved.to_str().encode(), manifest, file=FILE)
    assert loaded.token_count("red " * 20) == 20
    assert loaded.rows([""]).shape == (1, CONTEXT_LENGTH)


def test_no_texts_give_no_rows(tokenizer: PromptTokenizer) -> None:
    assert tokenizer.rows([]).shape == (0, CONTEXT_LENGTH)


def test_the_budget_leaves_room_for_start_and_end(tokenizer: PromptTokenizer) -> None:
    assert tokenizer.token_budget == CONTEXT_LENGTH - 2


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b"\xff\xff"])
def test_a_file_that_is_no_tokenizer_is_refused(manifest: Manifest, content: bytes) -> None:
    with pytest.raises(BundleError, match=r"tokenizer\.json: not a tokenizer"):
        PromptTokenizer(content, manifest, file=FILE)


def test_an_end_token_other_than_the_manifests_is_refused(manifest: Manifest) -> None:
    content = make_tokenizer().to_str().encode()
    with pytest.raises(BundleError, match="end_token_id is 5"):
        PromptTokenizer(content, _changed(manifest, end_token_id=5), file=FILE)


def test_a_tokenizer_that_adds_no_end_token_is_refused(manifest: Manifest) -> None:
    bare = Tokenizer(make_tokenizer().model)
    with pytest.raises(BundleError, match="ends a text with"):
        PromptTokenizer(bare.to_str().encode(), manifest, file=FILE)
