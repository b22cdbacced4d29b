from __future__ import annotations

import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.errors import DecodeError
from edge_daemon.wire import Envelope, SemanticFacts, pack_envelope, seal, unpack_envelope
from edge_daemon.wire.jsontext import dump_object


def sealed(bitstream: bytes = b"bits and pieces", **changes: Any) -> Envelope:
    facts: dict[str, Any] = {
        "client": "gate-3",
        "sequence": 7,
        "mode": "prefilter",
        "prompts": ["Где велосипед?"],
        "codec": {"id": "jpeg", "quality": 80},
        "width": 3,
        "height": 2,
        "source_bytes": 18,
        "relevance": {"grid": [1, 1]},
        "timings_ms": {"encode": 0.5},
    }
    return seal(bitstream, **facts | changes)


def with_header(header: dict[str, Any], bitstream: bytes) -> bytes:
    text = dump_object(header)
    preamble = struct.pack("<4sB3sII", b"EDGE", 1, bytes(3), len(text), zlib.crc32(text))
    return preamble + text + bitstream


@given(st.binary(max_size=300), st.text(max_size=50))
@settings(deadline=None, max_examples=50)
def test_round_trip(bitstream: bytes, prompt: str) -> None:
    envelope = sealed(bitstream, prompts=[prompt])
    assert unpack_envelope(pack_envelope(envelope)) == envelope


FACTS = SemanticFacts(critic="tiny", refiner="phrases", text_score=0.25)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, b'"semantic":{"critic":"tiny","refiner":"phrases","text_score":0.25}'),
        ({"pixels_kept": True}, b'"text_score":0.25,"pixels_kept":true}'),
        ({"notice": "knows colours"}, b'{"critic":"tiny","notice":"knows colours",'),
        ({"generator": "directory", "image_score": 0.5}, b'"text_score":0.25,"image_score":0.5}'),
    ],
)
def test_of_a_text_only_what_is_unusual_is_told(changes: dict[str, Any], told: bytes) -> None:
    envelope = sealed(
        b"a red car",
        mode="semantic",
        codec={"id": "text"},
        semantic=FACTS.model_copy(update=changes),
        relevance=None,
        timings_ms={},
    )
    packed = pack_envelope(envelope)
    assert unpack_envelope(packed) == envelope
    assert told in packed
    assert not any(name in packed for name in (b"null", b"relevance", b"timings_ms"))


def test_a_picture_says_nothing_of_texts() -> None:
    packed = pack_envelope(sealed(relevance=None))
    assert b"semantic" not in packed
    assert b'"relevance":null' in packed


PACKED = pack_envelope(sealed())


@given(st.integers(0, len(PACKED) * 8 - 1))
@settings(deadline=None, max_examples=200)
def test_no_flipped_bit_goes_unseen(bit: int) -> None:
    damaged = bytearray(PACKED)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DecodeError):
        unpack_envelope(bytes(damaged))


@given(st.integers(0, len(PACKED) - 1))
@settings(deadline=None, max_examples=100)
def test_no_truncation_goes_unseen(length: int) -> None:
    with pytest.raises(DecodeError):
        unpack_envelope(PACKED[:length])


def test_what_follows_the_bitstream_is_not_ignored() -> None:
    with pytest.raises(DecodeError, match=r"announced 15 bytes.*got 16 bytes"):
        unpack_envelope(PACKED + b"x")


@given(st.binary(max_size=100))
@settings(deadline=None, max_examples=100)
def test_any_bytes_give_a_typed_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        unpack_envelope(data)


def test_a_huge_announced_header_allocates_nothing() -> None:
    with pytest.raises(DecodeError, match="truncated"):
        unpack_envelope(struct.pack("<4sB3sII", b"EDGE", 1, bytes(3), 2**32 - 1, 0) + b"{}")


@pytest.mark.parametrize(
    "change",
    [
        {"client": "../../root"},
        {"client": ".hidden"},
        {"client": "a/b"},
        {"sequence": -1},
        {"width": 0},
        {"height": "2"},
        {"version": 2},
        {"codec": "jpeg"},
        {"bitstream_sha256": "F" * 64},
    ],
)
def test_a_header_that_says_nonsense_is_refused(change: dict[str, Any]) -> None:
    envelope = sealed()
    header = envelope.header.model_dump() | change
    with pytest.raises(DecodeError, match=next(iter(change))):
        unpack_envelope(with_header(header, envelope.bitstream))


def test_facts_from_the_future_are_ignored() -> None:
    envelope = sealed()
    header = envelope.header.model_dump() | {"humidity": 0.7}
    assert unpack_envelope(with_header(header, envelope.bitstream)) == envelope


def test_verify_sees_another_bitstream() -> None:
    envelope = sealed()
    with pytest.raises(DecodeError, match="SHA-256"):
        Envelope(envelope.header, envelope.bitstream[::-1]).verify()
