from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.proof import compare, fixed_tiles, in_batches, likeness


class Session:
    """Encodes a tile by its mean colour, off by an angle; counts the rows of its runs."""

    def __init__(self, angle: float = 0.0, batch: int = 8) -> None:
        self.batch = batch
        self.runs: list[int] = []
        self._angle = angle

    def encode(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        self.runs.append(len(batch))
        means = batch.mean(axis=(1, 2))
        unit = means / np.linalg.norm(means, axis=1, keepdims=True)
        turned = np.zeros((len(batch), 4))
        turned[:, :3] = unit * np.cos(self._angle)
        turned[:, 3] = np.sin(self._angle)
        return turned.astype(np.float32)

    def describe(self) -> dict[str, Any]:
        return {}


def test_every_bucket_is_tried() -> None:
    proven, reference = Session(batch=40), Session()
    found = likeness(proven, reference, fixed_tiles(32))
    assert found.good("fp32")
    assert proven.runs == [5, 13, 24, 40]
    assert reference.runs == [8] * 5
    assert found.rows == 5 + 13 + 24 + 40


def test_a_small_batch_is_all_that_is_tried() -> None:
    proven = Session(batch=8)
    assert likeness(proven, Session(), fixed_tiles(32)).rows == 5 + 8
    assert proven.runs == [5, 8]


@pytest.mark.parametrize(
    ("cosine", "precision", "good"),
    [
        (0.9995, "fp32", True),
        (0.9985, "fp32", False),
        (0.9985, "fp16", False),
        (0.9985, "int8", True),
        (0.9985, "int8-dynamic", True),
        (0.975, "int8", False),
    ],
)
def test_what_counts_as_agreement(cosine: float, precision: str, good: bool) -> None:
    found = likeness(Session(float(np.arccos(cosine))), Session(), fixed_tiles(32))
    assert found.good(precision) is good
    assert found.least_cosine == pytest.approx(cosine, abs=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_no_numbers_agree_with_nothing(value: float) -> None:
    expected = np.eye(3, 4, dtype=np.float32)
    broken = np.array(expected)
    broken[1] = value
    assert compare(expected, expected).good("fp32")
    assert not compare(broken, expected).good("int8")


def test_the_report_is_readable() -> None:
    one = np.array([[1.0, 0.0], [0.6, 0.8]], np.float32)
    other = np.array([[1.0, 0.0], [0.8, 0.6]], np.float32)
    assert str(compare(one, other)) == (
        "cosine 0.96000 at least and 0.98000 on average over 2 embeddings, "
        "components off by 0.2000 at most"
    )


def test_tiles_are_the_same_everywhere_and_all_different() -> None:
    tiles = fixed_tiles(64, 20)
    digest = hashlib.sha256(tiles.tobytes()).hexdigest()
    assert digest.startswith("fea5753cc28cd85d")
    assert len({tile.tobytes() for tile in tiles}) == 20


def test_any_number_of_rows_goes_in_batches() -> None:
    session = Session(batch=8)
    tiles = fixed_tiles(16, 19)
    assert in_batches(session, tiles).shape == (19, 4)
    assert session.runs == [8, 8, 3]
