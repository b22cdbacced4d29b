from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.errors import DecodeError
from edge_daemon.semantic.coding import packing
from edge_daemon.semantic.coding.packing import pack, unpack
from edge_daemon.semantic.coding.text_model import PRIMER, VERSION, primed

GOLDEN = Path(__file__).parent / "golden" / f"packed-model-{VERSION}.json"
"""The primer of model `VERSION`, and what it makes of some texts. If these no longer hold, the
format has changed: raise `VERSION`, and write such a file in place of this one."""

CAPTIONS = (
    "An umpire crouches behind home plate while the pitcher winds up.",
    "Two kittens sharing a cardboard box on a kitchen floor.",
    "A commuter train crossing a steel bridge over a wide river at dusk.",
    "A woman slicing lemons next to a pitcher of iced tea.",
    "Rows of empty benches in a station hall, a janitor mopping the floor.",
    "a skateboarder grinds a rail while his friends film him",
    "Three hikers with red backpacks rest on a boulder above the clouds.",
    "A delivery van blocks the bike lane outside a flower shop.",
)
PROMPT = (
    "perhaps blue suitcase on the right. airport hall, four people in the middle, robot at the "
    "bottom left, silver luggage cart next to bench on the left, screen with text at the top, "
    "artificial light"
)


@given(st.text(st.characters(codec="utf-8"), max_size=120))
@settings(deadline=None)
def test_any_text_comes_back(text: str) -> None:
    assert unpack(pack(text.encode())) == text.encode()


def test_captions_take_less_than_a_third_and_prompts_less_than_a_fifth_of_utf_8() -> None:
    packed = [pack(caption.encode()) for caption in CAPTIONS]
    assert sum(map(len, packed)) < sum(map(len, CAPTIONS)) / 3
    assert len(pack(PROMPT.encode())) < len(PROMPT) / 5
    assert not any(text in PRIMER.read_text(encoding="utf-8") for text in (*CAPTIONS, PROMPT))


def test_this_model_packs_as_it_always_has() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    lines = PRIMER.read_bytes().splitlines()
    assert hashlib.sha256(b"\n".join(lines)).hexdigest() == golden["primer_sha256"]
    assert len(golden["texts"]) >= 5
    for text, packed in golden["texts"].items():
        assert pack(text.encode()).hex() == packed
        assert unpack(bytes.fromhex(packed)).decode() == text


def test_threads_that_begin_at_once_agree() -> None:
    primed.cache_clear()
    texts = [text.encode() for text in (*CAPTIONS, PROMPT)] * 2
    with ThreadPoolExecutor(4) as pool:
        packed = list(pool.map(pack, texts))
    assert packed == [pack(text) for text in texts]


@pytest.mark.parametrize("caption", CAPTIONS[:2])
def test_each_flipped_bit_is_refused_or_gives_another_text(caption: str) -> None:
    packed = pack(caption.encode())
    for bit in range(8 * len(packed)):
        damaged = bytearray(packed)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert unpack(bytes(damaged)) != caption.encode()
        except DecodeError:
            continue


def test_a_truncated_text_is_refused_or_another_one() -> None:
    packed = pack(PROMPT.encode())
    for kept in range(len(packed)):
        try:
            assert unpack(packed[:kept]) != PROMPT.encode()
        except DecodeError:
            continue


@pytest.mark.parametrize("more", [1, 6, 1000])
def test_zeros_left_over_are_refused(more: int) -> None:
    for caption in CAPTIONS:
        with pytest.raises(DecodeError, match="left over"):
            unpack(pack(caption.encode()) + bytes(more))


def test_a_few_bytes_do_not_unpack_without_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MOST_BYTES", 1000)
    longest, longer = pack(b"a" * 1000), pack(b"a" * 1001)
    assert len(longest) < 20
    assert unpack(longest) == b"a" * 1000
    with pytest.raises(DecodeError, match="too long"):
        unpack(longer)
