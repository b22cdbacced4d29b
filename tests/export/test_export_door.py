from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from support.tiny_bundle import EMBEDDING_SIZE, MEAN, STD, make_tokenizer

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from torch import Tensor, nn  # noqa: E402

from export import parity  # noqa: E402
from export.door import STEPS, check_place, export_bundle  # noqa: E402
from export.errors import ExportError  # noqa: E402
from export.towers import TowerFacts, Towers  # noqa: E402
from models import Recommended, load_bundle  # noqa: E402
from models.manifest import Preprocessing, TowerParity  # noqa: E402

pytestmark = pytest.mark.export

SIDE, CONTEXT = 16, 8


class Image(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(3, EMBEDDING_SIZE)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.project(pixels.mean(dim=(2, 3)))


class Text(nn.Module):
    def __init__(self, tokens: int) -> None:
        super().__init__()
        # torch calls the output of this layer `embedding`, as the graph's own output is called.
        self.table = nn.Embedding(tokens, EMBEDDING_SIZE)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.table(tokens).sum(dim=1)


class ByValue(Image):
    def forward(self, pixels: Tensor) -> Tensor:
        out = super().forward(pixels)
        return out if float(pixels.sum()) > 0 else -out


@pytest.fixture(scope="module")
def towers() -> Towers:
    tokenizer = make_tokenizer()
    end = tokenizer.encode("").ids[-1]
    torch.manual_seed(0)  # pyright: ignore[reportUnknownMemberType]
    facts = TowerFacts(
        name="small",
        architecture="mean colour and a bag of words",
        embedding_size=EMBEDDING_SIZE,
        tile_size=SIDE,
        mean=MEAN,
        std=STD,
        resize="bicubic",
        context_length=CONTEXT,
        pad_token_id=end,
        end_token_id=end,
        tokenizer_json=tokenizer.to_str(),
        recommended=Recommended(lambda_=20.0, sigma_min=0.2, sigma_max=3.0),
        licence="Apache-2.0",
        source="made by the tests",
        notice="knows nothing",
        training={"seed": 0, "data": {"icons": "1.2"}},
        accuracy={"top1": 0.5},
    )
    return Towers(Image().eval(), Text(tokenizer.get_vocab_size()).eval(), facts)


@pytest.fixture(scope="module")
def made(towers: Towers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "deep" / "bundle"
    export_bundle(towers, out)
    return out


def _files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_any_pair_of_towers_becomes_a_bundle(made: Path, towers: Towers) -> None:
    bundle = load_bundle(made, threads=1)
    tile = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), dtype=np.uint8)
    pixels = torch.as_tensor((tile / 255.0 - MEAN) / STD, dtype=torch.float32).permute(0, 3, 1, 2)
    with torch.inference_mode():
        wanted = towers.image(pixels).double().numpy()
    wanted /= np.linalg.norm(wanted)
    np.testing.assert_allclose(bundle.encode_tiles(tile), wanted, atol=1e-5)


def test_all_facts_reach_the_manifest(made: Path, towers: Towers) -> None:
    manifest, facts = load_bundle(made, threads=1).manifest, towers.facts
    for field in (
        *("name", "architecture", "embedding_size", "tile_size", "mean", "std"),
        *(
            "context_length",
            "pad_token_id",
            "end_token_id",
            "recommended",
            "licence",
            "source",
            "notice",
        ),
        *("training", "accuracy"),
    ):
        assert getattr(manifest, field) == getattr(facts, field), field
    assert manifest.multiply_adds == 3 * EMBEDDING_SIZE
    assert manifest.preprocessing == Preprocessing(resize=facts.resize, input="tiles")


def test_progress_and_name_are_the_callers(towers: Towers, tmp_path: Path) -> None:
    seen: list[str] = []
    manifest = export_bundle(towers, tmp_path / "b", name="renamed", progress=seen.append)
    assert tuple(seen) == STEPS
    assert manifest.name == "renamed"


def test_a_standing_bundle_is_not_replaced_unless_forced(made: Path, towers: Towers) -> None:
    before = _files(made)
    with pytest.raises(ExportError, match=r"a bundle stands there.*--force") as caught:
        export_bundle(towers, made)
    assert caught.value.file == made
    assert _files(made) == before
    try:
        export_bundle(towers, made, name="second", force=True)
        assert load_bundle(made, threads=1).manifest.name == "second"
        assert [path.name for path in made.parent.iterdir()] == ["bundle"]
    finally:
        for name, content in before.items():
            (made / name).write_bytes(content)


@pytest.mark.parametrize("force", [False, True])
def test_a_directory_with_other_files_is_never_replaced(tmp_path: Path, force: bool) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ExportError, match=r"such as 'thesis\.tex'"):
        check_place(tmp_path, force=force)


def test_a_file_in_the_place_of_the_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("")
    with pytest.raises(ExportError, match="is a file"):
        check_place(tmp_path / "b", force=True)


def test_an_empty_directory_may_be_filled(tmp_path: Path) -> None:
    check_place(tmp_path, force=False)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(towers: Towers, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written") as caught:
        export_bundle(towers, tmp_path / "file" / "bundle")
    assert caught.value.file == tmp_path / "file" / "bundle"


def _fails(towers: Towers, out: Path, words: str) -> None:
    with pytest.raises(ExportError, match=words):
        export_bundle(towers, out)
    assert list(out.parent.iterdir()) == []


def test_weights_that_are_not_finite_are_refused(towers: Towers, tmp_path: Path) -> None:
    broken = Image().eval()
    with torch.no_grad():
        broken.project.bias[0] = torch.nan
    _fails(replace(towers, image=broken), tmp_path / "b", "not finite")


def test_a_tower_of_another_width_than_its_facts_is_refused(towers: Towers, tmp_path: Path) -> None:
    facts = replace(towers.facts, embedding_size=EMBEDDING_SIZE + 1)
    _fails(replace(towers, facts=facts), tmp_path / "b", "manifest implies")


def test_a_tower_that_branches_on_values_is_refused(towers: Towers, tmp_path: Path) -> None:
    _fails(replace(towers, image=ByValue().eval()), tmp_path / "b", "cannot export.*tiles")


@pytest.mark.parametrize(
    "facts", [{"name": "../up"}, {"std": (0.5, 0.0, 0.5)}, {"mean": (0.5, 0.5, float("inf"))}]
)
def test_facts_that_no_manifest_can_hold_are_refused(
    towers: Towers, tmp_path: Path, facts: dict[str, Any]
) -> None:
    wrong = replace(towers, facts=replace(towers.facts, **facts))
    _fails(wrong, tmp_path / "b", "a manifest cannot hold it")


@pytest.mark.parametrize(("error", "cosine"), [(2e-4, 1.0), (0.0, 0.999)])
def test_a_graph_off_parity_is_refused(error: float, cosine: float) -> None:
    report = TowerParity(max_abs_error=error, min_cosine=cosine, samples=6)
    with pytest.raises(ExportError, match=r"image\.onnx differs from torch"):
        parity.require(report, "image.onnx")


def test_a_graph_of_reduced_precision_may_err_but_not_compute_something_else() -> None:
    parity.require_reduced(TowerParity(max_abs_error=0.2, min_cosine=0.9, samples=6), "image.onnx")
    report = TowerParity(max_abs_error=0.0, min_cosine=0.899, samples=6)
    with pytest.raises(ExportError, match=r"image\.onnx differs.*0\.8990.*another precision"):
        parity.require_reduced(report, "image.onnx")


def test_parity_sees_a_difference(towers: Towers) -> None:
    """A session that answers with another tower's embeddings is found out."""

    reference = parity.image_reference(towers)

    class Other:
        batch = 8

        def encode(self, batch: Any) -> Any:
            out = reference(batch)
            out[-1] = out[-1, ::-1].copy()
            return out

        def describe(self) -> dict[str, Any]:
            return {}

    report = parity.measure(Other(), reference, parity.random_tiles(towers.facts))
    assert report.samples == sum(parity.BATCHES)
    assert report.max_abs_error > 0.01
    assert report.min_cosine < 0.99


def test_random_tokens_are_rows_as_a_tokenizer_makes_them(towers: Towers) -> None:
    end, start = towers.facts.end_token_id, make_tokenizer().encode("").ids[0]
    batches = list(parity.random_tokens(towers.facts))
    assert tuple(len(rows) for rows in batches) == parity.BATCHES
    for row in np.concatenate(batches):
        place = int((row == end).argmax())
        assert row[0] == start
        assert (row[place:] == end).all()
        assert not np.isin(row[1:place], [start, end]).any()


def test_8_bit_input_is_cast_before_anything_else(tmp_path: Path, towers: Towers) -> None:
    class Batched(Image):
        def forward(self, pixels: Tensor) -> Tensor:
            # Asks for the number of rows, as a ViT does for its class token.
            return super().forward(pixels) + torch.ones(1, EMBEDDING_SIZE).expand(
                pixels.shape[0], -1
            )

    export_bundle(replace(towers, image=Batched().eval()), tmp_path / "b")
    graph = onnx.load(tmp_path / "b" / "image.onnx").graph
    assert {node.op_type for node in graph.node if "tiles" in node.input} == {"Cast"}
    assert graph.node[0].op_type == "Cast"
