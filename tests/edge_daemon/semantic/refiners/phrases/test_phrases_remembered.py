from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.semantic.critic import Critic
from edge_daemon.semantic.refiners.phrases import remembered as module
from edge_daemon.semantic.refiners.phrases.embedding import VocabularyEmbedding
from edge_daemon.semantic.refiners.phrases.remembered import cache_directory, remembered
from edge_daemon.semantic.vocabulary import load_vocabulary
from models import load_bundle
from support.tiny_bundle import make_tiny_bundle

TEXTS = ("a dog", "a cat")


class Encoder:
    """A stand-in for a text encoder, which counts how often it is needed."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> NDArray[np.float32]:
        self.calls += 1
        return np.eye(2, 3, dtype=np.float32)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGE_DAEMON_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_was_embedded_once_is_not_embedded_again(cache: Path) -> None:
    encoder = Encoder()
    first = remembered("e", 3, TEXTS, encoder)
    again = remembered("e", 3, TEXTS, encoder)
    assert encoder.calls == 1
    assert (first == again).all()
    assert [file.suffix for file in cache.iterdir()] == [".npy"]


def test_another_encoder_or_vocabulary_is_another_matter() -> None:
    encoder = Encoder()
    remembered("e", 3, TEXTS, encoder)
    remembered("other", 3, TEXTS, encoder)
    remembered("e", 3, ("a dog", "a cow"), encoder)
    assert encoder.calls == 3


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no array",
        np.eye(3, dtype=np.float32),
        np.eye(2, 3),
        np.full((2, 3), np.nan, np.float32),
        np.array([[object(), None, 1]] * 2),
    ],
    ids=["empty", "foreign", "shape", "dtype", "values", "pickled"],
)
def test_a_damaged_file_costs_time_and_nothing_else(
    cache: Path, content: bytes | NDArray[np.float32]
) -> None:
    encoder = Encoder()
    whole = remembered("e", 3, TEXTS, encoder)
    (file,) = cache.iterdir()
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        np.save(file, content)
    assert (remembered("e", 3, TEXTS, encoder) == whole).all()
    assert encoder.calls == 2
    remembered("e", 3, TEXTS, encoder)
    assert encoder.calls == 2


def test_a_disk_that_takes_nothing_costs_time_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EDGE_DAEMON_CACHE", str(tmp_path / "file" / "below"))
    encoder = Encoder()
    for _ in range(2):
        assert remembered("e", 3, TEXTS, encoder).shape == (2, 3)
    assert encoder.calls == 2


def test_only_so_many_are_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT", 2)
    encoder = Encoder()
    for name in ("a", "b", "c"):
        remembered(name, 3, TEXTS, encoder)
    assert len(list(cache.iterdir())) == 2


def test_the_service_has_a_place_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_DAEMON_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/somebody/.cache")
    monkeypatch.delenv("CACHE_DIRECTORY", raising=False)
    assert cache_directory() == Path("/home/somebody/.cache/edge-daemon")
    monkeypatch.setenv("CACHE_DIRECTORY", "/var/cache/edge-daemon")
    assert cache_directory() == Path("/var/cache/edge-daemon")


def test_a_vocabulary_comes_back_as_it_was(tmp_path: Path) -> None:
    directory = make_tiny_bundle(tmp_path / "bundle")
    first, again = (
        VocabularyEmbedding(Critic(load_bundle(directory, threads=1)), load_vocabulary()).get()
        for _ in range(2)
    )
    assert (first.scenes == again.scenes).all()
    assert (first.objects == again.objects).all()
    assert (first.attributes == again.attributes).all()
    assert len(first.objects) == len(load_vocabulary().objects)
