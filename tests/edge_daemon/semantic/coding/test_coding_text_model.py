from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.semantic.coding.text_model import END, PRIMER, TextModel, primed

ANY_BYTES = st.binary(max_size=300)


@given(ANY_BYTES)
def test_after_anything_every_byte_keeps_a_share(history: bytes) -> None:
    model = TextModel(primed())
    for byte in history:
        model.learn(byte)
    sizes = model.sizes()
    assert sizes.shape == (256,)
    assert sizes.min() >= 1
    assert sizes.sum() < 2**25


def test_one_byte_a_million_times_overflows_nothing() -> None:
    model = TextModel({}, weight=1000)
    for _ in range(1000):
        model.learn(7)
    sizes = model.sizes()
    assert sizes.argmax() == 7
    assert sizes.min() >= 1
    assert sizes.sum() < 2**25


def test_what_the_primer_says_is_expected() -> None:
    model = TextModel(primed())
    for byte in b"A man is standing in front o":
        model.learn(byte)
    assert bytes([int(model.sizes().argmax())]) == b"f"


def test_a_text_is_expected_to_end_behind_a_full_stop_and_not_within_a_word() -> None:
    model = TextModel(primed())
    shares: list[float] = []
    for byte in b"A dog is running on the beach.":
        sizes = model.sizes()
        shares.append(sizes[END] / sizes.sum())
        model.learn(byte)
    sizes = model.sizes()
    assert sizes[END] / sizes.sum() > 0.5
    assert max(shares[4:]) < 0.1


def test_what_a_text_repeats_is_expected_more() -> None:
    model, share = TextModel(primed()), list[float]()
    for byte in b"zyxwvu" * 3:
        sizes = model.sizes()
        share.append(sizes[byte] / sizes.sum())
        model.learn(byte)
    assert max(share[:6]) < 0.2
    assert min(share[14:]) > 0.5


def test_a_text_teaches_later_ones_nothing() -> None:
    before = dict(primed())
    model = TextModel(primed())
    for byte in b"Nothing of this stays. Nothing of this stays.":
        model.learn(byte)
    assert primed() == before
    assert (TextModel(primed()).sizes() == TextModel(primed()).sizes()).all()
    assert (TextModel(primed()).sizes() != model.sizes()).any()


def test_the_primer_is_plain_lines_without_repeats() -> None:
    lines = PRIMER.read_text(encoding="ascii").split("\n")
    assert lines.pop() == ""
    assert all(line == line.strip() and line for line in lines)
    assert len(set(lines)) == len(lines)
