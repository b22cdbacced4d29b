from __future__ import annotations

import asyncio

from edge_daemon.service.batching import Batcher
from support.frames_in_work import job_of

PATIENCE_S = 30.0
LONG_S = 3600.0


async def gathered(batcher: Batcher) -> list[int]:
    batch = await asyncio.wait_for(batcher.gather(), PATIENCE_S)
    return [job.header.sequence for job in batch]


async def put(batcher: Batcher, *sequences: int) -> None:
    for sequence in sequences:
        await batcher.put(job_of(sequence=sequence))


async def test_all_who_wait_share_a_call_up_to_its_size() -> None:
    batcher = Batcher(3, 0.0)
    await put(batcher, 1, 2, 3)
    assert len(batcher) == 3
    assert await gathered(batcher) == [1, 2, 3]
    await put(batcher, 4)
    assert await gathered(batcher) == [4]


async def test_nobody_is_waited_for_unless_the_operator_says_so() -> None:
    batcher = Batcher(3, 0.0)
    await put(batcher, 1)
    with batcher.coming():
        assert await gathered(batcher) == [1]


async def test_a_frame_that_has_the_encoder_is_waited_for() -> None:
    batcher = Batcher(3, 0.0)
    with batcher.encoder_taken():
        await put(batcher, 1)
        batch = asyncio.create_task(gathered(batcher))
        await put(batcher, 2)
        await asyncio.sleep(0)
        assert len(batcher) == 2
    assert await batch == [1, 2]


async def test_nobody_is_waited_for_when_nobody_is_coming() -> None:
    batcher = Batcher(3, LONG_S)
    await put(batcher, 1)
    assert await gathered(batcher) == [1]


async def test_who_is_on_the_way_is_waited_for() -> None:
    batcher = Batcher(3, LONG_S)
    await put(batcher, 1)
    with batcher.coming():
        batch = asyncio.create_task(gathered(batcher))
        await asyncio.sleep(0)
        assert not batch.done()
        await put(batcher, 2)
    assert await batch == [1, 2]


async def test_a_full_batch_waits_for_nobody() -> None:
    batcher = Batcher(2, LONG_S)
    await put(batcher, 1, 2)
    with batcher.coming():
        assert await gathered(batcher) == [1, 2]


async def test_who_turns_out_not_to_come_is_waited_for_no_longer() -> None:
    batcher = Batcher(3, LONG_S)
    await put(batcher, 1)
    with batcher.coming():
        batch = asyncio.create_task(gathered(batcher))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not batch.done()
    assert await batch == [1]


async def test_the_wait_is_bounded() -> None:
    batcher = Batcher(3, 0.02)
    await put(batcher, 1)
    with batcher.coming():
        assert await gathered(batcher) == [1]
