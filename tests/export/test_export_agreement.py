from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.prefilter.tiling import TileGrid
from export.agreement import (
    cosines,
    measure,
    rank_correlation,
    relevance_map,
    require,
)
from export.errors import ExportError
from export.material import Material
from export.pictures import TiledPicture
from models import Bundle
from models.backends.cpu import CpuSession
from models.manifest import Agreement, Shift, Spread, read_manifest
from models.session import EncoderSession, GraphSpec
from models.tokenizer import PromptTokenizer
from support.tiny_bundle import TILE_SIZE, make_tiny_bundle

pytestmark = pytest.mark.export

# Two tiles side by side, each its own block.
PAIR = TileGrid(
    source_width=2 * TILE_SIZE,
    source_height=TILE_SIZE,
    canvas_width=2 * TILE_SIZE,
    canvas_height=TILE_SIZE,
    tile_size=TILE_SIZE,
    lefts=(0, TILE_SIZE),
    tops=(0,),
    block_columns=2,
    block_rows=1,
)


def test_cosines_of_rows_by_hand() -> None:
    one = np.array([[3.0, 4.0], [1.0, 0.0], [1.0, 0.0]])
    other = np.array([[6.0, 8.0], [0.0, 2.0], [-1.0, 1.0]])
    np.testing.assert_allclose(cosines(one, other), [1.0, 0.0, -(0.5**0.5)])


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        # 1 - 6 sum d^2 / (n (n^2 - 1)), d = (0, 0, 1, 1)
        ([1, 2, 3, 4], [1, 2, 9, 8], 0.8),
        # Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: equal values share the mean of their places.
        ([1, 2, 2, 3], [1, 2, 3, 4], 4.5 / (4.5 * 5.0) ** 0.5),
        ([5, 5, 5, 5], [2, 2, 2, 2], 1.0),
        ([5, 5, 5, 5], [1, 2, 3, 4], 0.0),
    ],
)
def test_rank_correlation_by_hand(one: Any, other: Any, wanted: float) -> None:
    rows = rank_correlation(np.array([one, other], float), np.array([other, one], float))
    np.testing.assert_allclose(rows, [wanted, wanted])


def test_relevance_above_one_counts_as_one() -> None:
    # softmax(2 * (1, 0)) = (0.881, 0.119), times two tiles
    found = relevance_map(np.array([[1.0, 0.0], [0.5, 0.5]]), PAIR, 2.0)
    np.testing.assert_allclose(found, [[[1.0, 2 / (1 + np.e**2)]], [[1.0, 1.0]]])


def _same(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    return embeddings


def _swapped(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    return embeddings[::-1]


def _broken(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    return embeddings * np.float32(np.nan)


Change = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class Changed:
    """A session whose embeddings are changed afterwards; stands in for a reduced graph."""

    batch = 8

    def __init__(self, session: EncoderSession, change: Change) -> None:
        self._session, self._change = session, change

    def encode(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        return self._change(self._session.encode(batch))

    def describe(self) -> dict[str, Any]:
        return self._session.describe()


def _bundle(directory: Path, change: Change = _same) -> Bundle:
    manifest = read_manifest(directory)
    tokenizer = (directory / "tokenizer.json").read_bytes()
    sizes = manifest.context_length, manifest.embedding_size
    spec = (
        GraphSpec.image if manifest.preprocessing.input == "tiles" else GraphSpec.normalised_image
    )
    image, text = directory / "image.onnx", directory / "text.onnx"
    return Bundle(
        manifest,
        PromptTokenizer(tokenizer, manifest, file=directory / "tokenizer.json"),
        Changed(
            CpuSession(image.read_bytes(), spec(TILE_SIZE, sizes[1]), threads=1, file=image), change
        ),
        CpuSession(text.read_bytes(), GraphSpec.text(*sizes), threads=1, file=text),
    )


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("tiny") / "bundle")


def _material(*colours: tuple[tuple[int, int, int], tuple[int, int, int]]) -> Material:
    pictures = tuple(
        TiledPicture(
            f"picture {i}",
            PAIR,
            np.stack([np.full((TILE_SIZE, TILE_SIZE, 3), c, np.uint8) for c in pair]),
        )
        for i, pair in enumerate(colours)
    )
    return Material((), pictures, ("the red car", "a red car", "a blue car"), "made", "written")


RED, BLUE, GREY = (255, 0, 0), (0, 0, 255), (128, 128, 128)


def test_a_bundle_agrees_with_itself(directory: Path) -> None:
    material = _material((RED, BLUE), (GREY, BLUE))
    found = measure(_bundle(directory), _bundle(directory), material, tolerance=0.1)
    assert (found.pictures, found.tiles, found.pictures_of) == (2, 4, "made")
    # Two of the prompts are one text to the encoder.
    assert (found.prompts, found.prompts_of) == (2, "written")
    for spread in (found.tile_cosine, found.text_cosine, found.rank):
        assert spread.least == pytest.approx(1.0)
    assert found.same_best_tile == 1.0
    assert (found.relevance.mean, found.relevance.largest) == (0.0, 0.0)
    assert found.tolerance == 0.1
    require(found, "int8")


def test_a_bundle_that_sees_tiles_in_each_others_place_is_found_out(directory: Path) -> None:
    """Every figure by hand: both tiles of a picture change places, so both maps are mirrored."""
    exact, swapped = _bundle(directory), _bundle(directory, _swapped)
    material = _material((RED, BLUE))
    found = measure(exact, swapped, material, tolerance=0.5)
    tiles, texts = (
        exact.encode_tiles(material.judged[0].tiles),
        exact.encode_texts(["red car", "blue car"]),
    )
    maps = relevance_map(
        np.einsum("pd,nd->pn", texts, tiles), PAIR, exact.manifest.recommended.lambda_
    )
    moved = np.abs(maps - maps[:, :, ::-1])
    assert found.tile_cosine.mean == pytest.approx(float(tiles[0] @ tiles[1]), abs=1e-6)
    assert (found.rank.mean, found.rank.least) == pytest.approx((-1.0, -1.0))
    assert found.same_best_tile == 0.0
    assert found.relevance.mean == pytest.approx(moved.mean(), abs=1e-6)
    assert found.relevance.largest == pytest.approx(moved.max(), abs=1e-6)
    assert found.relevance.picture == "picture 0"
    assert "car" in found.relevance.prompt


def test_the_worst_picture_is_named(directory: Path) -> None:
    def spoil_the_second(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        return embeddings[::-1] if embeddings[0, 0] == red[0, 0] else embeddings

    material = _material((GREY, GREY), (RED, BLUE))
    exact = _bundle(directory)
    red = exact.encode_tiles(material.judged[1].tiles)
    found = measure(exact, _bundle(directory, spoil_the_second), material, tolerance=0.5)
    assert found.relevance.picture == "picture 1"


def test_embeddings_that_are_not_finite_are_refused(directory: Path) -> None:
    broken = _bundle(directory, _broken)
    with pytest.raises(ExportError, match=r"picture 0 are not finite.*another precision"):
        measure(_bundle(directory), broken, _material((RED, BLUE)), tolerance=0.5)


def _agreement(largest: float, tolerance: float) -> Agreement:
    good = Spread(mean=1.0, least=1.0)
    return Agreement(
        pictures=1,
        pictures_of="",
        tiles=2,
        prompts=1,
        prompts_of="",
        tile_cosine=good,
        text_cosine=good,
        rank=good,
        same_best_tile=1.0,
        relevance=Shift(mean=0.0, largest=largest, picture="yard.jpg", prompt="red car"),
        tolerance=tolerance,
    )


def test_what_moves_no_more_than_the_tolerance_passes() -> None:
    require(_agreement(0.3, 0.3), "int8")


@pytest.mark.parametrize(
    ("precision", "advice"),
    [
        ("int8", r"more pictures.*int8-dynamic or fp16"),
        ("int8-dynamic", r"int8 with --pictures, or fp16"),
        ("fp16", "another precision"),
    ],
)
def test_what_moves_further_is_refused_with_figures_and_advice(precision: str, advice: str) -> None:
    words = rf"moves .* by 0\.301 of 1 \(tolerance 0\.3\), in yard\.jpg for 'red car'; .*{advice}"
    with pytest.raises(ExportError, match=rf"{words}.*--tolerance 0\.31$"):
        require(_agreement(0.301, 0.3), precision)
