"""From a checkpoint and pictures to a bundle of each precision, by the door and by the command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from export.__main__ import main  # noqa: E402
from export.agreement import cosines  # noqa: E402
from export.door import REDUCED_STEPS, export_bundle  # noqa: E402
from export.errors import ExportError  # noqa: E402
from export.graphs import Graphs, export_graphs  # noqa: E402
from export.material import Material  # noqa: E402
from export.pictures import TiledPicture  # noqa: E402
from export.precision.reduction import TOLERANCES, Reduced, Reduction  # noqa: E402
from export.towers import TowerFacts, Towers  # noqa: E402
from models import load_bundle  # noqa: E402
from models.manifest import read_manifest  # noqa: E402
from support.graph_reading import run  # noqa: E402

pytestmark = pytest.mark.export

PROMPTS = ("abc", "where is the dog?", "cab")


class Image(nn.Module):
    """Patches and a few linear layers; `gain` makes the embedding long, and turns it nowhere."""

    def __init__(self, facts: TowerFacts, gain: float = 1.0) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 4, 8, 8)
        side = facts.tile_size // 8
        self.layers = nn.Sequential(
            *(nn.Linear(4 * side * side, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU()),
            nn.Linear(32, facts.embedding_size),
        )
        self.gain = gain

    def forward(self, pixels: Tensor) -> Tensor:
        return self.layers(self.patches(pixels).flatten(1)) * self.gain


class Text(nn.Module):
    def __init__(self, facts: TowerFacts, vocabulary: int) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary, 16)
        self.layers = nn.Sequential(
            nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, facts.embedding_size)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        return self.layers(self.table(tokens).mean(dim=1))


@pytest.fixture(scope="module")
def small(towers: Towers) -> Towers:
    """Quick to export; what becomes of true ones is tested precision by precision."""
    torch.manual_seed(0)  # pyright: ignore[reportUnknownMemberType]
    facts = towers.facts
    return Towers(Image(facts).eval(), Text(facts, 1000).eval(), facts)


@pytest.fixture(scope="module")
def small_graphs(small: Towers) -> Graphs:
    return export_graphs(small)


@pytest.fixture(scope="module")
def material(pictures: list[TiledPicture]) -> Material:
    return Material(tuple(pictures[::2]), tuple(pictures[1::2]), PROMPTS, "scenes", "three words")


@pytest.mark.parametrize(
    ("precision", "least"), [("fp16", 0.9999), ("int8", 0.995), ("int8-dynamic", 0.998)]
)
def test_a_bundle_of_each_precision_is_nearly_that_of_float32(
    small: Towers,
    small_graphs: Graphs,
    material: Material,
    tmp_path: Path,
    precision: Reduced,
    least: float,
) -> None:
    steps: list[str] = []
    reduction = Reduction(precision, material, TOLERANCES[precision])
    manifest = export_bundle(small, tmp_path / "b", reduction=reduction, progress=steps.append)
    # fp16 exports both towers a second time, without saying so again.
    assert tuple(steps) == REDUCED_STEPS
    bundle = load_bundle(tmp_path / "b", threads=1)
    assert bundle.describe()["precision"] == precision
    tiles = material.judged[0].tiles
    assert cosines(bundle.encode_tiles(tiles), run(small_graphs.image, tiles)).min() > least

    assert read_manifest(tmp_path / "b") == manifest
    found = manifest.agreement
    assert found is not None
    assert (found.pictures, found.prompts) == (4, 3)
    assert found.tiles == sum(len(one.tiles) for one in material.judged)
    assert (found.pictures_of, found.prompts_of) == ("scenes", "three words")
    assert least < found.tile_cosine.least <= found.tile_cosine.mean < 1.0
    assert least < found.text_cosine.least < 1.0
    assert 0.0 < found.relevance.mean < found.relevance.largest <= found.tolerance
    # Parity is that of the bundle's own graphs, not of the float32 ones on the way.
    assert 1e-9 < 1 - manifest.parity.image.min_cosine < 0.01


def test_what_moves_relevance_too_far_is_not_written(
    small: Towers, material: Material, tmp_path: Path
) -> None:
    strict = Reduction("int8-dynamic", material, 1e-6)
    with pytest.raises(ExportError, match=r"moves the relevance .*tolerance 1e-06.*--tolerance 0"):
        export_bundle(small, tmp_path / "b", reduction=strict)
    assert list(tmp_path.iterdir()) == []


def test_values_beyond_half_precision_are_refused(
    small: Towers, material: Material, tmp_path: Path
) -> None:
    loud = replace(small, image=Image(small.facts, gain=1e6).eval())
    with pytest.raises(ExportError, match=r"image\.onnx: .*not finite.*fit into this precision"):
        export_bundle(loud, tmp_path / "b", reduction=Reduction("fp16", material, 0.1))
    assert list(tmp_path.iterdir()) == []


def test_the_command_shows_what_the_precision_changes(
    checkpoint: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prompts.txt").write_text("abc\ncab\n")
    arguments = [str(checkpoint), "-o", str(tmp_path / "b"), "--precision", "int8"]
    pictures = ["--pictures", str(folder), "--prompts", str(tmp_path / "prompts.txt")]
    assert main([*arguments, *pictures, "--tolerance", "0.9"]) == 0
    agreement = read_manifest(tmp_path / "b").agreement
    assert agreement is not None
    assert (agreement.tolerance, agreement.prompts) == (0.9, 2)
    printed = capsys.readouterr().out
    assert f"int8 against fp32: {agreement.tiles} tiles of 4 pictures" in printed
    assert "2 prompts (prompts.txt)" in printed
    assert f"{agreement.tile_cosine.least:.5f}" in printed
    assert f"{agreement.relevance.largest:.4f}" in printed
    assert "tolerance 0.9" in printed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--precision", "int8"], "--pictures"),
        (["--tolerance", "0.2"], "--tolerance is for comparing with float32"),
        (["--pictures", "."], "--pictures is for comparing with float32"),
        (["--precision", "fp16", "--tolerance", "0"], "--tolerance 0 is not above 0"),
        (["--precision", "fp16", "--tolerance", "1.5"], "--tolerance 1.5 is not above 0"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    words: str,
) -> None:
    assert main([str(checkpoint), "-o", str(tmp_path / "b"), *options]) == 1
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
