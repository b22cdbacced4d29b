"""The worker's program, with stand-ins for its libraries."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.codecs.cheng2020.process import FRAME, MAGIC
from edge_daemon.codecs.cheng2020.resources import WORKER

LIBRARIES = {
    "torch": """
        import os
        os.write(1, b"written to descriptor 1\\n")
        print("printed")
        __version__ = "stand-in"
        def set_num_threads(count): pass
        set_num_interop_threads = use_deterministic_algorithms = set_grad_enabled = set_num_threads
    """,
    "numpy": "",
    "compressai": """
        __version__ = "stand-in"
        import torchvision.transforms
        from torch_geometric.data.datapipes import functional_transform
        from torch_geometric.transforms import BaseTransform
        @functional_transform("nothing")
        class Decorated(BaseTransform):
            kept = True
        assert Decorated.kept
    """,
    "compressai/ans": "",
    "compressai/models": "",
    "compressai/models/base": "",
    "compressai/models/google": "",
    "compressai/models/waseda": "Cheng2020Anchor = Cheng2020Attention = None",
    "compressai/zoo": "",
    "compressai/zoo/pretrained": "load_pretrained = None",
}


@pytest.fixture
def program(tmp_path: Path) -> Generator[subprocess.Popen[bytes]]:
    for name, text in LIBRARIES.items():
        (tmp_path / name).mkdir()
        lines = [line.removeprefix("        ") for line in text.splitlines()]
        (tmp_path / name / "__init__.py").write_text("\n".join(lines))
    with subprocess.Popen(
        [sys.executable, WORKER, "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    ) as process:
        yield process
        process.kill()


def ask(process: subprocess.Popen[bytes], header: Any, payload: bytes = b"") -> dict[str, Any]:
    """By the supervisor's end of the definition: the worker's is its own."""
    assert process.stdin is not None
    assert process.stdout is not None
    text = json.dumps(header).encode()
    process.stdin.write(FRAME.pack(MAGIC, len(text), len(payload)) + text + payload)
    process.stdin.flush()
    magic, header_bytes, payload_bytes = FRAME.unpack(process.stdout.read(FRAME.size))
    assert (magic, payload_bytes) == (MAGIC, 0)
    return json.loads(process.stdout.read(header_bytes))


def test_what_libraries_print_does_not_get_into_the_answers(
    program: subprocess.Popen[bytes],
) -> None:
    versions = {"protocol": 1, "compressai": "stand-in", "torch": "stand-in"}
    assert ask(program, {"op": "hello"}) == versions
    _, errors = program.communicate()
    assert b"written to descriptor 1" in errors
    assert program.returncode == 0, "it ends when its input does"


@pytest.mark.parametrize(
    "request_header",
    [
        {},
        {"op": "format"},
        {"op": "load"},
        {"op": "load", "model": 7},
        {"op": "encode", "model": {"architecture": "resnet", "channels": 3}},
    ],
)
def test_bad_requests_are_answered_and_the_next_one_is_served(
    program: subprocess.Popen[bytes], request_header: dict[str, Any]
) -> None:
    assert ask(program, request_header)["error"] == "request"
    assert ask(program, {"op": "hello"})["protocol"] == 1


def test_a_stream_that_is_not_ours_ends_the_program(program: subprocess.Popen[bytes]) -> None:
    output, _ = program.communicate(json.dumps({"op": "hello"}).encode() * 10)
    assert output == b""
    assert program.returncode == 0


def test_it_imports_nothing_but_python_and_its_own_modules() -> None:
    """What it needs else is imported by name, late; nothing of ours is there at all."""
    own = {path.stem for path in WORKER.glob("*.py")} - {"__main__"}
    assert own
    imported: set[str] = set()
    for path in WORKER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                imported.add(str(node.module).partition(".")[0])
    assert own < imported
    assert imported - own <= sys.stdlib_module_names


def test_its_modules_take_no_other_modules_place() -> None:
    """They stand at the head of the module path, before every installed package."""
    names = {path.stem for path in WORKER.glob("*.py")} - {"__main__"}
    assert {name for name in names if not name.startswith("cheng2020_")} == set()
