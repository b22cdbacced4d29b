from __future__ import annotations

from pathlib import Path

import pytest

from models.backends import BACKENDS
from models.backends import preference as module
from models.backends.preference import preference

ZEN_3 = "flags\t\t: fpu sse4_2 avx avx2 fma\n"
CASCADE_LAKE = "flags\t\t: fpu sse4_2 avx avx2 fma avx512f avx512_vnni\n"
ALDER_LAKE = "flags\t\t: fpu sse4_2 avx avx2 fma avx_vnni\n"
CORTEX = "Features\t: fp asimd asimddp\n"

GPUS = ("tensorrt", "cuda")


@pytest.mark.parametrize(
    ("precision", "facts", "order", "aside"),
    [
        ("fp32", CASCADE_LAKE, (*GPUS, "cpu"), {"openvino": "no faster"}),
        ("fp16", ALDER_LAKE, (*GPUS, "cpu"), {"openvino": "no faster"}),
        ("int8", CASCADE_LAKE, (*GPUS, "openvino", "cpu"), {}),
        ("int8", ALDER_LAKE, (*GPUS, "openvino", "cpu"), {}),
        ("int8", ZEN_3, (*GPUS, "cpu"), {"openvino": "VNNI"}),
        ("int8", CORTEX, (*GPUS, "cpu"), {"openvino": "VNNI"}),
        ("int8-dynamic", CASCADE_LAKE, ("cpu",), dict.fromkeys((*GPUS, "openvino"), "int8-dyn")),
    ],
)
def test_the_order_depends_on_precision_and_cpu(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    facts: str,
    order: tuple[str, ...],
    aside: dict[str, str],
) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(facts, encoding="ascii")
    monkeypatch.setattr(module, "_CPU_FACTS", file)
    found = preference(precision)
    assert found.order == order
    assert found.set_aside.keys() == aside.keys()
    assert all(words in found.set_aside[name] for name, words in aside.items())
    assert {*order, *aside} == BACKENDS.keys()


def test_a_system_that_does_not_list_its_cpus_instructions_is_taken_to_have_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CPU_FACTS", tmp_path / "none")
    assert "openvino" in preference("int8").set_aside
