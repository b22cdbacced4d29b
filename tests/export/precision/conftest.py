from __future__ import annotations

from pathlib import Path

import cv2
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from edge_daemon.demo.scenes import make_scene
from edge_daemon.pictures import open_picture
from edge_daemon.prefilter.tiling import tile
from export.graphs import Graphs, export_graphs
from export.loaders import load_towers
from export.pictures import TiledPicture, read_pictures
from export.towers import Towers
from support.clip_checkpoint import make_checkpoint

PICTURES = 8


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("precision") / "tiny-clip")


@pytest.fixture(scope="session")
def towers(checkpoint: Path) -> Towers:
    return load_towers(checkpoint)


@pytest.fixture(scope="session")
def graphs(towers: Towers) -> Graphs:
    return export_graphs(towers)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small scenes as files."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(PICTURES):
        scene = make_scene(seed, width=320, height=240, count=4)
        cv2.imwrite(str(folder / f"{seed}.png"), scene.pixels[:, :, ::-1])
    return folder


@pytest.fixture(scope="session")
def pictures(folder: Path, towers: Towers) -> list[TiledPicture]:
    def fail(line: str) -> None:
        raise AssertionError(line)

    size = towers.facts.tile_size
    # What is asked of the worst tile depends on how many there are: it was set for these.
    names = [one.name for one in read_pictures(folder, size, "bicubic", most=PICTURES, say=fail)]
    sources = [open_picture((folder / name).read_bytes()).pixels for name in names]
    return [
        TiledPicture(name, *tile(pixels, size, "bicubic", budget=40))
        for name, pixels in zip(names, sources, strict=True)
    ]
