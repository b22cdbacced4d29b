from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers")
# These two are partly untyped.
onnxruntime: Any = pytest.importorskip("onnxruntime")
safetensors: Any = pytest.importorskip("safetensors.torch")

from export.errors import ExportError  # noqa: E402
from export.graph import export_graph  # noqa: E402
from export.loaders import load_towers  # noqa: E402
from export.untrained import END, START, write_vocabulary  # noqa: E402
from support.clip_checkpoint import TINY_TEXT, edit_config, make_checkpoint  # noqa: E402

pytestmark = pytest.mark.export

CONTEXT = TINY_TEXT["max_position_embeddings"]
START_ID, END_ID = 998, 999


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny-clip")


@pytest.fixture
def checkpoint(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "tiny-clip"))


def _model(checkpoint: Path) -> Any:
    return transformers.CLIPModel.from_pretrained(checkpoint, local_files_only=True).eval()


def _text_session(checkpoint: Path) -> Any:
    towers = load_towers(checkpoint)
    example = torch.full((2, CONTEXT), END_ID)
    content = export_graph(towers.text, example, input_name="tokens")
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def _run(session: Any, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.asarray(session.run(["embedding"], {"tokens": rows})[0])


def _pooled_at(model: Any, rows: NDArray[np.int64], places: list[int]) -> NDArray[np.float64]:
    """Unit embeddings read at the given places of the last hidden states."""
    with torch.inference_mode():
        hidden = model.text_model(input_ids=torch.as_tensor(rows)).last_hidden_state
        chosen = hidden[torch.arange(len(rows)), torch.as_tensor(places)]
        out = model.text_projection(chosen).numpy().astype(np.float64)
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def _rows(*contents: list[int], start: int = START_ID, end: int = END_ID) -> NDArray[np.int64]:
    """Rows of start, content, end, and further ends as padding."""
    rows = np.full((len(contents), CONTEXT), end, dtype=np.int64)
    for row, content in zip(rows, contents, strict=True):
        row[: len(content) + 1] = [start, *content]
    return rows


def _swap_start_and_end(checkpoint: Path) -> None:
    path = checkpoint / "vocab.json"
    vocabulary = json.loads(path.read_text())
    vocabulary[START], vocabulary[END] = vocabulary[END], vocabulary[START]
    path.write_text(json.dumps(vocabulary))


@pytest.mark.parametrize("eos_token_id", [END_ID, 2])
def test_the_embedding_is_read_at_the_first_end_token(checkpoint: Path, eos_token_id: int) -> None:
    """Both conventions, with rows that are padded with further end tokens."""
    edit_config(checkpoint, "text_config", eos_token_id=eos_token_id)
    session = _text_session(checkpoint)
    rows = _rows([5, 6, 7], [], [600, 20] * 6)
    wanted = _pooled_at(_model(checkpoint), rows, [4, 1, 13])
    np.testing.assert_allclose(_run(session, rows), wanted, atol=1e-5)
    np.testing.assert_allclose(_run(session, rows[:1]), wanted[:1], atol=1e-5)

    behind = np.random.default_rng(0).integers(0, START_ID, rows.shape)
    places = np.cumsum(np.ones_like(rows), axis=1) - 1
    changed = np.where(places > np.asarray([[4], [1], [13]]), behind, rows)
    np.testing.assert_allclose(_run(session, changed), wanted, atol=1e-5)


def test_a_token_above_the_end_is_no_end(checkpoint: Path) -> None:
    """With a true `eos_token_id` the place is found by equality, not by the highest id."""
    _swap_start_and_end(checkpoint)
    edit_config(checkpoint, "text_config", bos_token_id=END_ID, eos_token_id=START_ID)
    session = _text_session(checkpoint)
    rows = _rows([5, 6, 7], [], start=END_ID, end=START_ID)
    wanted = _pooled_at(_model(checkpoint), rows, [4, 1])
    np.testing.assert_allclose(_run(session, rows), wanted, atol=1e-5)


def test_the_hidden_activation_is_the_configs(checkpoint: Path) -> None:
    rows = _rows([5, 6, 7], [600])
    quick = _pooled_at(_model(checkpoint), rows, [4, 2])
    edit_config(checkpoint, "text_config", hidden_act="gelu")
    exact = _pooled_at(_model(checkpoint), rows, [4, 2])
    assert np.abs(quick - exact).max() > 1e-4
    np.testing.assert_allclose(_run(_text_session(checkpoint), rows), exact, atol=1e-5)


def test_a_ready_tokenizer_json_gives_the_same_tokens(checkpoint: Path) -> None:
    built = load_towers(checkpoint).facts.tokenizer_json
    fast = transformers.CLIPTokenizerFast.from_pretrained(checkpoint, local_files_only=True)
    fast.backend_tokenizer.save(str(checkpoint / "tokenizer.json"))
    (checkpoint / "vocab.json").unlink()
    (checkpoint / "merges.txt").unlink()
    ready = load_towers(checkpoint).facts.tokenizer_json
    assert json.loads(ready)["model"] == json.loads(built)["model"]
    assert json.loads(ready)["post_processor"] == json.loads(built)["post_processor"]


def test_mean_and_std_are_the_preprocessors(checkpoint: Path) -> None:
    assert load_towers(checkpoint).facts.mean == (0.48145466, 0.4578275, 0.40821073)
    config = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}
    (checkpoint / "preprocessor_config.json").write_text(json.dumps(config))
    facts = load_towers(checkpoint).facts
    assert (facts.mean, facts.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


def test_half_precision_weights_become_float32(checkpoint: Path) -> None:
    _model(checkpoint).half().save_pretrained(checkpoint)
    towers = load_towers(checkpoint)
    for tower in (towers.image, towers.text):
        assert {weight.dtype for weight in tower.parameters()} == {torch.float32}


def _refused(checkpoint: Path, file: str | None, words: str) -> None:
    with pytest.raises(ExportError, match=words) as caught:
        load_towers(checkpoint)
    assert caught.value.file == (checkpoint if file is None else checkpoint / file)


def test_a_directory_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    _refused(tmp_path / "none", "config.json", "No such file")


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_config_that_is_no_json_object_is_refused(checkpoint: Path, content: str) -> None:
    (checkpoint / "config.json").write_text(content)
    _refused(checkpoint, "config.json", "JSON")


def test_another_kind_of_model_is_refused_by_name(checkpoint: Path) -> None:
    edit_config(checkpoint, model_type="siglip")
    _refused(checkpoint, "config.json", "model_type 'siglip'")


def test_missing_weights_are_refused(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").unlink()
    _refused(checkpoint, None, "no weights")


def test_truncated_weights_are_refused(checkpoint: Path) -> None:
    path = checkpoint / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    _refused(checkpoint, "model.safetensors", "cannot be loaded")


def test_a_weight_that_is_not_in_the_file_is_refused(checkpoint: Path) -> None:
    """Silently, transformers would fill it with random numbers."""
    path = checkpoint / "model.safetensors"
    weights = safetensors.load_file(path)
    del weights["visual_projection.weight"]
    safetensors.save_file(weights, path, metadata={"format": "pt"})
    _refused(checkpoint, "model.safetensors", r"lacks visual_projection\.weight")


def test_a_weight_that_nothing_uses_is_refused(checkpoint: Path) -> None:
    path = checkpoint / "model.safetensors"
    weights = safetensors.load_file(path)
    weights["text_model.encoder.layers.7.mlp.fc1.bias"] = torch.zeros(4)
    safetensors.save_file(weights, path, metadata={"format": "pt"})
    _refused(checkpoint, "model.safetensors", r"no CLIPModel uses.*layers\.7")


def test_weights_of_another_width_are_refused(checkpoint: Path) -> None:
    edit_config(checkpoint, "vision_config", intermediate_size=96)
    _refused(checkpoint, "model.safetensors", "cannot be loaded|other shapes")


def test_an_unknown_activation_is_refused(checkpoint: Path) -> None:
    edit_config(checkpoint, "text_config", hidden_act="wobble")
    _refused(checkpoint, "model.safetensors", "wobble")


def test_a_missing_tokenizer_is_refused(checkpoint: Path) -> None:
    (checkpoint / "merges.txt").unlink()
    _refused(checkpoint, None, "no tokenizer")


def test_a_damaged_tokenizer_is_refused(checkpoint: Path) -> None:
    (checkpoint / "tokenizer.json").write_text('{"version": "1.0"')
    _refused(checkpoint, "tokenizer.json", "not a readable tokenizer")


def test_an_end_token_other_than_the_models_is_refused(checkpoint: Path) -> None:
    edit_config(checkpoint, "text_config", eos_token_id=77)
    _refused(checkpoint, "config.json", "eos_token_id 77, but the tokenizer ends a text with 999")


def test_a_tokenizer_larger_than_the_model_is_refused(checkpoint: Path) -> None:
    write_vocabulary(checkpoint, 1001)
    _refused(checkpoint, "config.json", "vocab_size 1000 is too small for the tokenizer's id 1000")


def test_the_old_convention_needs_the_end_to_be_the_highest(checkpoint: Path) -> None:
    _swap_start_and_end(checkpoint)
    edit_config(checkpoint, "text_config", eos_token_id=2)
    _refused(checkpoint, "config.json", "ends a text with 998 and knows ids up to 999")


@pytest.mark.parametrize("value", [[0.5, 0.5], "grey", [0.1, None, 0.3]])
def test_a_mean_that_is_not_three_numbers_is_refused(checkpoint: Path, value: Any) -> None:
    path = checkpoint / "preprocessor_config.json"
    path.write_text(json.dumps({"image_mean": value}))
    _refused(checkpoint, "preprocessor_config.json", "image_mean")
