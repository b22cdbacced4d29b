"""What a search for breaking bytes has come upon, read again; `make fuzz` makes it grow."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.wire_fuzz import READERS, read_any

CORPUS = sorted((Path(__file__).parents[1] / "fuzz" / "corpus" / "wire").iterdir())


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.name)
def test_it_is_read_or_refused(file: Path) -> None:
    assert read_any(file.read_bytes()) in {"read", "refused"}


def test_every_reader_meets_something_that_it_reads() -> None:
    read = {data[0] % READERS for file in CORPUS if read_any(data := file.read_bytes()) == "read"}
    assert read == set(range(READERS))
