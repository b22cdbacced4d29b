"""What is said of a published model."""

from __future__ import annotations

from dataclasses import dataclass

from models.manifest import Recommended


@dataclass(frozen=True)
class Repository:
    """A model repository at the Hugging Face hub; `revision` is a whole commit hash."""

    id: str
    revision: str | None


@dataclass(frozen=True)
class Release:
    """Files under one address on the web, without revisions."""

    url: str


@dataclass(frozen=True)
class PublishedFile:
    """A file of a checkpoint, under the same name there and here.

    `sha256` (64 lower-case hex digits) and `bytes` are `None` where they are not known.
    """

    name: str
    origin: Repository | Release
    sha256: str | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class PublishedModel:
    """A published checkpoint.

    Attributes:
        name: What it is pulled by, and what its bundle is called.
        architecture: As its publishers write it.
        training_data: What it was trained or distilled on.
        embedding_size: Components of an embedding.
        image_millions: Parameters of the image tower, in millions.
        text_millions: Parameters of the text tower without its token embeddings, in millions.
        imagenet_top1: Published zero-shot accuracy on ImageNet-1k, in percent of its images.
        licence: Of the weights.
        files: What `python -m export` needs of it.
        checkpoint: The file that the export is given; `None`: their directory.
        recommended: Published settings of the prefilter; `None`: the export's own stand.
    """

    name: str
    architecture: str
    training_data: str
    embedding_size: int
    image_millions: int
    text_millions: int
    imagenet_top1: float
    licence: str
    files: tuple[PublishedFile, ...]
    checkpoint: str | None = None
    recommended: Recommended | None = None
