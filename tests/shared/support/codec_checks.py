"""Strict checks that every codec must pass; each is stricter than any single test would be."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.codecs import Codec, codec_ids, get_codec
from edge_daemon.errors import BadPixelsError, BadQualityError, DecodeError
from support.pictures import busy_picture, psnr, smooth_picture

SIZES = [(1, 1), (2, 1), (1, 40), (17, 3), (31, 33), (64, 48), (101, 67)]
"""Widths and heights around every boundary: one pixel, odd, below and above a coding block."""

SATURATED = [(r, g, b) for r in (0, 255) for g in (0, 255) for b in (0, 255)]


def encoded_decoded(codec: Codec, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Through the codec and back, by way of its JSON configuration as at the receiving end."""
    bitstream = codec.encode(pixels)
    assert type(bitstream) is bytes
    assert codec.encode(pixels) == bitstream, "the same pixels gave other bytes"
    receiver = get_codec(json.loads(json.dumps(codec.get_config())))
    height, width = pixels.shape[:2]
    decoded = receiver.decode(bitstream, width=width, height=height)
    assert decoded.dtype == np.uint8
    assert decoded.shape == pixels.shape
    assert decoded.flags.c_contiguous
    assert decoded.flags.writeable
    return decoded


def check_round_trip(codec: Codec, *, smooth_error: int, busy_psnr: float) -> None:
    """Every size comes back exactly that size, and close to what it was.

    Args:
        codec: At its best quality.
        smooth_error: Most levels by which a channel of a soft gradient may be off.
        busy_psnr: Least PSNR of a noisy picture, in dB.
    """
    for width, height in SIZES:
        # 4:2:0 keeps one colour per 2x2 pixels: a gradient over very few pixels is not smooth
        pixels = smooth_picture(width, height)
        if min(width, height) < 24:
            pixels[:] = pixels[0, 0]
        error = np.abs(encoded_decoded(codec, pixels).astype(int) - pixels).max()
        assert error <= smooth_error, f"{width}x{height}: off by {error}"
    pixels = busy_picture(101, 67)
    before = np.array(pixels)
    assert psnr(encoded_decoded(codec, pixels), pixels) >= busy_psnr
    assert np.array_equal(pixels, before), "encoding changed its input"
    strided = busy_picture(80, 60)[::-2, ::2]
    assert np.array_equal(
        encoded_decoded(codec, strided), encoded_decoded(codec, np.ascontiguousarray(strided))
    )


def check_saturated_colours(codec: Codec, *, error: int) -> None:
    """Matrix and range are the same on both sides: primaries come back as they were."""
    for colour in SATURATED:
        pixels = np.full((48, 64, 3), colour, np.uint8)
        decoded = encoded_decoded(codec, pixels)
        assert np.abs(decoded.astype(int) - pixels).max() <= error, colour


def check_config(codec: Codec) -> None:
    """The configuration is JSON, complete, and gives back an equal codec; so does `repr`."""
    config = codec.get_config()
    assert json.loads(json.dumps(config)) == config
    assert config["id"] == codec.codec_id
    assert codec.codec_id in codec_ids()
    assert "quality" in config
    assert get_codec(config) == codec
    assert type(codec).from_config(config) == codec
    assert eval(repr(codec), {type(codec).__name__: type(codec)}) == codec
    assert pickle.loads(pickle.dumps(codec)) == codec
    assert hash(get_codec(config)) == hash(codec)
    assert get_codec({"id": codec.codec_id}) == type(codec)(), "defaults differ"
    with pytest.raises(dataclasses.FrozenInstanceError):
        codec.quality = 3  # type: ignore[attr-defined]
    with pytest.raises(BadQualityError, match=r"no such option.*qualty"):
        get_codec({"id": codec.codec_id, "qualty": 3})
    assert codec.media_type.count("/") == 1
    assert codec.file_suffix.startswith(".")


def check_quality_bounds(codec_id: str, low: int, high: int) -> None:
    """Both ends work; beyond them, and for anything that is no whole number, a typed error."""
    for quality in (low, high):
        pixels = smooth_picture(32, 32)
        assert encoded_decoded(get_codec({"id": codec_id, "quality": quality}), pixels).size
    refused: list[Any] = [low - 1, high + 1, 10**30, 7.0, float("nan"), True, "7", None, [7]]
    for value in refused:
        with pytest.raises(BadQualityError, match=f"{low} to {high}"):
            get_codec({"id": codec_id, "quality": value})


def check_bad_pixels(codec: Codec) -> None:
    """Only uint8 (H, W, 3) with at least one pixel is taken."""
    good = smooth_picture(8, 8)
    refused: list[Any] = [
        good.astype(np.uint16),
        good.astype(np.float32) / 255,
        good.astype(bool),
        good[..., 0],
        good[..., :2],
        np.dstack([good, good[..., :1]]),
        good[None],
        good[:0],
        good[:, :0],
        good.tolist(),
        None,
    ]
    for pixels in refused:
        with pytest.raises(BadPixelsError):
            codec.encode(pixels)


def check_bad_bitstreams(codec: Codec, *, mutations: int, seed: int = 0) -> None:
    """Whatever arrives is a picture of the announced size or a `DecodeError`."""
    good = codec.encode(busy_picture(48, 40))
    for width, height in ((50, 40), (48, 42), (8, 8), (400, 400), (47, 3)):
        with pytest.raises(DecodeError):
            codec.decode(good, width=width, height=height)
    for width, height in ((0, 40), (48, -1)):
        with pytest.raises(DecodeError, match="no pixels"):
            codec.decode(good, width=width, height=height)
    for bad in (b"", b"\x00", b"not a picture at all", good[:20], good[4:], bytes(400)):
        with pytest.raises(DecodeError):
            codec.decode(bad, width=48, height=40)
    rng = np.random.default_rng(seed)
    refused = 0
    for _ in range(mutations):
        damaged = bytearray(good)
        for at in rng.integers(0, len(damaged), rng.integers(1, 6)):
            damaged[at] ^= 1 << int(rng.integers(8))
        if rng.random() < 0.3:
            del damaged[int(rng.integers(1, len(damaged))) :]
        try:
            decoded = codec.decode(bytes(damaged), width=48, height=40)
        except DecodeError:
            refused += 1
        else:
            assert decoded.shape == (40, 48, 3)
    assert refused > 0


def check_golden(folder: Path, name: str) -> None:
    """A bitstream of an earlier version still decodes to the very same pixels.

    `name.json` holds the configuration, the size and the SHA-256 of the decoded pixels; the
    bitstream lies beside it.
    """
    facts = json.loads((folder / f"{name}.json").read_text())
    bitstream = (folder / facts["bitstream"]).read_bytes()
    decoded = get_codec(facts["config"]).decode(
        bitstream, width=facts["width"], height=facts["height"]
    )
    assert hashlib.sha256(decoded.tobytes()).hexdigest() == facts["pixels_sha256"]
