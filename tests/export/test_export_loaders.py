from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from export.__main__ import main  # noqa: E402
from export.errors import ExportError  # noqa: E402
from export.loaders import load_towers  # noqa: E402
from export.untrained import write_vocabulary  # noqa: E402
from support.clip_checkpoint import make_checkpoint  # noqa: E402
from support.open_clip_checkpoint import (  # noqa: E402
    as_manual,
    save_checkpoint,
    text_state,
    vit_state,
)

pytestmark = pytest.mark.export

STATE = {**vit_state(), **text_state()}


def _bare(directory: Path, *, tells: bool = True) -> Path:
    """A checkpoint without a tokenizer beside it."""
    torch.save(as_manual(STATE) if tells else STATE, directory / "bare.pt")
    return directory / "bare.pt"


def test_a_directory_stands_for_its_only_pt_file(tmp_path: Path) -> None:
    save_checkpoint(as_manual(STATE), tmp_path, "TinyCLIP ViT.pt")
    facts = load_towers(tmp_path).facts
    assert facts.name == "TinyCLIP-ViT"
    assert facts.source.startswith("TinyCLIP ViT.pt (SHA-256 ")
    save_checkpoint(as_manual(STATE), tmp_path, "another.pt")
    with pytest.raises(ExportError, match=r"2 checkpoints, such as TinyCLIP ViT\.pt and another"):
        load_towers(tmp_path)


def test_a_config_json_outranks_a_pt_file(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(tmp_path / "hf")
    _bare(checkpoint)
    assert load_towers(checkpoint).facts.name == "hf"


def test_a_file_of_another_ending_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    with pytest.raises(ExportError, match=r"does not end in \.pt"):
        load_towers(tmp_path / "model.onnx")


def test_a_pt_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"none\.pt: cannot read it \(No such file"):
        load_towers(tmp_path / "none.pt", tokenizer=tmp_path)


def test_a_directory_of_neither_kind_is_asked_for_its_config(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"config\.json: cannot read it"):
        load_towers(tmp_path)


def test_a_tokenizer_may_lie_elsewhere(tmp_path: Path) -> None:
    file, elsewhere = _bare(tmp_path), tmp_path / "elsewhere"
    with pytest.raises(ExportError, match="brings none") as caught:
        load_towers(file)
    for form in ("tokenizer.json", "vocab.json", "bpe_simple_vocab_16e6.txt.gz", "--tokenizer"):
        assert form in caught.value.remedy
    elsewhere.mkdir()
    with pytest.raises(ExportError, match="elsewhere: holds no tokenizer"):
        load_towers(file, tokenizer=elsewhere)
    with pytest.raises(ExportError, match=r"none\.json: holds no tokenizer"):
        load_towers(file, tokenizer=elsewhere / "none.json")
    write_vocabulary(elsewhere, len(STATE["token_embedding.weight"]))
    by_directory = load_towers(file, tokenizer=elsewhere).facts
    by_file = load_towers(file, tokenizer=elsewhere / "vocab.json").facts
    assert by_directory.tokenizer_json == by_file.tokenizer_json
    assert (by_file.end_token_id, by_file.pad_token_id) == (999, 999)


@pytest.mark.parametrize("size", [999, 1001])
def test_a_tokenizer_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    write_vocabulary(tmp_path, size)
    with pytest.raises(ExportError, match=f"ids up to {size - 1}, but the checkpoint has 1000"):
        load_towers(_bare(tmp_path))


def test_a_hugging_face_directory_brings_its_own(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(tmp_path / "hf")
    with pytest.raises(ExportError, match="its own files"):
        load_towers(checkpoint, tokenizer=checkpoint)
    with pytest.raises(ExportError, match="its own files"):
        load_towers(checkpoint, activation="gelu")


def test_the_command_hands_on_tokenizer_and_activation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _bare(tmp_path, tells=False)
    arguments = [str(file), "-o", str(tmp_path / "bundle")]
    assert main(arguments) == 1
    assert "GELU or QuickGELU" in capsys.readouterr().err
    arguments += ["--activation", "quick_gelu", "--tokenizer", str(tmp_path / "nowhere")]
    assert main(arguments) == 1
    assert "nowhere: holds no tokenizer" in capsys.readouterr().err
