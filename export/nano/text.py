"""Stage 2 of training: words. A tokenizer of our own, and a text tower fitted to the label vectors.

The table of stage 1 is fixed; the text tower learns to say the vector of what a phrase means. No
pictures are needed, so it takes minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from torch import Tensor
from torch.nn import functional

from export.nano.model import TextTower
from export.nano.phrases import Phrase

_BATCHES_SORTED = 10
"""Batches that are drawn together and sorted by length."""

PAD, START, END = "<pad>", "<start>", "<end>"


@dataclass(frozen=True)
class TextRecipe:
    """Everything that stage 2 can be told.

    Attributes:
        vocabulary: Token ids of the tokenizer, at most.
        context: Tokens in a row, start and end included.
        width, layers, heads: Of the text tower.
        steps: How many, of `batch` phrases each; a multiple of 10; one cosine from `rate` to zero.
        closeness: Weight of the distance to the target vector, beside the cross-entropy.
        seed: Of weights and order.
    """

    vocabulary: int = 4096
    context: int = 32
    width: int = 128
    layers: int = 2
    heads: int = 4
    steps: int = 8000
    batch: int = 192
    rate: float = 2e-3
    closeness: float = 4.0
    seed: int = 0


def train_tokenizer(phrases: list[Phrase], size: int) -> Tokenizer:
    """A byte-level BPE tokenizer, lower-casing, with start and end tokens around every text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((phrase.text for phrase in phrases), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}",
        special_tokens=[(mark, token_id(tokenizer, mark)) for mark in (START, END)],
    )
    return tokenizer


def token_id(tokenizer: Tokenizer, mark: str) -> int:
    """The id of a special token.

    Raises:
        ValueError: The tokenizer has none of that name.
    """
    found = tokenizer.token_to_id(mark)
    if found is None:
        raise ValueError(f"the tokenizer has no token {mark}")
    return found


def token_rows(tokenizer: Tokenizer, texts: list[str], context: int) -> Tensor:
    """int64 (N, context); longer texts are cut before their end token."""
    pad, end = token_id(tokenizer, PAD), token_id(tokenizer, END)
    rows = np.full((len(texts), context), pad, np.int64)
    for row, encoded in zip(rows, tokenizer.encode_batch(texts), strict=True):
        ids: list[int] = encoded.ids
        if len(ids) > context:
            ids = [*ids[: context - 1], end]
        row[: len(ids)] = ids
    return torch.from_numpy(rows)


def targets(phrases: list[Phrase], concepts: int) -> Tensor:
    """float32 (N, concepts): what each phrase means; rows sum to 1."""
    dense = torch.zeros(len(phrases), concepts)
    for row, phrase in enumerate(phrases):
        for concept, weight in phrase.target.items():
            dense[row, concept] = weight
    return dense


def _batches(lengths: Tensor, recipe: TextRecipe) -> Iterator[Tensor]:
    """Rows of each step: random, but of similar lengths, as a step costs what its longest does."""
    pile = recipe.batch * _BATCHES_SORTED
    for _ in range(0, recipe.steps, _BATCHES_SORTED):
        drawn = torch.randint(len(lengths), (pile,))
        batches = drawn[lengths[drawn].argsort()].view(_BATCHES_SORTED, recipe.batch)
        yield from batches[torch.randperm(_BATCHES_SORTED)]


def fit_text(
    recipe: TextRecipe,
    phrases: list[Phrase],
    tokenizer: Tokenizer,
    table: Tensor,
    say: Callable[[str], None],
) -> TextTower:
    """Fit a text tower to label vectors.

    Args:
        recipe: What to do.
        phrases: From `phrases.corpus`.
        tokenizer: From `train_tokenizer`.
        table: float32 (concepts, D), unit rows; without the row for "nothing".
        say: Told how it goes.
    """
    torch.manual_seed(recipe.seed)
    tower = TextTower(
        tokenizer.get_vocab_size(),
        recipe.context,
        token_id(tokenizer, PAD),
        width=recipe.width,
        layers=recipe.layers,
        heads=recipe.heads,
        embedding=table.shape[1],
    )
    rows = token_rows(tokenizer, [phrase.text for phrase in phrases], recipe.context)
    meant = targets(phrases, len(table))
    optimiser = torch.optim.AdamW(tower.parameters(), lr=recipe.rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=recipe.steps, pct_start=0.05
    )
    tower.train()
    for step, chosen in enumerate(_batches((rows != tower.pad).sum(1), recipe)):
        target = meant[chosen]
        longest = int((rows[chosen] != tower.pad).sum(1).max())
        embedding = functional.normalize(tower(rows[chosen, :longest]), dim=1)
        wanted = functional.normalize(target @ table, dim=1)
        distance = 1 - (embedding * wanted).sum(1).mean()
        logits = functional.log_softmax(embedding @ table.T * 16, 1)
        loss = recipe.closeness * distance - (target * logits).sum(1).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 500 == 499:
            say(f"text step {step + 1}  loss {loss.item():.3f}  distance {distance.item():.4f}")
    return tower.eval()
