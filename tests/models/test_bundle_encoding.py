from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import Bundle, load_bundle
from models.bundle import CACHED_TEXTS
from models.manifest import Manifest, read_manifest
from models.preprocess import Normalising
from models.tokenizer import PromptTokenizer
from support.tiny_bundle import (
    EMBEDDING_SIZE,
    MEAN,
    NOTICE,
    STD,
    TILE_SIZE,
    make_tiny_bundle,
    make_tokenizer,
    solid_tiles,
)


class RecordingSession:
    """A session that keeps what it was fed and answers with what `answer` makes of it."""

    def __init__(self, answer: Callable[[NDArray[Any]], NDArray[np.float32]]) -> None:
        self.batches: list[NDArray[Any]] = []
        self._answer = answer
        self.batch = 8

    def encode(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        self.batches.append(np.array(batch))
        return self._answer(batch)

    def describe(self) -> dict[str, Any]:
        return {"backend": "recording"}


def _first_axis(batch: NDArray[Any]) -> NDArray[np.float32]:
    return np.eye(1, EMBEDDING_SIZE, dtype=np.float32).repeat(len(batch), axis=0)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def bundle(directory: Path) -> Bundle:
    return load_bundle(directory, threads=2)


@pytest.fixture
def recorded(directory: Path) -> tuple[Bundle, RecordingSession, RecordingSession]:
    manifest: Manifest = read_manifest(directory)
    tokenizer = PromptTokenizer(
        make_tokenizer().to_str().encode(), manifest, file=Path("tokenizer.json")
    )
    image, text = RecordingSession(_first_axis), RecordingSession(_first_axis)
    return Bundle(manifest, tokenizer, image, text), image, text


def test_a_colour_word_prefers_tiles_of_its_colour(bundle: Bundle) -> None:
    colours = ["red", "green", "blue", "grey"]
    tiles = bundle.encode_tiles(solid_tiles(*colours))
    for i, colour in enumerate(colours[:3]):
        scores = tiles @ bundle.encode_text(f"Where is the {colour} car?")
        assert scores.argmax() == i
        assert scores[i] > scores[3] > np.delete(scores, [i, 3]).max()


def test_all_embeddings_have_unit_length(bundle: Bundle) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (3, TILE_SIZE, TILE_SIZE, 3), dtype=np.uint8)
    texts = bundle.encode_texts(["", "red", "ein völlig anderer Satz"])
    for rows in (bundle.encode_tiles(noise), texts):
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)


def test_the_graph_gets_the_tiles_as_they_are(
    recorded: tuple[Bundle, RecordingSession, RecordingSession],
) -> None:
    bundle, image, _ = recorded
    tiles = np.random.default_rng(1).integers(0, 256, (2, TILE_SIZE, TILE_SIZE, 3), dtype=np.uint8)
    bundle.encode_tiles(tiles)
    (given,) = image.batches
    assert given.dtype == np.uint8
    np.testing.assert_array_equal(given, tiles)


def test_tiles_of_any_strides_arrive_contiguous(
    recorded: tuple[Bundle, RecordingSession, RecordingSession],
) -> None:
    bundle, image, _ = recorded
    wide = np.arange(TILE_SIZE * 2 * TILE_SIZE * 3, dtype=np.uint32).astype(np.uint8)
    tiles = wide.reshape(1, TILE_SIZE, 2 * TILE_SIZE, 3)[:, :, ::2]
    bundle.encode_tiles(tiles)
    (given,) = image.batches
    assert given.flags.c_contiguous
    np.testing.assert_array_equal(given, tiles)


def test_a_graph_of_format_1_gets_planes_normalised_by_mean_and_std() -> None:
    image = RecordingSession(_first_axis)
    session = Normalising(image, MEAN, STD)
    rng = np.random.default_rng(1)
    tiles = rng.integers(0, 256, (2, TILE_SIZE, TILE_SIZE, 3), dtype=np.uint8)
    tiles[0, 0, 0], tiles[0, 0, 1] = 0, 255
    session.encode(tiles)
    (planes,) = image.batches
    expected = np.moveaxis((tiles / 255.0 - MEAN) / STD, 3, 1)
    assert planes.dtype == np.float32
    assert planes.flags.c_contiguous
    np.testing.assert_allclose(planes, expected, atol=2e-6)


def test_many_tiles_go_in_bounded_batches(
    recorded: tuple[Bundle, RecordingSession, RecordingSession],
) -> None:
    bundle, image, _ = recorded
    image.batch = 5
    out = bundle.encode_tiles(np.zeros((11, TILE_SIZE, TILE_SIZE, 3), np.uint8))
    assert [len(batch) for batch in image.batches] == [5, 5, 1]
    assert out.shape == (11, EMBEDDING_SIZE)


def test_a_tile_scores_the_same_alone_and_in_a_batch(bundle: Bundle) -> None:
    names = ["red", "green", "blue", "white", "black", "yellow", "cyan", "orange", "grey"]
    together = bundle.encode_tiles(solid_tiles(*names))
    for i, name in enumerate(names):
        np.testing.assert_allclose(
            bundle.encode_tiles(solid_tiles(name))[0], together[i], atol=1e-6
        )


def test_strided_tiles_need_no_copy_by_the_caller(bundle: Bundle) -> None:
    rng = np.random.default_rng(2)
    canvas = rng.integers(0, 256, (TILE_SIZE, 2 * TILE_SIZE, 3), dtype=np.uint8)
    view = np.lib.stride_tricks.sliding_window_view(canvas, TILE_SIZE, axis=1)[:, ::112]
    tiles = np.moveaxis(view, (1, 0, 3, 2), (0, 1, 2, 3))
    np.testing.assert_array_equal(
        bundle.encode_tiles(tiles), bundle.encode_tiles(np.ascontiguousarray(tiles))
    )


def test_no_tiles_and_no_texts_give_no_rows(bundle: Bundle) -> None:
    none = np.zeros((0, TILE_SIZE, TILE_SIZE, 3), dtype=np.uint8)
    assert bundle.encode_tiles(none).shape == (0, EMBEDDING_SIZE)
    assert bundle.encode_texts([]).shape == (0, EMBEDDING_SIZE)


@pytest.mark.parametrize(
    "tiles",
    [
        np.zeros((1, 224, 224, 3), dtype=np.float32),
        np.zeros((1, 224, 224, 4), dtype=np.uint8),
        np.zeros((1, 112, 224, 3), dtype=np.uint8),
        np.zeros((224, 224, 3), dtype=np.uint8),
    ],
)
def test_wrong_tiles_are_refused_with_their_shape(bundle: Bundle, tiles: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match=r"got (float32|uint8) \("):
        bundle.encode_tiles(tiles)


def test_a_repeated_text_is_encoded_once(
    recorded: tuple[Bundle, RecordingSession, RecordingSession],
) -> None:
    bundle, _, text = recorded
    first = bundle.encode_text("the red car")
    assert bundle.encode_text("the red car") is first
    assert bundle.encode_text("The  RED car") is first
    bundle.encode_texts(["the red car", "a dog", "a dog"])
    fed = [row for batch in text.batches for row in batch]
    assert len(fed) == 3
    assert len({row.tobytes() for row in fed}) == 2


def test_more_texts_than_the_cache_holds_all_get_an_answer(bundle: Bundle) -> None:
    texts = [
        f"{word} {number}" for number in range(CACHED_TEXTS // 2 + 1) for word in ("red", "blue")
    ]
    rows = bundle.encode_texts(texts)
    assert len(rows) > CACHED_TEXTS
    red, blue = bundle.encode_tiles(solid_tiles("red", "blue"))
    assert ((rows[0::2] @ red) > (rows[0::2] @ blue)).all()
    assert ((rows[1::2] @ red) < (rows[1::2] @ blue)).all()


def test_a_cached_embedding_cannot_be_changed_by_a_caller(bundle: Bundle) -> None:
    with pytest.raises(ValueError, match="read-only"):
        bundle.encode_text("red")[0] = 5.0
    rows = bundle.encode_texts(["red"])
    rows[0] = 5.0
    np.testing.assert_allclose(np.linalg.norm(bundle.encode_text("red")), 1.0, atol=1e-5)


def test_several_texts_are_as_each_alone(bundle: Bundle) -> None:
    texts = ["green", "a blue dog", "green"]
    np.testing.assert_array_equal(
        bundle.encode_texts(texts), np.stack([bundle.encode_text(text) for text in texts])
    )


def test_a_text_beyond_the_budget_is_cut_to_it(bundle: Bundle) -> None:
    budget = bundle.token_budget
    exact, longer = "red " * budget, "red " * budget + "blue " * 50
    assert bundle.token_count(exact) == budget
    assert bundle.token_count(longer) > budget
    np.testing.assert_array_equal(bundle.encode_text(exact), bundle.encode_text(longer))


def test_threads_share_a_bundle(bundle: Bundle) -> None:
    tiles = solid_tiles("red", "green", "blue")
    expected = bundle.encode_tiles(tiles) @ bundle.encode_text("blue")

    def work(_: int) -> NDArray[np.float32]:
        return bundle.encode_tiles(tiles) @ bundle.encode_text("blue")

    with ThreadPoolExecutor(4) as pool:
        for scores in pool.map(work, range(12)):
            np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_the_description_is_json_and_true(bundle: Bundle) -> None:
    described = json.loads(json.dumps(bundle.describe()))
    assert described["name"] == "tiny-colours"
    assert described["notice"] == NOTICE
    assert described["image"]["providers"] == ["CPUExecutionProvider"]
    assert described["image"]["threads"] == 2
    assert described["text"]["backend"].startswith("onnxruntime ")


def test_sizes_are_the_manifests(bundle: Bundle) -> None:
    assert (bundle.tile_size, bundle.embedding_size, bundle.context_length) == (224, 8, 77)
    assert bundle.token_budget == 75


def test_the_same_bundle_is_made_on_every_run(directory: Path, tmp_path: Path) -> None:
    again = make_tiny_bundle(tmp_path / "again")
    for path in directory.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()
