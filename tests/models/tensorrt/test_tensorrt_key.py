from __future__ import annotations

from dataclasses import replace

import pytest

from models.tensorrt.buckets import BUCKETS, bucket_for
from models.tensorrt.driver import Gpu
from models.tensorrt.key import BuildOptions, EngineKey

GPU = Gpu("Orin", (8, 7), 8, 8 << 30, "12.6")
KEY = EngineKey.of(b"graph", "10.3.0", GPU)


@pytest.mark.parametrize(
    "other",
    [
        EngineKey.of(b"another graph", "10.3.0", GPU),
        EngineKey.of(b"graph", "10.3.1", GPU),
        EngineKey.of(b"graph", "10.3.0", replace(GPU, capability=(8, 6))),
        EngineKey.of(b"graph", "10.3.0", replace(GPU, processors=14)),
        replace(KEY, buckets=(8, 16)),
        replace(KEY, options=replace(KEY.options, optimization_level=4)),
        replace(KEY, options=replace(KEY.options, workspace_bytes=1 << 20)),
    ],
)
def test_whatever_an_engine_depends_on_changes_its_name(other: EngineKey) -> None:
    assert other.file_name != KEY.file_name


def test_what_it_does_not_depend_on_does_not() -> None:
    renamed = replace(GPU, name="another", driver="12.8", memory_bytes=(8 << 30) - 123_456)
    assert EngineKey.of(b"graph", "10.3.0", renamed).options.workspace_bytes == 1 << 30
    assert EngineKey.of(b"graph", "10.3.0", replace(GPU, name="another", driver="12.8")) == KEY


def test_the_name_can_be_read() -> None:
    assert KEY.file_name.startswith("image-trt10.3.0-sm87x8-")
    assert KEY.timing_cache_name == "timing-trt10.3.0-sm87x8.cache"


@pytest.mark.parametrize(
    ("memory", "workspace"), [(4 << 30, 1 << 30), (7 << 30, 1 << 30), (80 << 30, 2 << 30)]
)
def test_workspace_is_a_quarter_of_the_memory_at_most(memory: int, workspace: int) -> None:
    assert BuildOptions.of(replace(GPU, memory_bytes=memory)).workspace_bytes == workspace


def test_the_smallest_bucket_that_holds_the_rows() -> None:
    assert [bucket_for(rows) for rows in (1, 8, 9, 16, 17, 24, 25, 40)] == [
        *(8, 8, 16, 16, 24, 24, 40, 40)
    ]
    with pytest.raises(ValueError, match="at most 40 rows, got 41"):
        bucket_for(BUCKETS[-1] + 1)
