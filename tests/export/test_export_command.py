from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from export.__main__ import main
from models import load_bundle
from support.clip_checkpoint import make_checkpoint

pytestmark = pytest.mark.export


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny-clip")


def test_the_command_makes_a_bundle_with_the_operators_facts(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle"
    arguments = [str(checkpoint), "-o", str(out), "--name", "mine", "--licence", "MIT"]
    assert main([*arguments, "--lambda", "20", "--sigma-min", "0.2", "--sigma-max", "3"]) == 0
    manifest = load_bundle(out, threads=1).manifest
    assert (manifest.name, manifest.licence) == ("mine", "MIT")
    chosen = manifest.recommended
    assert (chosen.lambda_, chosen.sigma_min, chosen.sigma_max) == (20.0, 0.2, 3.0)
    printed = capsys.readouterr().out
    assert "max abs error" in printed
    assert "lambda 20, sigma 0.2 to 3 px" in printed
    assert "licence: MIT" in printed


def test_a_taken_place_is_told_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.txt").write_text("")
    assert main([str(tmp_path / "no-checkpoint"), "-o", str(tmp_path)]) == 1
    assert "'other.txt'" in capsys.readouterr().err


def test_a_bad_checkpoint_gives_one_line_and_status_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "none"), "-o", str(tmp_path / "b")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "config.json: cannot read it" in captured.err
    assert list(tmp_path.iterdir()) == []


def test_sigmas_out_of_order_are_refused(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(checkpoint), "-o", str(tmp_path / "b"), "--sigma-min", "20"]) == 1
    assert "sigma_min 20.0 is above sigma_max 10.0" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def _without_torch(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; sys.modules['torch'] = None; from export.__main__ import main; "
    return subprocess.run(
        [sys.executable, "-c", f"{code}sys.exit(main({list(arguments)!r}))"],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        check=False,
        text=True,
    )


def test_help_needs_no_torch() -> None:
    run = _without_torch("--help")
    assert run.returncode == 0
    assert "CHECKPOINT" in run.stdout


def test_a_missing_torch_is_told_with_the_extra_to_install(tmp_path: Path) -> None:
    run = _without_torch("x", "-o", str(tmp_path / "b"))
    assert run.returncode == 1
    assert "torch is not installed" in run.stderr
    assert "pip install 'edge-daemon[export]'" in run.stderr
