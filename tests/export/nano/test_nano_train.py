from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.nano import CONCEPTS, EMOJI, write_icons

torch = pytest.importorskip("torch")

import torch.distributed as team  # noqa: E402

from export.nano import atlas, backgrounds  # noqa: E402
from export.nano.composites import Composer  # noqa: E402
from export.nano.train import ImageTrainer, Recipe  # noqa: E402

pytestmark = pytest.mark.export


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[None]:
    """A team of one process."""
    team.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    yield
    team.destroy_process_group()


RECIPE = Recipe(
    minutes=0.04,
    processes=1,
    batch=16,
    sides=(16, 32),
    phase_ends=(0.5,),
    widths=(8, 8, 8, 8),
    blocks=(0, 1, 1, 1),
    embedding=8,
)


@pytest.fixture
def composer(tmp_path: Path) -> Composer:
    shelf = atlas.build(write_icons(tmp_path / "icons"), ("plain",), CONCEPTS, seed=0)
    pool = backgrounds.pool(0, 4, 64, backgrounds.TRAINING_PHOTOGRAPHS[:1])
    return Composer(shelf, pool, EMOJI, 0)


@pytest.mark.usefixtures("alone")
def test_training_by_the_clock_leaves_averaged_weights(composer: Composer, tmp_path: Path) -> None:
    trainer = ImageTrainer(RECIPE, len(CONCEPTS))
    trainer.run(composer, tmp_path / "image.pt", lambda line: None)
    state: dict[str, Any] = torch.load(tmp_path / "image.pt", weights_only=True)
    assert state["progress"]["pictures"] == 16 * state["progress"]["steps"] > 0
    assert state["recipe"]["sides"] == (16, 32)
    assert state["weights"]["table"].shape == (len(CONCEPTS) + 1, 8)
    assert all(
        np.isfinite(value.numpy()).all()
        for value in state["weights"].values()
        if value.is_floating_point()
    )
    averaged, last = state["weights"]["tower.head.weight"], trainer.tower.head.weight.detach()
    assert not torch.equal(averaged, last)
    assert torch.allclose(averaged, last, atol=0.2)


@pytest.mark.usefixtures("alone")
def test_a_second_run_goes_on_from_the_first(composer: Composer, tmp_path: Path) -> None:
    file = tmp_path / "image.pt"
    ImageTrainer(RECIPE, len(CONCEPTS)).run(composer, file, lambda line: None)
    first: dict[str, Any] = torch.load(file, weights_only=True)
    recipe = RECIPE.continued(0.02)
    assert recipe.sides == (32,)
    assert recipe.rate < RECIPE.rate
    trainer = ImageTrainer(recipe, len(CONCEPTS), first)
    assert torch.equal(trainer.tower.head.weight, first["weights"]["tower.head.weight"])
    assert torch.equal(trainer.table, first["weights"]["table"])
    trainer.run(composer, file, lambda line: None)
    second: dict[str, Any] = torch.load(file, weights_only=True)
    assert second["earlier"] == [{"recipe": first["recipe"], "progress": first["progress"]}]
    assert second["recipe"]["seed"] == RECIPE.seed + 1
