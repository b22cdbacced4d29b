"""Frames that are sent as text, as the threads of the stages make them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.errors import DeadlineError, OverBudgetError
from edge_daemon.pictures import to_png
from edge_daemon.prefilter import Prefilter
from edge_daemon.prefilter.regions import boxes_of, veil
from edge_daemon.semantic.coding import decode_payload
from edge_daemon.semantic.critic import Critic
from edge_daemon.semantic.refine import Refined
from edge_daemon.service.job import Finished, Job
from edge_daemon.service.texts import NO_PICTURE
from edge_daemon.service.work import Work
from edge_daemon.settings import Region, Settings
from edge_daemon.wire import Envelope, SemanticFacts, unpack_envelope
from models import Bundle, load_bundle
from support.frames_in_work import Shelf, job_of
from support.pictures import busy_picture
from support.stand_in_describer import NOTICE, WORDS, StandInDescriber
from support.tiny_bundle import make_tiny_bundle

PROMPT = "Where is the red sign?"
PICTURE = busy_picture(160, 120)
MASK = {"x": 0.5, "y": 0.0, "width": 0.5, "height": 0.5}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(make_tiny_bundle(tmp_path_factory.mktemp("bundle")), threads=1)


class Deaf(Shelf):
    """A stand-in for a way to a cloud whose word does not come back."""

    cloud_answers = False


class Wordy(StandInDescriber):
    """A stand-in for a describer whose peer writes what packs badly."""

    def describe(self, *arguments: Any, **options: Any) -> Refined:
        refined = super().describe(*arguments, **options)
        if options["at_once"]:
            return refined
        size = int(options["max_bytes"])
        noise = np.random.default_rng(0).integers(33, 127, size, dtype=np.uint8)
        return replace(refined, text=noise.tobytes().decode("ascii"))


class Bench:
    """The work, and what stands around it."""

    def __init__(
        self,
        bundle: Bundle,
        describer: StandInDescriber | None = None,
        shelf: Shelf | None = None,
        **tables: Any,
    ) -> None:
        self.settings = Settings.model_validate(tables)
        self.describer = describer or StandInDescriber()
        prefilter = Prefilter(bundle, self.settings.prefilter)
        self.work = Work(self.settings, prefilter, self.describer, shelf or Shelf())

    def opened(
        self, pixels: NDArray[np.uint8] = PICTURE, *, allowed_s: float = 60.0, **fields: Any
    ) -> Job:
        header: dict[str, Any] = {"mode": "semantic", "prompt": PROMPT} | fields
        return self.work.open(job_of(payload=to_png(pixels), allowed_s=allowed_s, **header))

    def finished(self, pixels: NDArray[np.uint8] = PICTURE, **fields: Any) -> Finished:
        job = self.opened(pixels, **fields)
        if job.plan is not None:
            (job.scores,) = self.work.score([job.plan])
        return self.work.finish(job)


def text_in(envelope: Envelope) -> str:
    return decode_payload(envelope.bitstream, envelope.header.codec).text


def told(done: Finished) -> SemanticFacts:
    """What the camera is told of the text; the envelope says the same."""
    facts = done.facts["semantic"]
    assert isinstance(facts, SemanticFacts)
    assert unpack_envelope(done.envelope).header.semantic == facts
    return facts


def test_a_text_is_searched_for_by_question_and_caption(bundle: Bundle) -> None:
    bench = Bench(bundle)
    done = bench.finished(prompt=[PROMPT, "Is it new?"], caption="a yard")
    (asked,) = bench.describer.asked
    assert (asked.questions, asked.caption) == ((PROMPT, "Is it new?"), "a yard")
    assert (asked.max_bytes, asked.time_s, asked.side, asked.at_once) == (400, None, None, True)
    envelope = unpack_envelope(done.envelope)
    assert text_in(envelope) == f"{PROMPT} Is it new? a yard {WORDS}"[:400].rstrip()
    assert told(done) == SemanticFacts(
        critic="tiny-colours", notice=NOTICE, refiner="phrases", text_score=0.25, pixels_kept=True
    )
    assert done.facts["codec"] == envelope.header.codec
    assert (envelope.header.width, envelope.header.height) == (160, 120)
    assert (done.facts["coded_width"], done.facts["coded_height"]) == (None, None)
    assert done.facts["report"]["prompts"][0]["text"] == "red sign"
    stages = ["open", "distil", "canvas", "compare", "encode", "smooth", "describe", "codec"]
    assert list(done.facts["timings_ms"]) == stages


def test_the_texts_envelope_has_nothing_that_can_be_spared(bundle: Bundle) -> None:
    header = unpack_envelope(Bench(bundle).finished().envelope).header
    assert header.relevance is None
    assert header.timings_ms == {}
    assert header.source_width is None


def test_a_question_is_no_condition(bundle: Bundle) -> None:
    bench = Bench(bundle)
    done = bench.finished(prompt="")
    assert bench.describer.asked[0].questions == ("",)
    assert done.spare is not None
    assert unpack_envelope(done.spare).header.mode == "plain"


def test_the_picture_is_kept_as_the_prefilter_with_such_tiles_would_send_it(
    bundle: Bundle,
) -> None:
    bench = Bench(bundle, prefilter={"overlap": 0.5})
    done, usual = (one.finished(codec="webp") for one in (bench, Bench(bundle)))
    filtered = bench.finished(mode="prefilter", codec="webp")
    assert done.spare is not None
    kept, sent = unpack_envelope(done.spare), unpack_envelope(filtered.envelope)
    assert kept.header.mode == "prefilter"
    assert kept.header.semantic is None
    assert kept.header.relevance == sent.header.relevance
    assert kept.bitstream == sent.bitstream
    assert usual.spare is not None
    assert unpack_envelope(usual.spare).bitstream == sent.bitstream
    assert filtered.spare is None


@pytest.mark.parametrize(
    ("tables", "shelf"), [({"semantic": {"keep_pixels": False}}, Shelf()), ({}, Deaf())]
)
def test_no_picture_is_kept_that_nobody_can_ask_for(
    bundle: Bundle, tables: dict[str, Any], shelf: Shelf
) -> None:
    done = Bench(bundle, shelf=shelf, **tables).finished()
    assert done.spare is None
    assert not told(done).pixels_kept


def test_the_operators_budget_bounds_the_picture_and_the_cameras_the_text(bundle: Bundle) -> None:
    roomy = Bench(bundle, rate={"budget_bytes": 9_000}).finished(budget_bytes=750)
    assert len(roomy.envelope) <= 750
    assert roomy.facts["budget_bytes"] == 750
    assert roomy.spare is not None
    assert 4_000 < len(roomy.spare) <= 9_000
    rate = {"budget_kbps": 32.0, "burst_s": 2.0}  # 8,000 bytes
    paced = Bench(bundle, rate=rate).finished()
    assert paced.spare is not None
    assert len(paced.spare) <= 8_000


@pytest.mark.parametrize("order", [["quality"], ["quality", "semantic"]])
def test_a_picture_that_cannot_be_kept_is_not_promised(
    bundle: Bundle, caplog: pytest.LogCaptureFixture, order: list[str]
) -> None:
    done = Bench(bundle, rate={"budget_bytes": 1_200, "order": order}).finished()
    assert done.spare is None
    assert not told(done).pixels_kept
    assert "event=no_spare client=cam" in caplog.text


def test_a_text_is_made_shorter_until_it_fits(bundle: Bundle) -> None:
    bench = Bench(bundle)
    free = bench.finished()
    tight = len(free.envelope) - 40
    done = bench.finished(budget_bytes=tight)
    assert tight - 40 <= len(done.envelope) <= tight
    assert 2 <= done.facts["encodes"] <= 4
    sizes = [asked.max_bytes or 0 for asked in bench.describer.asked[1:]]
    assert sizes == sorted(sizes, reverse=True)
    assert len(text_in(unpack_envelope(done.envelope))) == sizes[-1] < 400


@pytest.mark.parametrize("mask", [[], [MASK]])
def test_what_relevance_was_found_by_is_not_embedded_again(
    bundle: Bundle, mask: list[dict[str, float]]
) -> None:
    bench = Bench(bundle, prefilter={"mask": mask})
    bench.finished()
    (seen,) = bench.describer.seen
    assert seen is not None
    veiled = veil(PICTURE, boxes_of([Region.model_validate(one) for one in mask], 120, 160))
    anew = Critic(bundle).look(veiled, parts=40)
    assert seen.embeddings == pytest.approx(anew.parts, abs=1e-6)
    assert seen.boxes == pytest.approx(anew.boxes)


def test_a_picture_is_looked_at_once_for_all_searches(bundle: Bundle) -> None:
    bench = Bench(bundle)
    tight = len(bench.finished().envelope) - 40
    bench.finished(budget_bytes=tight)
    assert len(bench.describer.asked) > 2
    assert len(bench.describer.seen) == 2


@pytest.mark.parametrize(
    ("prefilter", "prompt"), [({}, ""), ({"mode": "reference"}, PROMPT)], ids=["alone", "reference"]
)
def test_other_tiles_or_none_are_no_help(
    bundle: Bundle, prefilter: dict[str, Any], prompt: str
) -> None:
    bench = Bench(bundle, prefilter=prefilter)
    bench.finished(prompt=prompt)
    assert bench.describer.seen == [None]


@pytest.mark.parametrize(("overlap", "again"), [(0.0, True), (0.5, False)])
def test_tiles_that_cut_things_are_no_help_where_a_text_takes_the_pictures_place(
    bundle: Bundle, overlap: float, again: bool
) -> None:
    order = ("quality", "smoothing", "scale", "semantic")
    bench = Bench(bundle, prefilter={"overlap": overlap}, rate={"order": order})
    done = bench.finished(mode="prefilter", budget_bytes=800)
    assert done.facts["mode"] == "semantic"
    (seen,) = bench.describer.seen
    assert (seen is None) == again


def test_what_not_even_the_shortest_text_fits_says_by_how_much(bundle: Bundle) -> None:
    describer = StandInDescriber(local=False)
    with pytest.raises(OverBudgetError, match=r"takes \d+ bytes, \d+ more than the 300 allowed"):
        Bench(bundle, describer).finished(budget_bytes=300)
    # Nobody is paid for what cannot fit.
    assert [(asked.max_bytes, asked.at_once) for asked in describer.asked] == [
        (400, True),
        (16, True),
    ]


def test_who_is_asked_is_told_how_much_room_there_is(bundle: Bundle) -> None:
    describer = StandInDescriber(local=False)
    free = Bench(bundle, describer).finished()
    assert [asked.at_once for asked in describer.asked] == [False]
    tight = len(free.envelope) - 40
    done = Bench(bundle, describer).finished(budget_bytes=tight)
    probe, asked = describer.asked[1:]
    assert (probe.max_bytes, probe.at_once) == (400, True)
    assert not asked.at_once
    assert 16 < (asked.max_bytes or 0) < 400
    assert len(done.envelope) <= tight
    assert told(done).refiner == "openai"


def test_whose_text_does_not_fit_is_not_asked_twice(bundle: Bundle) -> None:
    describer = Wordy(local=False)
    done = Bench(bundle, describer).finished(budget_bytes=700)
    assert len(done.envelope) <= 700
    assert [asked.at_once for asked in describer.asked] == [True, False, True]
    assert told(done).refiner == "phrases"


def test_a_search_that_asks_has_what_is_left_of_the_deadline(bundle: Bundle) -> None:
    describer = StandInDescriber(local=False)
    done = Bench(bundle, describer).finished(allowed_s=12.0)
    assert describer.asked[0].time_s == pytest.approx(11.5, abs=0.5)
    assert done.job.slow


def test_a_search_without_time_is_not_begun(bundle: Bundle) -> None:
    describer = StandInDescriber(local=False)
    with pytest.raises(DeadlineError, match="no time to ask for a text"):
        Bench(bundle, describer).finished(allowed_s=0.2)
    assert describer.asked == []


def test_frames_that_only_may_become_text_are_not_slow(bundle: Bundle) -> None:
    bench = Bench(bundle, StandInDescriber(local=False), rate={"order": ["quality", "semantic"]})
    assert bench.opened().slow
    assert not bench.opened(mode="prefilter").slow
    assert not Bench(bundle).opened().slow


def test_text_takes_the_place_of_a_picture_that_cannot_fit_and_nobody_is_asked(
    bundle: Bundle,
) -> None:
    describer = StandInDescriber(local=False)
    bench = Bench(bundle, describer, rate={"order": ["quality", "semantic"]})
    done = bench.finished(mode="prefilter", budget_bytes=800)
    assert len(done.envelope) <= 800
    assert done.facts["mode"] == "semantic"
    assert done.facts["encodes"] >= 2
    assert all(asked.at_once for asked in describer.asked)
    assert {asked.questions for asked in describer.asked} == {(PROMPT,)}
    facts = told(done)
    assert facts.notice == f"{NO_PICTURE}; {NOTICE}"
    assert not facts.pixels_kept
    assert done.spare is None


def test_a_plain_picture_is_sent_as_it_is_or_not_at_all(bundle: Bundle) -> None:
    bench = Bench(bundle, rate={"order": ["quality", "semantic"]})
    with pytest.raises(OverBudgetError):
        bench.finished(mode="plain", budget_bytes=800)
    assert bench.describer.asked == []


@pytest.mark.parametrize("fields", [{}, {"mode": "prefilter", "budget_bytes": 800}])
def test_masked_regions_are_shown_to_nobody(bundle: Bundle, fields: dict[str, Any]) -> None:
    rate = {"order": ["quality", "semantic"]}
    bench = Bench(bundle, prefilter={"mask": [MASK]}, rate=rate)
    done = bench.finished(**fields)
    assert done.facts["mode"] == "semantic"
    veiled = veil(PICTURE, boxes_of([Region.model_validate(MASK)], 120, 160))
    assert not np.array_equal(veiled, PICTURE)
    for asked in bench.describer.asked:
        assert np.array_equal(asked.pixels, veiled)


@pytest.mark.parametrize("kind", ["thumbnail", "sketch"])
def test_side_information_tells_nothing_of_what_is_masked(bundle: Bundle, kind: str) -> None:
    bench = Bench(bundle, prefilter={"mask": [MASK]}, semantic={"side": kind})
    other = np.array(PICTURE, np.uint8)
    # Other details with the same means, which are all that a veil lets through.
    other[:60, 80:] = other[:60, 80:].reshape(3, 20, 80, 3)[:, ::-1].reshape(60, 80, 3)
    told: list[NDArray[np.uint8]] = []
    for pixels in (PICTURE, other):
        envelope = unpack_envelope(bench.finished(pixels).envelope)
        side = decode_payload(envelope.bitstream, envelope.header.codec).side
        assert side is not None
        told.append(side.pixels)
    assert np.array_equal(told[0], told[1])
