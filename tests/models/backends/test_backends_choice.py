from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import BundleError, load_bundle
from models.backends import AUTO, Resources, choice, choose
from models.backends.preference import Preference
from models.backends.survey import survey
from models.proof import fixed_tiles
from support.stand_in_backends import Embeddings, StandInBackend, graph_of
from support.tiny_bundle import make_tiny_bundle

RESOURCES = Resources(threads=1)


def _fails(embeddings: Embeddings) -> Embeddings:
    raise OSError("no kernel image\nfor this device")


def _nan(embeddings: Embeddings) -> Embeddings:
    return np.full_like(embeddings, np.nan)


def _too_long(embeddings: Embeddings) -> Embeddings:
    return embeddings * np.float32(1.1)


def _first_axis(embeddings: Embeddings) -> Embeddings:
    return np.eye(1, embeddings.shape[1], dtype=np.float32).repeat(len(embeddings), axis=0)


def _turned_over(embeddings: Embeddings) -> Embeddings:
    return embeddings[::-1]


def _too_few(embeddings: Embeddings) -> Embeddings:
    return embeddings[:-1]


WRONG: list[tuple[Callable[[Embeddings], Embeddings], str]] = [
    (_fails, "OSError: no kernel image for this device"),
    (_nan, "have lengths nan, nan, nan, not 1"),
    (_too_long, "have lengths 1.1, 1.1, 1.1, not 1"),
    (_first_axis, "its embeddings are not those of the CPU: cosine "),
    (_turned_over, "its embeddings are not those of the CPU: cosine "),
    (_too_few, "its embeddings have the shape (2, 8), not (3, 8)"),
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Backends in the place of the real ones but the CPU's; they are preferred in this order."""

    def put(*backends: StandInBackend, set_aside: dict[str, str] | None = None) -> None:
        names = (*(backend.name for backend in backends), "cpu")
        table = {"cpu": choice.BACKENDS["cpu"], **{one.name: one for one in backends}}
        monkeypatch.setattr(choice, "BACKENDS", table)

        def preferred(_precision: str) -> Preference:
            return Preference(names, set_aside or {})

        monkeypatch.setattr(choice, "preference", preferred)

    return put


def test_auto_takes_the_first_that_works(put: Callable[..., None], directory: Path) -> None:
    broken = StandInBackend("first", problem="not here; install it")
    better, worse = StandInBackend("second"), StandInBackend("third")
    put(broken, better, worse, set_aside={"fourth": "too slow"})
    chosen = choose(AUTO, graph_of(directory), RESOURCES)
    assert chosen.backend == "second"
    assert chosen.session.describe()["backend"] == "stand-in 1.0"
    assert chosen.passed_over == {"first": "not here; install it", "fourth": "too slow"}
    assert better.opened == [RESOURCES]
    assert (broken.opened, worse.opened) == ([], [])


@pytest.mark.parametrize(("alter", "reason"), WRONG)
def test_auto_passes_over_what_fails_or_is_wrong(
    put: Callable[..., None],
    directory: Path,
    alter: Callable[[Embeddings], Embeddings],
    reason: str,
) -> None:
    put(StandInBackend("wrong", alter=alter))
    chosen = choose(AUTO, graph_of(directory), RESOURCES)
    assert chosen.backend == "cpu"
    assert reason in chosen.passed_over["wrong"]


@pytest.mark.parametrize(("alter", "reason"), WRONG)
def test_one_that_was_asked_for_serves_or_nothing_does(
    put: Callable[..., None],
    directory: Path,
    alter: Callable[[Embeddings], Embeddings],
    reason: str,
) -> None:
    put(StandInBackend("wrong", alter=alter), StandInBackend("good"))
    with pytest.raises(BundleError) as caught:
        choose("wrong", graph_of(directory), RESOURCES)
    assert str(caught.value).startswith(f"{directory / 'image.onnx'}: the backend 'wrong' cannot")
    assert reason in str(caught.value)
    assert "'auto'" in caught.value.remedy
    chosen = choose("good", graph_of(directory), RESOURCES)
    assert (chosen.backend, chosen.passed_over) == ("good", {})


def test_small_differences_between_kernels_are_let_pass(
    put: Callable[..., None], directory: Path
) -> None:
    def nearly(embeddings: Embeddings) -> Embeddings:
        moved = np.array(embeddings)
        # By 0.2 degrees towards an axis that is free in these embeddings.
        moved[:, 7] += np.float32(0.0035)
        return moved

    put(StandInBackend("near", alter=nearly))
    assert choose(AUTO, graph_of(directory), RESOURCES).backend == "near"


def test_an_unknown_backend_is_refused_with_those_there_are(directory: Path) -> None:
    with pytest.raises(BundleError, match=r"'gpu'.* there are .*cpu.*cuda.*openvino"):
        load_bundle(directory, threads=1, backend="gpu")


def test_a_damaged_graph_is_no_backends_fault(put: Callable[..., None], directory: Path) -> None:
    graph = graph_of(directory)
    damaged = type(graph)(b"no graph", graph.spec, graph.manifest, graph.file)
    asked = StandInBackend("asked")
    put(asked)
    for wish in (AUTO, "asked"):
        with pytest.raises(BundleError, match=r"onnxruntime .* cannot load"):
            choose(wish, damaged, RESOURCES)
    assert asked.opened == []


@pytest.mark.parametrize("image_input", ["tiles", "pixels"])
def test_a_chosen_session_takes_tiles_of_old_and_new_bundles(
    put: Callable[..., None], tmp_path: Path, image_input: Any
) -> None:
    put(StandInBackend("good"))
    bundle = load_bundle(make_tiny_bundle(tmp_path, image_input=image_input), threads=1)
    cpu = load_bundle(tmp_path, threads=1, backend="cpu")
    # More than the stand-in takes at once.
    tiles = fixed_tiles(bundle.tile_size, 7)
    assert (bundle.backend, cpu.backend) == ("good", "cpu")
    np.testing.assert_allclose(bundle.encode_tiles(tiles), cpu.encode_tiles(tiles), atol=1e-6)


def test_a_bundle_tells_what_serves_and_why_not_the_others(
    put: Callable[..., None], directory: Path
) -> None:
    put(StandInBackend("absent", problem="not here"), StandInBackend("good"))
    told = json.loads(json.dumps(load_bundle(directory, threads=1).describe()))
    assert told["backend"] == "good"
    assert told["passed_over"] == {"absent": "not here"}
    assert told["image"]["backend"] == "stand-in 1.0"
    assert told["text"]["providers"] == ["CPUExecutionProvider"]


def test_engines_reach_the_backend_as_a_path(
    put: Callable[..., None], directory: Path, tmp_path: Path
) -> None:
    good = StandInBackend("good")
    put(good)
    load_bundle(directory, threads=3, engines=str(tmp_path))
    load_bundle(directory, threads=3)
    assert good.opened == [Resources(3, tmp_path), Resources(3, None)]


def test_a_survey_tries_them_all_and_marks_what_auto_takes(
    monkeypatch: pytest.MonkeyPatch, directory: Path
) -> None:
    from models.backends import survey as module

    good = StandInBackend("openvino")
    wrong = StandInBackend("cuda", alter=_nan)
    table = {"cpu": choice.BACKENDS["cpu"], "cuda": wrong, "openvino": good}
    monkeypatch.setattr(module, "BACKENDS", table)
    found = survey(graph_of(directory), RESOURCES)
    assert list(found) == ["cpu", "cuda", "openvino"]
    assert [name for name, status in found.items() if status.auto] == ["cpu"]
    assert "not 1" in found["cuda"].problem
    assert found["cuda"].runs_on == {}
    assert found["openvino"].runs_on == {"backend": "stand-in 1.0", "device": "none"}
    assert "no faster" in found["openvino"].set_aside
    assert found["cpu"].runs_on["threads"] == 1
