from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.errors import BadPixelsError, DecodeError, EncodeError, UnknownCodecError
from edge_daemon.semantic.coding import (
    Payload,
    TextCoding,
    decode_payload,
    encode_payload,
    packed_bytes,
    side_of,
)
from edge_daemon.semantic.coding.packing import MOST_BYTES
from edge_daemon.semantic.coding.text_model import VERSION
from edge_daemon.semantic.side import SideKind
from edge_daemon.settings.semantic import Packing, SideName
from support.pictures import busy_picture

TEXT = "A yellow tram at a stop, two people at the left."
PICTURE = busy_picture(160, 120)
PACKINGS: tuple[Packing, ...] = ("none", "packed")
SIDES: tuple[SideName, ...] = ("none", "thumbnail", "sketch")
KINDS: tuple[SideKind, ...] = ("thumbnail", "sketch")
CONFIGS: list[dict[str, Any]] = [{"id": "text"}] + [
    {"id": "text", "packing": packing, "side": side, **model}
    for packing, model in (("none", {}), ("packed", {"model": VERSION}))
    for side in SIDES
]
ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=60)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("packing", PACKINGS)
def test_text_and_side_information_come_back(packing: Packing, side: SideName) -> None:
    bitstream, config = encode_payload(TEXT, PICTURE, TextCoding(packing, side))
    found = decode_payload(bitstream, config)
    assert found.text == TEXT
    assert found.text_bytes == (packed_bytes(TEXT) if packing == "packed" else len(TEXT))
    if side == "none":
        assert found.side is None
        assert found.side_bytes == b""
        assert len(bitstream) == found.text_bytes
    else:
        coded, expected = side_of(PICTURE, side)
        assert found.side is not None
        assert found.side_bytes == coded
        assert found.side.kind == side
        assert (found.side.pixels == expected.pixels).all()
        assert len(bitstream) == 1 + found.text_bytes + len(coded)


@given(ANY_TEXT, st.sampled_from(PACKINGS))
@settings(deadline=None)
def test_any_text_comes_back_and_packing_never_costs_a_byte(text: str, packing: Packing) -> None:
    bitstream, config = encode_payload(text, None, TextCoding(packing))
    assert decode_payload(bitstream, config).text == text
    assert len(bitstream) <= len(text.encode())


def test_the_configuration_says_all_that_is_needed() -> None:
    expected = {"id": "text", "packing": "packed", "model": VERSION, "side": "sketch"}
    assert encode_payload(TEXT, PICTURE, TextCoding("packed", "sketch"))[1] == expected


def test_without_packing_and_side_the_bitstream_is_plain_utf_8() -> None:
    bitstream, config = encode_payload("Straße, 3 °C", None, TextCoding("none"))
    assert bitstream == "Straße, 3 °C".encode()
    for one in (config, {"id": "text"}):
        assert decode_payload(bitstream, one).text == "Straße, 3 °C"


@pytest.mark.parametrize("text", ["", "猫", "\x00\x01\x02", "x" * (MOST_BYTES + 1)])
def test_what_packing_does_not_shorten_goes_as_it_is_and_says_so(text: str) -> None:
    bitstream, config = encode_payload(text, None, TextCoding("packed"))
    assert config == {"id": "text", "packing": "none", "side": "none"}
    assert bitstream == text.encode()
    assert packed_bytes(text) == len(bitstream)


def test_side_information_that_is_coded_already_is_not_coded_again() -> None:
    coded, _ = side_of(PICTURE, "sketch")
    with_pixels = encode_payload(TEXT, PICTURE, TextCoding("packed", "sketch"))
    assert encode_payload(TEXT, None, TextCoding("packed", "sketch"), side_bytes=coded) == (
        with_pixels
    )


@pytest.mark.parametrize("kind", KINDS)
def test_side_information_needs_a_picture(kind: SideKind) -> None:
    with pytest.raises(BadPixelsError, match=kind):
        encode_payload(TEXT, None, TextCoding("packed", kind))


@pytest.mark.parametrize("packing", PACKINGS)
def test_half_a_surrogate_pair_is_refused(packing: Packing) -> None:
    with pytest.raises(EncodeError, match="surrogates"):
        encode_payload("a\ud800b", None, TextCoding(packing))
    with pytest.raises(EncodeError, match="surrogates"):
        packed_bytes("\udfff")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (2000, 1), (3, 4000)])
def test_odd_sizes_come_back(kind: SideKind, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    coding = TextCoding("packed", kind)
    found = decode_payload(*encode_payload(TEXT, pixels, coding))
    assert found.side is not None
    height, width = found.side.pixels.shape[:2]
    assert (height <= width) == (shape[0] <= shape[1])


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({}, UnknownCodecError),
        ({"id": "jpeg"}, UnknownCodecError),
        ({"id": ["text"]}, UnknownCodecError),
        ({"id": "text", "packing": "zstd"}, DecodeError),
        ({"id": "text", "packing": []}, DecodeError),
        ({"id": "text", "packing": "packed"}, DecodeError),
        ({"id": "text", "packing": "packed", "model": VERSION + 1}, DecodeError),
        ({"id": "text", "side": "depth"}, DecodeError),
        ({"id": "text", "side": {}}, DecodeError),
        ({"id": "text", "quality": 3}, DecodeError),
    ],
)
def test_unknown_configurations_are_refused(config: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        decode_payload(b"text", config)


@pytest.mark.parametrize(
    ("bitstream", "side"),
    [
        (b"\xff\xfe", "none"),  # not UTF-8
        (b"", "thumbnail"),  # no length
        (b"\x05abc", "sketch"),  # a text longer than the rest
        (b"\x03abc", "sketch"),  # no sketch
        (b"\x03abc", "thumbnail"),
        (b"\x83\x00abc\x00\x00", "sketch"),  # a length in more bytes than it needs
    ],
)
def test_damaged_bitstreams_are_refused(bitstream: bytes, side: SideName) -> None:
    with pytest.raises(DecodeError):
        decode_payload(bitstream, {"id": "text", "side": side})


@given(st.binary(max_size=80), st.sampled_from(CONFIGS))
@settings(deadline=None)
def test_any_bytes_are_decoded_or_refused(bitstream: bytes, config: dict[str, Any]) -> None:
    assert_decoded_or_refused(bitstream, config)


@given(st.data(), st.sampled_from(PACKINGS), st.sampled_from(SIDES))
@settings(deadline=None, max_examples=80)
def test_flipped_bits_are_refused_or_give_something_else(
    data: st.DataObject, packing: Packing, side: SideName
) -> None:
    side_bytes = None if side == "none" else side_of(PICTURE, side)[0]
    bitstream, config = encode_payload(TEXT, None, TextCoding(packing, side), side_bytes=side_bytes)
    damaged = bytearray(bitstream)
    for bit in data.draw(st.sets(st.integers(0, 8 * len(damaged) - 1), min_size=1, max_size=4)):
        damaged[bit // 8] ^= 1 << bit % 8
    found = assert_decoded_or_refused(bytes(damaged), config)
    if found is not None:
        assert (found.text, found.side_bytes) != (TEXT, side_bytes or b"")


def assert_decoded_or_refused(bitstream: bytes, config: dict[str, Any]) -> Payload | None:
    try:
        found = decode_payload(bitstream, config)
    except DecodeError:
        return None
    if found.side is not None:
        assert found.side.pixels.dtype == np.uint8
        assert max(found.side.pixels.shape) <= 256
    return found
