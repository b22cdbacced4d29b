"""The loop climbs: on scenes of icons, with a stand-in that draws the icons that a text names."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from edge_daemon.demo.artist import IconArtist, wanted
from edge_daemon.demo.scenes import make_scene
from edge_daemon.semantic.brief import Brief
from edge_daemon.semantic.critic import Critic
from edge_daemon.semantic.refine import Limits, Refined, refine
from edge_daemon.semantic.refiners.phrases import PhraseRefiner
from edge_daemon.semantic.trace import Round
from edge_daemon.semantic.vocabulary import load_vocabulary
from models import load_bundle

SCENES = 10
SIDE, THINGS = 256, 6


@dataclass(frozen=True)
class Climb:
    """A search, and what was there to be found."""

    refined: Refined
    icons: frozenset[str]


def _image_score(climb: Climb) -> float:
    assert climb.refined.image_score is not None
    return climb.refined.image_score


def _drawn(one: Round) -> list[float]:
    """Scores of all drawings of a round."""
    return [drawing.score for candidate in one.candidates for drawing in candidate.drawings]


@pytest.fixture(scope="module")
def critic() -> Critic:
    return Critic(load_bundle("nano-icons", threads=1))


@pytest.fixture(scope="module")
def refiner(critic: Critic) -> PhraseRefiner:
    return PhraseRefiner(critic, load_vocabulary())


@pytest.fixture(scope="module")
def climbs(critic: Critic, refiner: PhraseRefiner) -> list[Climb]:
    artist = IconArtist()
    climbs: list[Climb] = []
    for seed in range(SCENES):
        scene = make_scene(seed, width=SIDE, height=SIDE, count=THINGS)
        brief = Brief(scene.pixels, critic.look(scene.pixels, parts=40))
        refined = refine(brief, critic, refiner, artist, Limits(seed=seed))
        climbs.append(Climb(refined, frozenset(thing.name for thing in scene.things)))
    return climbs


def test_the_end_beats_the_first_round_in_most_scenes(climbs: list[Climb]) -> None:
    ends = [_image_score(climb) for climb in climbs]
    firsts = [_drawn(climb.refined.trace.rounds[0]) for climb in climbs]
    assert all(end >= max(first) for end, first in zip(ends, firsts, strict=True))
    higher = [end > max(first) for end, first in zip(ends, firsts, strict=True)]
    assert sum(higher) >= 0.8 * SCENES


def test_without_drawings_the_texts_come_nearer_to_the_picture(
    critic: Critic, refiner: PhraseRefiner
) -> None:
    higher = named = right = 0
    for seed in range(SCENES):
        scene = make_scene(seed, width=480, height=360, count=THINGS)
        brief = Brief(scene.pixels, critic.look(scene.pixels, parts=40))
        refined = refine(brief, critic, refiner, None, Limits(seed=seed))
        assert refined.image_score is None
        first = max(candidate.score for candidate in refined.trace.rounds[0].candidates)
        assert refined.text_score >= first
        higher += refined.text_score > first
        icons = {name for name, _ in wanted(refined.text)}
        named += len(icons)
        right += len(icons & {thing.name for thing in scene.things})
    assert higher >= 0.8 * SCENES
    assert right / named >= 0.8


def test_the_best_never_falls_and_is_a_drawing_that_was_made(climbs: list[Climb]) -> None:
    for climb in climbs:
        rounds = climb.refined.trace.rounds
        assert len(rounds) == 4
        best = -1.0
        for one in rounds:
            drawn = _drawn(one)
            assert len(drawn) == 4
            best = max(best, *drawn)
            assert one.best == best
        assert _image_score(climb) == best


def test_every_text_is_new_and_within_the_bytes(climbs: list[Climb]) -> None:
    for climb in climbs:
        best = ""
        for one in climb.refined.trace.rounds:
            texts = [candidate.text for candidate in one.candidates]
            assert len(set(texts)) == 3
            assert best not in texts
            assert all(len(text.encode("utf-8")) <= 400 for text in texts)
            if one.chosen is not None and one.best == max(_drawn(one)):
                best = one.candidates[one.chosen].text
        assert climb.refined.text == best


def test_the_icons_that_are_named_are_mostly_right(climbs: list[Climb]) -> None:
    named = right = 0
    for climb in climbs:
        icons = {name for name, _ in wanted(climb.refined.text)}
        named += len(icons)
        right += len(icons & climb.icons)
    assert right / named >= 0.8
    assert right / (SCENES * THINGS) >= 0.6
