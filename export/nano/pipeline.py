"""From nothing to a measured checkpoint: the steps of `python -m export.nano` in order."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import JsonValue
from torch import Tensor
from torch.nn import functional

from edge_daemon.prefilter.prompt import distil
from edge_daemon.prefilter.tagger import make_tagger
from export.door import export_bundle
from export.nano import checkpoint, evaluate, icons, phrases, text, train
from export.nano.library import Library, library, training_atlas, training_backgrounds
from export.nano.model import ImageTower
from models.manifest import Recommended

RECOMMENDED = Recommended(lambda_=25.0, sigma_min=0.2, sigma_max=6.0)
"""Chosen on scenes in the styles trained on: at this sharpness nearly all of the icon asked for has
a relevance above 1, and a fifth of the picture does; more gains little and forgives less.
"""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What the command was told.

    Attributes:
        work: Directory for data and intermediate results.
        output: Checkpoint directory.
        minutes: For the image tower.
        processes: That share its training.
        seed: Of everything random.
        keep_image: Use the image tower in `work` instead of training one.
        continue_image: Go on training the image tower in `work`.
        counts: How much to measure.
    """

    work: Path
    output: Path
    minutes: float
    processes: int
    seed: int
    keep_image: bool
    continue_image: bool
    counts: evaluate.Counts


def run(options: Options, say: Say) -> None:
    """Train and measure; writes `options.output`.

    Raises:
        FetchError: The icon packages could not be fetched.
        ExportError: The result did not pass the export door.
    """
    shelf = library(options.work)
    say(f"{len(shelf.concepts)} concepts, {shelf.emoji} of them emoji")
    recipe = train.Recipe(minutes=options.minutes, processes=options.processes, seed=options.seed)
    weights = options.work / "image.pt"
    start = None
    if options.continue_image:
        start = torch.load(weights, weights_only=True)
        recipe = recipe.continued(options.minutes)
    if not options.keep_image:
        atlas = training_atlas(shelf, options.seed)
        pool = training_backgrounds(options.seed)
        weights = train.train_image(
            recipe, atlas, pool, shelf.emoji, options.work, say, start=start
        )
    state: dict[str, Any] = torch.load(weights, weights_only=True)
    trained = _with_text(shelf, state, say)
    checkpoint.save(trained, options.output)
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(scratch) / "bundle"
        export_bundle(checkpoint.load_nano(options.output), bundle)
        figures = evaluate.measure(bundle, shelf, options.counts, say)
    checkpoint.record_accuracy(options.output, figures)


def _image_tower(state: dict[str, Any]) -> tuple[ImageTower, Tensor]:
    """The averaged tower and the unit label vectors, "nothing" left out."""
    recipe, weights = state["recipe"], state["weights"]
    tower = ImageTower(
        recipe["sides"][-1], tuple(recipe["widths"]), tuple(recipe["blocks"]), recipe["embedding"]
    )
    own = {
        name.removeprefix("tower."): value
        for name, value in weights.items()
        if name.startswith("tower.")
    }
    tower.load_state_dict(own)
    return tower.eval(), functional.normalize(weights["table"][:-1], dim=1)


def _with_text(shelf: Library, state: dict[str, Any], say: Say) -> checkpoint.Trained:
    tower, table = _image_tower(state)
    recipe = text.TextRecipe(seed=state["recipe"]["seed"])
    tagger = make_tagger()

    def distilled(prompt: str) -> str:
        # Words stand in for tokens: the tokenizer is made from the result.
        return distil(
            prompt,
            tagger=tagger,
            token_count=lambda words: len(words.split()),
            token_budget=recipe.context,
        ).text

    said = phrases.corpus(shelf.concepts, distilled, recipe.seed)
    tokenizer = text.train_tokenizer(said, recipe.vocabulary)
    words = text.fit_text(recipe, said, tokenizer, table, say)
    config = checkpoint.describe(
        tower,
        words,
        widths=tuple(state["recipe"]["widths"]),
        blocks=tuple(state["recipe"]["blocks"]),
        recommended=RECOMMENDED,
        training=_record(shelf, state, recipe, len(said)),
    )
    return checkpoint.Trained(tower, words, tokenizer, config)


def _record(
    shelf: Library, state: dict[str, Any], recipe: text.TextRecipe, said: int
) -> dict[str, JsonValue]:
    """How the model came about, for its manifest."""
    packages: dict[str, JsonValue] = {
        one.package: {
            "version": one.version,
            "licence": one.licence,
            "author": one.author,
            "used_for": "testing only" if one is icons.HELD_OUT_SET else "training",
        }
        for one in (*icons.TRAINING_SETS, icons.HELD_OUT_SET)
    }
    packages[icons.NAMES_PACKAGE] = {
        "version": icons.NAMES_VERSION,
        "licence": icons.NAMES_LICENCE,
        "used_for": "names and keywords",
    }
    runs = [*state["earlier"], {"recipe": state["recipe"], "progress": state["progress"]}]
    command = "python -m export.nano WORK -o CHECKPOINT --minutes"
    commands: list[JsonValue] = [
        f"{command} {run['recipe']['minutes']:g}{' --continue-image' if number else ''}"
        for number, run in enumerate(runs)
    ]
    return {
        "commands": commands,
        "repeatable": "the schedule runs by the clock, so another run sees other pictures",
        "concepts": {"emoji": shelf.emoji, "drawn": len(shelf.concepts) - shelf.emoji},
        "packages": packages,
        "photographs": "those that ship with scikit-image",
        "image": [
            {
                "recipe": json.loads(json.dumps(run["recipe"])),
                "pictures": run["progress"]["pictures"],
                "steps": run["progress"]["steps"],
                "minutes": round(run["progress"]["seconds"] / 60, 1),
            }
            for run in runs
        ],
        "machine": f"{os.cpu_count()} cores of a shared {platform.machine()} CPU, no GPU",
        "text": {"recipe": asdict(recipe), "phrases": said},
        "torch": torch.__version__,
    }
