"""A nano-icons checkpoint of a few kilobytes: random where training would have left its marks."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from export.nano import checkpoint, phrases, text
from export.nano.model import ImageTower, TextTower
from models.manifest import Recommended
from support.nano import CONCEPTS


def make_nano_checkpoint(directory: Path) -> Path:
    """Write it into `directory` and return that; the same every time."""
    torch.manual_seed(0)  # pyright: ignore[reportUnknownMemberType]
    corpus = phrases.corpus(CONCEPTS, str.lower, seed=0)
    tokenizer = text.train_tokenizer(corpus, 400)
    widths, blocks = (8, 8, 8, 8), (0, 1, 2, 1)
    image = ImageTower(32, widths, blocks, 8)
    for module in image.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features)
            module.running_var = torch.rand(module.num_features) + 0.5
    words = TextTower(
        tokenizer.get_vocab_size(),
        12,
        text.token_id(tokenizer, text.PAD),
        width=16,
        layers=2,
        heads=2,
        embedding=8,
    )
    for parameter in (*image.parameters(), *words.parameters()):
        # The exporter shares equal weights, which are all ones or zeros before training.
        if parameter.ndim == 1 or parameter is words.places:
            nn.init.normal_(parameter)
    config = checkpoint.describe(
        image,
        words,
        widths=widths,
        blocks=blocks,
        recommended=Recommended(lambda_=10.0, sigma_min=0.2, sigma_max=6.0),
        training={"seed": 0},
    )
    checkpoint.save(checkpoint.Trained(image, words, tokenizer, config), directory)
    return directory
