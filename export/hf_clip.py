"""Reads a Hugging Face `CLIPModel` directory, such as TinyCLIP's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers as _transformers
from tokenizers import Tokenizer
from torch import Tensor, nn

from export.clip_facts import (
    OPENAI_MEAN,
    OPENAI_STD,
    RECOMMENDED,
    UNKNOWN_LICENCE,
    default_name,
    millions,
    sha256,
)
from export.clip_tokenizer import find_tokenizer, highest_token, last_token, read_tokenizer
from export.errors import ExportError, brief
from export.loaders import read_json
from export.towers import DenseTower, TowerFacts, Towers
from export.vit_dense import SelfAttending, VitDense
from models.manifest import Dense

# Its types are resolved at run time and mostly unknown; this one name keeps that from spreading.
transformers: Any = _transformers

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_LEGACY_EOS = 2
"""`eos_token_id` of checkpoints older than the field's meaning: read at the highest token id."""

_BICUBIC = 3
"""Pillow's number for the filter, as `preprocessor_config.json` has it."""

_AGAIN = "copy or download the checkpoint again"


class ImageTower(nn.Module):
    """Normalised pixels (N, 3, S, S) to embeddings (N, D)."""

    def __init__(self, clip: Any) -> None:
        super().__init__()
        self.encoder = clip.vision_model
        self.projection = clip.visual_projection

    def forward(self, pixels: Tensor) -> Tensor:
        """The projected class token."""
        return self.projection(self.encoder(pixel_values=pixels).pooler_output)


class TextTower(nn.Module):
    """Token rows (N, L) to embeddings (N, D).

    The text model picks the position that it pools by `eos_token_id`: 2 means the first highest id
    of the row, any other value the first place where it occurs. Attention is causal, so nothing
    behind that place can change the embedding.
    """

    def __init__(self, clip: Any) -> None:
        super().__init__()
        self.encoder = clip.text_model
        self.projection = clip.text_projection

    def forward(self, tokens: Tensor) -> Tensor:
        """The projected end token."""
        return self.projection(self.encoder(input_ids=tokens).pooler_output)


class _Layer(nn.Module):
    """A layer as it is, without a mask."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, W) -> (N, L, W)."""
        return self.layer(x, attention_mask=None)


def load_clip(checkpoint: Path) -> Towers:
    """Read the model, its tokenizer and its preprocessing.

    Raises:
        ExportError: A file is missing, damaged, or contradicts another.
    """
    weights = _weights(checkpoint)
    clip = _model(checkpoint, weights)
    tokenizer_file, tokenizer = _tokenizer(checkpoint)
    text, vision = clip.config.text_config, clip.config.vision_config
    end = _end_token(checkpoint, tokenizer_file, tokenizer, text)
    mean, std = _preprocessing(checkpoint)
    image_tower, text_tower = ImageTower(clip).eval(), TextTower(clip).eval()
    embedded = clip.text_model.embeddings.token_embedding.weight.numel()
    facts = TowerFacts(
        name=default_name(checkpoint.resolve().name),
        architecture=(
            f"CLIP ViT-{millions(image_tower)}M/{vision.patch_size} "
            f"Text-{millions(text_tower, less=embedded)}M"
        ),
        embedding_size=int(clip.config.projection_dim),
        tile_size=_tile_size(checkpoint, vision),
        mean=mean,
        std=std,
        resize="bicubic",
        context_length=int(text.max_position_embeddings),
        # What stands behind the end token is never looked at; the end token itself is the one id
        # that cannot be mistaken for an earlier end under either pooling rule.
        pad_token_id=end,
        end_token_id=end,
        tokenizer_json=tokenizer.to_str(),
        recommended=RECOMMENDED,
        licence=UNKNOWN_LICENCE,
        source=f"{checkpoint.resolve().name}/{weights.name} (SHA-256 {sha256(weights)})",
    )
    return Towers(image_tower, text_tower, facts, _dense(clip))


def _dense(clip: Any) -> DenseTower:
    vision, config = clip.vision_model, clip.config.vision_config
    embeddings = vision.embeddings
    *layers, last = vision.encoder.layers
    tower = VitDense(
        embedding=embeddings.patch_embedding,
        class_token=embeddings.class_embedding,
        positions=embeddings.position_embedding.weight,
        before=vision.pre_layrnorm,
        layers=nn.Sequential(*map(_Layer, layers)),
        last=SelfAttending(
            nn.Sequential(last.layer_norm1, last.self_attn.v_proj, last.self_attn.out_proj),
            nn.Sequential(last.layer_norm2, last.mlp),
        ),
        after=vision.post_layernorm,
        projection=clip.visual_projection,
    )
    facts = Dense(patch_size=config.patch_size, native_side=config.image_size, method="MaskCLIP")
    return DenseTower(tower.eval(), facts)


def _weights(checkpoint: Path) -> Path:
    for name in _WEIGHTS:
        if (checkpoint / name).is_file():
            return checkpoint / name
    raise ExportError(
        f"holds no weights: neither {' nor '.join(_WEIGHTS)}",
        file=checkpoint,
        remedy="name a complete checkpoint directory with its weights in one file",
    )


def _model(checkpoint: Path, weights: Path) -> Any:
    # What matters in its report of the weights is checked below; its bars would break ours.
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        clip, report = transformers.CLIPModel.from_pretrained(
            checkpoint,
            local_files_only=True,
            attn_implementation="eager",
            output_loading_info=True,
        )
    # Damage shows as any of a dozen exceptions of three libraries.
    except Exception as error:
        raise ExportError(
            f"cannot be loaded as a CLIPModel ({type(error).__name__}: {brief(error)})",
            file=weights,
            remedy=_AGAIN,
        ) from error
    # A weight that is not in the file would be filled with random numbers, and nobody would see it.
    for trouble, keys in (
        ("lacks", report["missing_keys"]),
        ("has other shapes for", report["mismatched_keys"]),
        ("has what no CLIPModel uses:", report["unexpected_keys"]),
    ):
        names = sorted(map(str, keys))
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise ExportError(
                f"{trouble} {names[0]}{more}",
                file=weights,
                remedy="use weights and a config.json that belong together",
            )
    return clip.float().eval()


def _tokenizer(checkpoint: Path) -> tuple[Path, Tokenizer]:
    file = find_tokenizer(checkpoint)
    if file is None:
        raise ExportError(
            "holds no tokenizer: neither tokenizer.json nor vocab.json with merges.txt",
            file=checkpoint,
            remedy="copy the tokenizer's files of the published model into the checkpoint",
        )
    return file, read_tokenizer(file)


def _end_token(checkpoint: Path, file: Path, tokenizer: Tokenizer, text: Any) -> int:
    """The id of the end token, agreed between the tokenizer, the config and the embedding table."""
    config = checkpoint / "config.json"
    end, highest = last_token(file, tokenizer), highest_token(tokenizer)
    if highest >= text.vocab_size:
        raise ExportError(
            f"vocab_size {text.vocab_size} is too small for the tokenizer's id {highest}",
            file=config,
            remedy="use a tokenizer and weights that belong together",
        )
    if text.eos_token_id == _LEGACY_EOS and end != highest:
        raise ExportError(
            f"eos_token_id {_LEGACY_EOS} makes the model read its embedding at the highest id, but "
            f"the tokenizer ends a text with {end} and knows ids up to {highest}",
            file=config,
            remedy=f"set text_config.eos_token_id to {end}",
        )
    if text.eos_token_id not in (_LEGACY_EOS, end):
        raise ExportError(
            f"eos_token_id {text.eos_token_id!r}, but the tokenizer ends a text with {end}",
            file=config,
            remedy="use a tokenizer and weights that belong together",
        )
    return end


def _preprocessing(
    checkpoint: Path,
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and std of `preprocessor_config.json`, or OpenAI's, which CLIPs are trained with."""
    name = "preprocessor_config.json"
    if not (checkpoint / name).is_file():
        return OPENAI_MEAN, OPENAI_STD
    config = read_json(checkpoint, name)
    resample = config.get("resample", _BICUBIC)
    if resample != _BICUBIC:
        raise ExportError(
            f"resample is {resample!r}, but only {_BICUBIC} (bicubic) is known for CLIP models",
            file=checkpoint / name,
            remedy="use a checkpoint whose pictures were resized bicubically",
        )
    return (
        _triple(checkpoint / name, "image_mean", config.get("image_mean", OPENAI_MEAN)),
        _triple(checkpoint / name, "image_std", config.get("image_std", OPENAI_STD)),
    )


def _triple(path: Path, key: str, value: Any) -> tuple[float, float, float]:
    try:
        red, green, blue = (float(part) for part in value)
    except (TypeError, ValueError) as error:
        raise ExportError(
            f"{key} is {value!r}, not three numbers", file=path, remedy=_AGAIN
        ) from error
    return red, green, blue


def _tile_size(checkpoint: Path, vision: Any) -> int:
    size = vision.image_size
    if not isinstance(size, int):
        raise ExportError(
            f"vision_config.image_size {size!r} is not one number of pixels",
            file=checkpoint / "config.json",
            remedy="use a model with square input",
        )
    return size
