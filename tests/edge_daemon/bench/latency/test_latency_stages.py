from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_daemon.bench.latency.stages import STAGES, measure_prompts, measure_stages
from edge_daemon.bench.latency.workload import Machinery, Size, new_prompts, pictures
from edge_daemon.codecs import codec_class, get_codec
from edge_daemon.errors import SettingsError
from edge_daemon.prefilter import Prefilter
from support.tiny_bundle import make_tiny_bundle

SIZE = Size(320, 240)


@pytest.fixture(scope="module")
def prefilter(tmp_path_factory: pytest.TempPathFactory) -> Prefilter:
    bundle = make_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")
    return Machinery(str(bundle), "cpu", 1, 12).prefilter()


def test_every_stage_of_every_codec_is_timed_in_every_round(prefilter: Prefilter) -> None:
    codecs = [get_codec({"id": name}) for name in ("webp", "jpeg")]
    rounds: list[None] = []
    found = measure_stages(prefilter, codecs, SIZE, 2, 1, lambda: rounds.append(None))
    assert [one.codec["id"] for one in found] == ["webp", "jpeg"]
    assert len(rounds) == 2
    for one in found:
        assert list(one.stages) == list(STAGES)
        assert {times.count for times in (*one.stages.values(), one.total)} == {2}
        assert one.tiles == 12
        assert one.total.p99 <= sum(times.p99 for times in one.stages.values())
        assert one.total.p99 >= max(times.p99 for times in one.stages.values())


def test_each_codec_gets_the_allocation_that_auto_is_for_it(prefilter: Prefilter) -> None:
    codecs = [get_codec({"id": name}) for name in ("webp", "jpeg")]
    spent = {
        one.codec["id"]: one.allocation for one in measure_stages(prefilter, codecs, SIZE, 1, 1)
    }
    mapped = codec_class("jpeg").takes_map()
    assert spent == {"webp": "smooth", "jpeg": "quantiser" if mapped else "smooth"}


def test_a_new_prompt_is_embedded_and_a_known_one_is_not(
    prefilter: Prefilter, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded: list[int] = []
    encode = prefilter.bundle._text.encode  # pyright: ignore[reportPrivateUsage]

    def counting(rows: np.ndarray) -> np.ndarray:
        embedded.append(len(rows))
        return encode(rows)

    monkeypatch.setattr(prefilter.bundle._text, "encode", counting)  # pyright: ignore[reportPrivateUsage]
    times = measure_prompts(prefilter, 4)
    assert embedded == [1] * 5
    assert (times.new.count, times.remembered.count) == (4, 4)


def test_new_prompts_never_repeat() -> None:
    prompts = list(new_prompts())
    assert len(set(prompts)) == len(prompts) > 1000


def test_pictures_differ_and_come_again_from_their_seed() -> None:
    first, again = pictures(SIZE, 3), pictures(SIZE, 3)
    assert [one.shape for one in first] == [(240, 320, 3)] * len(first)
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    later = [*first, *pictures(SIZE, 4)]
    assert len({one.tobytes() for one in later}) == len(later)


def test_library_and_daemon_get_the_same_settings(tmp_path: Path) -> None:
    from edge_daemon.config import load_settings

    machinery = Machinery("nano-icons", "cpu", 3, 24)
    file = tmp_path / "edge.toml"
    file.write_text(machinery.tables(), encoding="utf-8")
    settings = load_settings(file)
    assert settings.encoder.backend == "cpu"
    assert settings.stages.encoder_threads == 3
    assert settings.prefilter == machinery.prefilter().settings


@pytest.mark.parametrize("text", ["", "640", "640x", "x480", "31x480", "640x8193", "640x480x3"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="two whole numbers of pixels from 32 to 8192"):
        Size.parse(text)


def test_a_size_reads_as_it_is_written() -> None:
    assert Size.parse("1920x1080") == (1920, 1080)
    assert str(Size(1920, 1080)) == "1920x1080"
