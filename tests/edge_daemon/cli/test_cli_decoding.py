"""`edge-daemon decode`, through the command line's own front door."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.codecs import get_codec
from edge_daemon.pictures import open_picture
from edge_daemon.prefilter import Prefilter
from edge_daemon.semantic.coding import TextCoding, decode_payload, encode_payload
from edge_daemon.settings import PrefilterSettings
from edge_daemon.settings.semantic import SideName
from support.pictures import busy_picture
from support.sealed import sealed_text

Edge = Callable[..., str]

TEXT = "A red bicycle leans on a wall, and a dog sleeps in the shade of a tree: où ?"


def pixels_of(file: Path) -> NDArray[np.uint8]:
    return open_picture(file.read_bytes()).pixels


def test_envelope_and_decode(edge: Edge, bundle: Path, photo: Path, tmp_path: Path) -> None:
    envelope, decoded = (tmp_path / name for name in ("f.edge", "d.png"))
    common = ("--prompt", "red", "--bundle", bundle, "--allocation", "smooth")
    edge("filter", photo, *common, "--codec", "hevc", "--quality", "20", "-o", envelope)
    said = edge("decode", envelope, "-o", decoded)
    assert "hevc (quality 20" in said
    codec, settings = (
        get_codec({"id": "hevc", "quality": 20}),
        PrefilterSettings(allocation="smooth"),
    )
    prefilter = Prefilter.from_bundle(bundle, settings)
    filtered, _ = prefilter(pixels_of(photo), "red", quantiser=codec.quantiser)
    expected = codec.decode(codec.encode(filtered), width=601, height=301)
    np.testing.assert_array_equal(pixels_of(decoded), expected)


def test_decode_refuses_a_damaged_envelope(
    edge: Edge, bundle: Path, photo: Path, tmp_path: Path
) -> None:
    envelope = tmp_path / "f.edge"
    edge("filter", photo, "--prompt", "red", "--bundle", bundle, "-o", envelope)
    data = bytearray(envelope.read_bytes())
    data[-10] ^= 1
    envelope.write_bytes(data)
    said = edge("decode", envelope, "-o", tmp_path / "d.png", fails=1)
    assert "SHA-256" in said
    assert not (tmp_path / "d.png").exists()


@pytest.mark.parametrize("side", ["none", "thumbnail", "sketch"])
def test_a_text_and_what_is_beside_it(edge: Edge, tmp_path: Path, side: SideName) -> None:
    bitstream, codec = encode_payload(TEXT, busy_picture(64, 48), TextCoding(side=side))
    envelope, output = tmp_path / "f.edge", tmp_path / "scene.txt"
    envelope.write_bytes(sealed_text(1, bitstream, codec=codec, scores=(0.25, 0.75)))
    said = edge("decode", envelope, "-o", output)
    assert output.read_text("utf-8") == TEXT
    payload = decode_payload(bitstream, codec)
    assert f"text, {payload.text_bytes} bytes" in said
    assert "16 x 12 pixels" in said
    assert f"{8 * len(bitstream) / (16 * 12):.3f} bits per source pixel" in said
    assert "text against picture 0.250, drawing against picture 0.750, judged by tiny" in said
    assert "knows colours, not things" in said
    pictures = sorted(path.name for path in tmp_path.glob("*.png"))
    if payload.side is None:
        assert pictures == []
        return
    assert pictures == [f"scene.{side}.png"]
    assert f"and {side}, {len(payload.side_bytes)} bytes" in said
    np.testing.assert_array_equal(pixels_of(tmp_path / pictures[0]), payload.side.pixels)


def test_a_text_of_an_older_daemon(edge: Edge, tmp_path: Path) -> None:
    (tmp_path / "f.edge").write_bytes(sealed_text(1, TEXT, semantic=None))
    said = edge("decode", tmp_path / "f.edge", "-o", tmp_path / "f.txt")
    assert (tmp_path / "f.txt").read_text("utf-8") == TEXT
    assert "cosine" not in said


def test_a_text_is_no_png(edge: Edge, tmp_path: Path) -> None:
    (tmp_path / "f.edge").write_bytes(sealed_text(1))
    said = edge("decode", tmp_path / "f.edge", "-o", tmp_path / "f.png", fails=1)
    assert "decoded to a .txt file" in said
    assert not (tmp_path / "f.png").exists()
