"""Who is let in, with stages that never begin a frame."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from edge_daemon.errors import (
    BusyError,
    DroppedError,
    PayloadTooLargeError,
    SequenceError,
    SpoolFullError,
    UnsupportedError,
)
from edge_daemon.prefilter import Prefilter
from edge_daemon.service import admission as module
from edge_daemon.service.admission import Admission
from edge_daemon.service.memory import Entry, Memory
from edge_daemon.service.stages import Stages
from edge_daemon.settings import Settings
from edge_daemon.wire import FrameHeader
from models import Bundle, load_bundle
from support.frames_in_work import Notes, Shelf, header_of
from support.stand_in_describer import StandInDescriber
from support.tiny_bundle import make_tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    directory = tmp_path_factory.mktemp("bundle")
    make_tiny_bundle(directory)
    return load_bundle(directory, threads=1)


class Door:
    """Admission, and what stands behind it."""

    def __init__(self, bundle: Bundle, shelf: Shelf | None = None, **tables: Any) -> None:
        settings = Settings.model_validate(tables)
        self.shelf = shelf or Shelf()
        self.notes = Notes()
        self.counters: Counter[str] = Counter()
        self.memory = Memory()
        self.stages = Stages(
            settings,
            Prefilter(bundle),
            StandInDescriber(),
            self.memory,
            self.shelf,
            self.counters,
            telemetry=self.notes,
        )
        self.admission = Admission(
            settings, self.memory, self.stages, self.shelf, self.counters, telemetry=self.notes
        )

    def admit(self, header: FrameHeader, payload: bytes = b"picture") -> Entry:
        return self.admission.admit(header, payload)[0]


async def test_who_sends_too_often_is_told_when_to_come_again(bundle: Bundle) -> None:
    door = Door(bundle, cameras=[{"match": "cam", "max_frames_per_s": 0.01}])
    door.admit(header_of(sequence=1))
    with pytest.raises(BusyError, match=r"0\.01 frames per second") as caught:
        door.admit(header_of(sequence=2))
    assert caught.value.retry_after_s == pytest.approx(100.0, abs=5.0)
    door.admit(header_of("other", 2))
    assert door.notes.drops == [("rate", "cam")]


async def test_a_frame_that_is_refused_is_not_held_against_the_rate(bundle: Bundle) -> None:
    door = Door(bundle, Shelf(0), cameras=[{"max_frames_per_s": 0.01}])
    with pytest.raises(SpoolFullError):
        door.admit(header_of(sequence=1))
    door.shelf.free = 1
    door.admit(header_of(sequence=2))
    assert door.notes.drops == [("spool_full", "cam")]


async def test_each_client_has_its_own_limits(bundle: Bundle) -> None:
    door = Door(bundle, cameras=[{"match": "small", "max_payload_bytes": 3, "max_pixels": 7}])
    with pytest.raises(PayloadTooLargeError, match="limit of 3 bytes"):
        door.admit(header_of("small"))
    door.admit(header_of("large"))
    door.admit(header_of("small"), b"abc")
    jobs = [await door.stages.room.begin() for _ in range(2)]
    assert [job.limits.max_pixels for job in jobs] == [50_000_000, 7]


async def test_the_latest_frame_replaces_the_one_that_waits(bundle: Bundle) -> None:
    door = Door(bundle, Shelf(1), cameras=[{"latest_only": True}])
    first = door.admit(header_of(sequence=1))
    second = door.admit(header_of(sequence=2))
    third = door.admit(header_of(sequence=3))
    for replaced in (first, second):
        with pytest.raises(DroppedError, match="replaced by a newer frame") as caught:
            await replaced.outcome
        assert caught.value.retry_after_s is None
    assert not third.outcome.done()
    assert door.counters["frames_replaced"] == 2
    assert door.notes.drops == [("replaced", "cam")] * 2
    assert (await door.stages.room.begin()).header.sequence == 3
    # Its place on the uplink went from one to the next; there was only one all the time.
    assert door.shelf.free == 0
    assert door.memory.in_work == 1


async def test_a_replaced_frame_may_be_sent_again(bundle: Bundle) -> None:
    door = Door(bundle, cameras=[{"latest_only": True}])
    door.admit(header_of(sequence=1))
    door.admit(header_of(sequence=2))
    again = door.admit(header_of(sequence=1))
    assert not again.outcome.done()


async def test_a_greedy_client_leaves_room_for_others(bundle: Bundle) -> None:
    door = Door(bundle)
    for sequence in range(8):
        door.admit(header_of("greedy", sequence))
    with pytest.raises(BusyError, match="this client's frames"):
        door.admit(header_of("greedy", 8))
    door.admit(header_of("modest", 1))
    assert door.shelf.free == 10**6 - 9


async def test_what_would_miss_its_deadline_is_refused_before_it_costs_anything(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(bundle)
    for sequence in range(4):
        door.admit(header_of("cam", sequence))
    free = door.shelf.free

    looked_at: list[bytes] = []

    def costly(_: FrameHeader, payload: bytes) -> int:
        looked_at.append(payload)
        return 0

    monkeypatch.setattr(module, "fingerprint", costly)
    with pytest.raises(BusyError, match="leave no time for this one") as caught:
        door.admit(header_of("cam", 9, deadline_s=0.05))
    assert caught.value.retry_after_s is not None
    door.admission.close()  # waits for the thread that would look at them
    assert looked_at == []
    assert door.shelf.free == free
    assert door.notes.drops == [("deadline", "cam")]


async def test_a_repeat_takes_no_second_place(bundle: Bundle) -> None:
    door = Door(bundle, Shelf(1), cameras=[{"max_frames_per_s": 0.01}])
    first = door.admit(header_of(sequence=1))
    assert door.admit(header_of(sequence=1)) is first
    assert door.stages.room.frames == 1


async def test_a_number_belongs_to_one_frame(bundle: Bundle) -> None:
    door = Door(bundle)
    header = header_of(sequence=1)
    entry, copy = door.admission.admit(header, b"picture")
    assert copy is None
    for payload in (b"picture", b"another"):
        found, copy = door.admission.admit(header, payload)
        assert found is entry
        assert copy is not None
        if payload == b"picture":
            await door.admission.confirm(("cam", 1), entry, copy)
        else:
            with pytest.raises(SequenceError, match="got 1"):
                await door.admission.confirm(("cam", 1), entry, copy)
    assert door.counters["frames_repeated"] == 1


async def test_an_ack_from_the_spool_needs_one(bundle: Bundle) -> None:
    with pytest.raises(UnsupportedError, match="no spool on disk"):
        Door(bundle).admit(header_of(ack="spooled"))
    assert not Door(bundle, spool={"directory": "spool"}).admit(header_of(ack="spooled")).waiting


@pytest.mark.parametrize(
    ("default", "kept"),
    [({"id": "webp", "quality": 7}, {"id": "webp", "quality": 7}), ({"id": "cheng2020"}, {})],
)
async def test_the_picture_that_is_kept_for_a_text_is_in_a_codec_that_is_exact_anywhere(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, default: dict[str, Any], kept: dict[str, Any]
) -> None:
    monkeypatch.setattr(module, "check_able", _any)
    door = Door(bundle, codec=default)
    door.shelf.cloud_answers = False
    learned = {"id": "cheng2020", "quality": 3}
    door.admit(header_of(sequence=1, mode="semantic", codec=learned))
    job = await door.stages.room.begin()
    assert job.codec.exact_everywhere
    assert job.asked == (kept or {"id": "jpeg"})
    with pytest.raises(UnsupportedError, match="learned codec"):
        door.admit(header_of(sequence=2, codec=learned))


async def test_the_frames_own_codec_is_that_of_the_kept_picture(bundle: Bundle) -> None:
    door = Door(bundle)
    door.admit(header_of(mode="semantic", codec={"id": "webp", "quality": 9}))
    job = await door.stages.room.begin()
    assert job.codec.get_config()["quality"] == 9
    assert job.asked == {"id": "webp", "quality": 9}


def _any(*_: object) -> None:
    """Every codec can encode here."""
