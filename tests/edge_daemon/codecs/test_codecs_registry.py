from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import numpy as np
import pytest

from edge_daemon.codecs import (
    Codec,
    codec_class,
    codec_ids,
    codec_status,
    get_codec,
    register_codec,
    registry,
)
from edge_daemon.codecs.abc import CodecStatus, Pixels
from edge_daemon.errors import DecodeError, UnknownCodecError, UnsupportedError
from edge_daemon.quantiser import QuantiserMap


@dataclass(frozen=True)
class Raw(Codec):
    """No compression at all."""

    quality: int = 0
    codec_id: ClassVar[str] = "test-raw"
    media_type: ClassVar[str] = "application/octet-stream"
    file_suffix: ClassVar[str] = ".raw"
    qualities: ClassVar[tuple[int, int]] = (0, 0)

    @classmethod
    def status(cls) -> CodecStatus:
        return CodecStatus("tobytes", "1")

    @property
    def coarseness(self) -> float:
        return 0.0

    def _encode(self, pixels: Pixels) -> bytes:
        return pixels.tobytes()

    def _decode(self, bitstream: bytes, width: int, height: int) -> Pixels:
        return np.frombuffer(bitstream, np.uint8).reshape(-1, width, 3)


@pytest.fixture(autouse=True)
def untouched_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_daemon.codecs.registry._loaded", {})


def install(monkeypatch: pytest.MonkeyPatch, codec_id: str, value: str) -> None:
    entries = [EntryPoint(codec_id, value, registry.GROUP)]

    def entry_points(*, group: str) -> list[EntryPoint]:
        return entries if group == "edge_daemon.codecs" else []

    monkeypatch.setattr(registry, "entry_points", entry_points)
    available = registry._available  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(registry, "_available", available.__wrapped__)


@pytest.mark.parametrize("codec_id", ["webm", "", "JPEG", None, 7, ["jpeg"]])
def test_unknown_codec_lists_what_there_is(codec_id: Any) -> None:
    with pytest.raises(UnknownCodecError, match=r"use one of: .*heif, hevc, jpeg") as caught:
        get_codec({"id": codec_id, "quality": 3})
    assert caught.value.to_dict()["value"] == (None if codec_id is None else repr(codec_id))


def test_a_configuration_without_an_id_is_refused() -> None:
    with pytest.raises(UnknownCodecError):
        get_codec({})


def test_a_registered_codec_is_found_and_replaced() -> None:
    register_codec(Raw)
    assert "test-raw" in codec_ids()
    assert get_codec({"id": "test-raw"}) == Raw()

    class Other(Raw):
        pass

    register_codec(Other)
    assert codec_class("test-raw") is Other


def test_the_base_class_guards_a_third_partys_codec() -> None:
    pixels = np.zeros((4, 5, 3), np.uint8)
    bitstream = Raw().encode(pixels)
    assert Raw().decode(bitstream, width=5, height=4).flags.writeable
    with pytest.raises(DecodeError, match=r"holds 5x4 pixels.*announced 5x3"):
        Raw().decode(bitstream, width=5, height=3)


def test_an_entry_point_is_loaded_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = codec_ids()
    install(monkeypatch, "other-jpeg", "edge_daemon.codecs.jpeg:Jpeg")
    assert codec_ids() == sorted([*ours, "other-jpeg"])
    assert codec_class("other-jpeg") is codec_class("jpeg")


def test_installing_a_package_does_not_change_what_ours_means(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch, "jpeg", "no_such_module_anywhere:Codec")
    assert get_codec({"id": "jpeg"}).media_type == "image/jpeg"


def test_an_entry_point_that_fails_costs_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "broken", "no_such_module_anywhere:Codec")
    with pytest.raises(UnknownCodecError, match=r"broken cannot be loaded.*no_such_module"):
        get_codec({"id": "broken"})
    assert get_codec({"id": "jpeg"}).codec_id == "jpeg"


def test_a_codec_without_a_map_refuses_one_by_name() -> None:
    offsets = QuantiserMap(np.ones((1, 1), np.float32))
    with pytest.raises(UnsupportedError, match=r"test-raw takes no quantiser map.*'smooth'"):
        Raw().encode(np.zeros((4, 4, 3), np.uint8), offsets)


def test_a_codec_that_cannot_be_loaded_says_so_in_its_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch, "fancy", "no_such_module_anywhere:Fancy")
    status = codec_status("fancy")
    assert "no_such_module_anywhere" in status.problem
    assert (status.encoder, status.version) == ("", "")
