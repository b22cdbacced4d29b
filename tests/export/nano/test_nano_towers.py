from __future__ import annotations

import numpy as np
import pytest

from support.nano import CONCEPTS

torch = pytest.importorskip("torch")

import cv2  # noqa: E402

from export.nano import phrases, text  # noqa: E402
from export.nano.composites import paste  # noqa: E402
from export.nano.model import TILE_SIZE, ImageTower, reduction_matrix  # noqa: E402
from export.nano.train import losses, normalised  # noqa: E402

pytestmark = pytest.mark.export

SMALL = text.TextRecipe(
    vocabulary=400, context=12, width=16, layers=1, heads=2, steps=150, batch=32, rate=1e-2
)


def test_the_reduction_keeps_flat_tiles_flat() -> None:
    matrix = reduction_matrix(TILE_SIZE, 80)
    assert matrix.sum(1).numpy() == pytest.approx(np.ones(80), abs=1e-6)
    assert (matrix >= 0).all()


def test_the_reduction_removes_what_would_alias() -> None:
    stripes = torch.tensor([1.0, -1.0]).repeat(TILE_SIZE // 2)
    assert (reduction_matrix(TILE_SIZE, 80) @ stripes)[2:-2].abs().max() < 0.1


def test_pictures_composed_small_look_like_reduced_ones() -> None:
    side = 80
    rng = np.random.default_rng(0)
    icon = np.zeros((96, 96, 4), np.uint8)
    cv2.circle(icon, (48, 48), 40, (230, 40, 60, 255), -1)
    cv2.rectangle(icon, (30, 40), (60, 56), (20, 20, 20, 255), -1)
    difference: list[float] = []
    for _ in range(5):
        centre, share = rng.uniform(0.3, 0.7, 2), rng.uniform(0.4, 0.7)
        large = np.full((TILE_SIZE, TILE_SIZE, 3), 128, np.uint8)
        small = np.full((side, side, 3), 128, np.uint8)
        for canvas in (large, small):
            extent = canvas.shape[0]
            middle = (centre[0] * extent, centre[1] * extent)
            paste(canvas, icon, middle, share * extent)
        matrix = reduction_matrix(TILE_SIZE, side)
        whole = normalised(torch.from_numpy(large[None]))
        reduced = matrix @ whole @ matrix.T
        difference.append((reduced - normalised(torch.from_numpy(small[None]))).abs().mean().item())
    # In units of the normalised pixels, whose whole range is 4.
    assert max(difference) < 0.06


def test_the_image_tower_reduces_the_tile_itself() -> None:
    tower = ImageTower(32, (8, 8, 8, 8), (0, 1, 1, 1), 5).eval()
    tile = torch.randn(2, 3, TILE_SIZE, TILE_SIZE)
    small = tower.reduction @ tile @ tower.reduction.T
    assert torch.allclose(tower(tile), tower.embed_small(small), atol=1e-5)


def test_losses_are_small_where_the_right_concepts_win() -> None:
    target = torch.tensor([[1.0, 0, 0, 0], [0, 0.5, 0.5, 0], [0, 0, 0, 1.0]])
    good = losses(target * 30, target, nothing=3)
    bad = losses(-target * 30, target, nothing=3)
    assert good[0] < 0.8
    assert good[1] < 0.01
    assert bad[0] > 10
    assert bad[1] > 10


def said() -> list[phrases.Phrase]:
    return phrases.corpus(CONCEPTS, lambda prompt: prompt.strip("?.").lower(), seed=0)


def test_a_name_means_its_concept_and_a_shared_keyword_all() -> None:
    known = {phrase.text: phrase.target for phrase in phrases.meanings(CONCEPTS)}
    assert known["ball"] == {0: 1.0}
    assert known["toy"] == {0: 0.5, 2: 0.5}
    assert known["circle"] == {3: 1.0}


def test_a_name_that_is_also_a_keyword_leans_to_the_name() -> None:
    concepts = [phrases.Concept("dog", ()), phrases.Concept("poodle", ("dog",))]
    known = {phrase.text: phrase.target for phrase in phrases.meanings(concepts)}
    assert known["dog"][0] > 2 * known["dog"][1] > 0


def test_targets_of_the_corpus_sum_to_one() -> None:
    assert text.targets(said(), len(CONCEPTS)).sum(1).numpy() == pytest.approx(1.0, abs=1e-5)


def test_the_tokenizer_marks_start_and_end_and_knows_any_script() -> None:
    tokenizer = text.train_tokenizer(said(), 400)
    start, end = (text.token_id(tokenizer, mark) for mark in (text.START, text.END))
    for prompt in ("Where is the ball?", "собака", ""):
        ids = tokenizer.encode(prompt).ids
        assert (ids[0], ids[-1]) == (start, end)
    assert tokenizer.encode("BALL").ids == tokenizer.encode("ball").ids


def test_long_texts_keep_their_end_token() -> None:
    tokenizer = text.train_tokenizer(said(), 400)
    row = text.token_rows(tokenizer, ["ball " * 50], 12)[0]
    assert row[-1] == text.token_id(tokenizer, text.END)


def test_the_fitted_text_tower_finds_names_and_ignores_padding() -> None:
    corpus = said()
    tokenizer = text.train_tokenizer(corpus, 400)
    table = torch.nn.functional.normalize(torch.eye(len(CONCEPTS), 8), dim=1)
    tower = text.fit_text(SMALL, corpus, tokenizer, table, lambda line: None)
    rows = text.token_rows(tokenizer, [concept.name for concept in CONCEPTS], SMALL.context)
    with torch.no_grad():
        found = (tower(rows) @ table.T).argmax(1)
        cut = int((rows != tower.pad).sum(1).max())
        assert torch.allclose(tower(rows), tower(rows[:, :cut]), atol=1e-5)
    assert (found == torch.arange(len(CONCEPTS))).float().mean() >= 0.8
