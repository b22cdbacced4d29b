"""Stage 1 of training: the image tower against a free table of label vectors.

A table with one vector for each concept, and one for "nothing", stands in for the text tower, which
would cost as much as the pictures and is fitted to the table afterwards (see `text`). The schedule
runs by the clock, not by steps: a busy machine costs pictures, and never the end of the cosine.

The work is shared by processes of one thread each, which compose their own pictures and average
their gradients once a step: on a machine with other work to do, threads that meet at every layer
wait for each other most of the time.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
import torch.distributed as team
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.multiprocessing import get_context
from torch.nn import functional

from export.nano.atlas import Atlas
from export.nano.composites import Batch, Composer
from export.nano.model import MEAN, STD, ImageTower

Say = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """Everything that stage 1 can be told.

    Attributes:
        minutes: How long to train, by the clock.
        processes: How many share the work; each wants a core.
        batch: Pictures in a step, of all processes together.
        sides: Side in pixels of the pictures in each phase; the last is the network's own.
        phase_ends: Share of the time at which each phase but the last ends.
        ease_until: Share of the time over which easy pictures (one large icon) fade out.
        rate: Highest learning rate, reached after `warmup` steps, then a cosine to zero.
        column_share: Weight of the loss over pictures for one concept, beside the loss over
            concepts for one picture; ranking tiles for a prompt is the former.
        averaging: Decay of the running average of weights, which is what is kept.
        seed: Of weights and pictures.
        widths, blocks, embedding: Of the image tower.
    """

    minutes: float = 60.0
    processes: int = 2
    batch: int = 192
    sides: tuple[int, ...] = (48, 64, 80)
    phase_ends: tuple[float, ...] = (0.4, 0.75)
    ease_until: float = 0.35
    rate: float = 2.5e-3
    warmup: int = 60
    weight_decay: float = 0.05
    column_share: float = 0.5
    averaging: float = 0.998
    seed: int = 0
    widths: tuple[int, ...] = (32, 64, 128, 256)
    blocks: tuple[int, ...] = (0, 1, 2, 1)
    embedding: int = 128

    def continued(self, minutes: float) -> Recipe:
        """A second helping: full-size, hard pictures from the start, at a quarter of the rate."""
        return replace(
            self,
            minutes=minutes,
            sides=self.sides[-1:],
            phase_ends=(),
            ease_until=1e-9,
            rate=self.rate / 4,
            seed=self.seed + 1,
        )

    @property
    def inner(self) -> int:
        """Side at which the finished network looks."""
        return self.sides[-1]


@dataclass
class Progress:
    """What has been done so far."""

    pictures: int = 0
    steps: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list[dict[str, float]])


def normalised(pictures: Tensor) -> Tensor:
    """uint8 (N, H, W, 3) -> float32 (N, 3, H, W), normalised, channels last in memory."""
    x = pictures.permute(0, 3, 1, 2).float().div_(255)
    mean = torch.tensor(MEAN).view(1, 3, 1, 1)
    std = torch.tensor(STD).view(1, 3, 1, 1)
    return x.sub_(mean).div_(std)


def losses(logits: Tensor, target: Tensor, nothing: int) -> tuple[Tensor, Tensor]:
    """Cross-entropy over concepts for each picture, and over pictures for each concept shown.

    Args:
        logits: (N, C + 1).
        target: (N, C + 1), rows sum to 1.
        nothing: Column of "nothing", which is left out of the second loss.
    """
    rows = -(target * functional.log_softmax(logits, 1)).sum(1).mean()
    present = target.sum(0) > 0
    present[nothing] = False
    share = target[:, present]
    share = share / share.sum(0)
    columns = -(share * functional.log_softmax(logits[:, present], 0)).sum(0).mean()
    return rows, columns


def _dense(batch: Batch, width: int) -> Tensor:
    target = torch.zeros(len(batch.pictures), width)
    target.index_put_(
        (torch.from_numpy(batch.rows), torch.from_numpy(batch.concepts)),
        torch.from_numpy(batch.weights),
        accumulate=True,
    )
    return target


class ImageTrainer:
    """Holds the tower, the table and their running average.

    Args:
        recipe: What to do.
        concepts: How many concepts there are, "nothing" not counted.
        start: The `state()` of an earlier run to go on from.
    """

    def __init__(
        self, recipe: Recipe, concepts: int, start: Mapping[str, Any] | None = None
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.nothing = concepts
        tower = ImageTower(recipe.inner, recipe.widths, recipe.blocks, recipe.embedding)
        self.tower: ImageTower = cast("Any", tower).to(memory_format=torch.channels_last)
        # Short vectors turn quickly under Adam's steps of fixed size; only direction counts.
        self.table = nn.Parameter(torch.randn(concepts + 1, recipe.embedding) * 0.05)
        self.log_scale = nn.Parameter(torch.tensor(math.log(12.0)))
        self.progress = Progress()
        self._earlier: list[object] = []
        if start is not None:
            self._go_on_from(start)
        self._average = {name: value.clone() for name, value in self._live().items()}

    def _go_on_from(self, start: Mapping[str, Any]) -> None:
        weights = start["weights"]
        own = {name: weights[f"tower.{name}"] for name in self.tower.state_dict()}
        self.tower.load_state_dict(own)
        with torch.no_grad():
            self.table.copy_(weights["table"])
            self.log_scale.copy_(torch.tensor(start["log_scale"]))
        done = {"recipe": start["recipe"], "progress": start["progress"]}
        self._earlier = [*start["earlier"], done]

    def _live(self) -> dict[str, Tensor]:
        state = {f"tower.{name}": value for name, value in self.tower.state_dict().items()}
        return {**state, "table": self.table.detach()}

    def _average_in(self) -> None:
        decay = min(self.recipe.averaging, (1 + self.progress.steps) / (10 + self.progress.steps))
        for name, value in self._live().items():
            if value.is_floating_point():
                self._average[name].lerp_(value, 1 - decay)
            else:
                self._average[name].copy_(value)

    def state(self) -> dict[str, object]:
        """The averaged weights and how they came about."""
        return {
            "weights": self._average,
            "log_scale": float(self.log_scale.detach()),
            "earlier": self._earlier,
            "recipe": asdict(self.recipe),
            "progress": asdict(self.progress),
        }

    def step(self, batch: Batch, optimiser: torch.optim.Optimizer) -> tuple[float, float]:
        """One step; returns the loss and the share of pictures whose best concept is in them."""
        target = _dense(batch, self.nothing + 1)
        pixels = normalised(torch.from_numpy(batch.pictures))
        with torch.autocast("cpu", torch.bfloat16):
            features = self.tower.embed_small(pixels)
        embeddings = functional.normalize(features.float(), dim=1)
        scale = self.log_scale.clamp(max=math.log(40.0)).exp()
        logits = embeddings @ functional.normalize(self.table, dim=1).T * scale
        rows, columns = losses(logits, target, self.nothing)
        loss = rows + self.recipe.column_share * columns
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._average_gradients()
        nn.utils.clip_grad_norm_(self.tower.parameters(), 2.0)
        optimiser.step()
        self.progress.steps += 1
        self.progress.pictures += len(batch.pictures) * self.recipe.processes
        self._average_in()
        best = logits.detach().argmax(1, keepdim=True)
        return float(loss.detach()), float((target.gather(1, best) > 0).float().mean())

    def _average_gradients(self) -> None:
        """Give every process the mean of all processes' gradients."""
        gradients = [one.grad for one in self._parameters() if one.grad is not None]
        flat = torch.cat([one.flatten() for one in gradients])
        team.all_reduce(flat)
        flat /= self.recipe.processes
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()

    def _parameters(self) -> list[nn.Parameter]:
        return [*self.tower.parameters(), self.table, self.log_scale]

    def _optimiser(self) -> torch.optim.Optimizer:
        kernels = [one for one in self.tower.parameters() if one.ndim > 1]
        others = [one for one in self._parameters() if one.ndim <= 1]
        groups = [
            {"params": kernels, "weight_decay": self.recipe.weight_decay},
            {"params": [*others, self.table], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98))

    def run(self, composer: Composer, save_to: Path, say: Say) -> None:
        """Train until the time is over; the first process saves `state()` every few minutes."""
        recipe, optimiser = self.recipe, self._optimiser()
        first = team.get_rank() == 0
        started = said = saved = time.monotonic()
        self.tower.train()
        while True:
            clock = torch.tensor([time.monotonic() - started])
            team.broadcast(clock, 0)
            self.progress.seconds = float(clock)
            share = self.progress.seconds / (60 * recipe.minutes)
            if share >= 1:
                break
            side = recipe.sides[sum(share >= end for end in recipe.phase_ends)]
            warm = min(1.0, (self.progress.steps + 1) / recipe.warmup)
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate * warm * (1 + math.cos(math.pi * share)) / 2
            ease = max(0.0, 1 - share / recipe.ease_until)
            batch = composer.batch(recipe.batch // recipe.processes, side, ease)
            loss, hits = self.step(batch, optimiser)
            now = time.monotonic()
            if first and now - said > 20:  # seconds
                said = now
                done = self.progress.pictures
                self.progress.history.append({"pictures": done, "loss": loss, "hits": hits})
                say(
                    f"{now - started:6.0f} s  {done:8d} pictures  {done / (now - started):4.0f}/s"
                    f"  side {side}  loss {loss:.3f}  hits {hits:.3f}"
                    f"  scale {self.log_scale.exp().item():.1f}"
                )
            if first and now - saved > 180:  # seconds
                saved = now
                torch.save(self.state(), save_to)
        if first:
            torch.save(self.state(), save_to)


def _member(
    rank: int,
    recipe: Recipe,
    atlas: Atlas,
    backgrounds: NDArray[np.uint8],
    emoji: int,
    work: Path,
    say: Say,
    start: Mapping[str, Any] | None,
) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    meeting = f"file://{(work / 'meeting').resolve()}"
    team.init_process_group("gloo", init_method=meeting, rank=rank, world_size=recipe.processes)
    composer = Composer(atlas, backgrounds, emoji, (recipe.seed, rank))
    ImageTrainer(recipe, len(atlas.plain), start).run(composer, work / "image.pt", say)
    team.destroy_process_group()


def train_image(
    recipe: Recipe,
    atlas: Atlas,
    backgrounds: NDArray[np.uint8],
    emoji: int,
    work: Path,
    say: Say,
    *,
    start: Mapping[str, Any] | None = None,
) -> Path:
    """Run stage 1 in `recipe.processes` processes; returns the file with the averaged weights.

    Args:
        recipe: What to do.
        atlas: The icons; the processes share its memory.
        backgrounds: uint8 (K, S, S, 3).
        emoji: How many of the concepts, from the first, are emoji.
        work: Directory for `image.pt`.
        say: Told how it goes.
        start: The state of an earlier run to go on from.

    Raises:
        RuntimeError: A process failed; its own message went to standard error.
    """
    (work / "meeting").unlink(missing_ok=True)
    context = get_context("fork")
    members = [
        context.Process(
            target=_member, args=(rank, recipe, atlas, backgrounds, emoji, work, say, start)
        )
        for rank in range(recipe.processes)
    ]
    for member in members:
        member.start()
    for member in members:
        member.join()
    if any(member.exitcode for member in members):
        raise RuntimeError("a training process failed")
    return work / "image.pt"
