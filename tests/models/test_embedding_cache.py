from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.cache import EmbeddingCache


def _frozen(value: float) -> NDArray[np.float32]:
    array = np.full(4, value, dtype=np.float32)
    array.flags.writeable = False
    return array


def test_the_least_recently_used_entry_makes_room() -> None:
    cache = EmbeddingCache(2)
    cache.put(b"a", _frozen(1))
    cache.put(b"b", _frozen(2))
    assert cache.get(b"a") is not None
    cache.put(b"c", _frozen(3))
    assert cache.get(b"b") is None
    assert cache.get(b"a") is not None
    assert cache.get(b"c") is not None


def test_an_entry_that_a_caller_could_change_is_refused() -> None:
    with pytest.raises(ValueError, match="read-only"):
        EmbeddingCache(1).put(b"a", np.zeros(4, dtype=np.float32))


def test_a_cache_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        EmbeddingCache(0)


@settings(deadline=None, max_examples=50)
@given(
    capacity=st.integers(1, 4),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 6)), max_size=40),
)
def test_it_behaves_like_a_list_in_order_of_use(
    capacity: int, steps: list[tuple[bool, int]]
) -> None:
    cache = EmbeddingCache(capacity)
    model: list[int] = []
    for is_put, number in steps:
        key = bytes([number])
        if is_put:
            cache.put(key, _frozen(number))
            model = [*(n for n in model if n != number), number][-capacity:]
        else:
            found = cache.get(key)
            assert (found is not None) == (number in model)
            if found is not None:
                assert found[0] == number
                model = [*(n for n in model if n != number), number]
        assert len(cache) == len(model)


def test_many_threads_see_only_whole_right_entries() -> None:
    cache = EmbeddingCache(8)

    def work(seed: int) -> int:
        rng = np.random.default_rng(seed)
        wrong = 0
        for number in rng.integers(0, 20, size=500):
            key = bytes([number])
            found = cache.get(key)
            if found is None:
                cache.put(key, _frozen(float(number)))
            elif not np.array_equal(found, _frozen(float(number))):
                wrong += 1
        return wrong

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 0
    assert len(cache) == 8
