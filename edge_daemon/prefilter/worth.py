"""When filtering does not pay, and when it is left out for that.

Three cases in which the prefilter takes time and saves little or nothing of value:

    tiny         so few pixels that the picture is hardly more than a tile: what could be saved is
                 less than the envelope's header, and relevance has nowhere to go
    whole-scene  the prompt names nothing ("Describe the image."), or is about nearly all of the
                 picture, so that nearly nothing may be softened
    idle-link    nothing waits for the link, so bytes that are saved come no sooner; where bytes are
                 paid for they still count, so this is only ever the operator's rule

A case that applies is a *doubt*, and the report names it. A doubt that the operator has made a rule
(`prefilter.skip`) leaves the picture as it is, but for masked regions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from edge_daemon.prefilter.plan import Plan, Spending
from edge_daemon.prefilter.prompt import NOTE_NOTHING_LEFT, Distilled
from edge_daemon.settings import SkipRule

_WORDS: Final[dict[SkipRule, str]] = {
    "tiny": "the picture has too few pixels for filtering to pay",
    "whole-scene": "the prompt is about nearly the whole picture, so filtering saves little or "
    "takes away what is asked for",
    "idle-link": "nothing waits for the link, so filtering saves bytes but no time",
}


def doubts_before(
    pixels: int, prompts: Sequence[Distilled], spending: Spending, *, link_idle: bool
) -> tuple[SkipRule, ...]:
    """What speaks against filtering before anything is scored.

    Args:
        pixels: Of the source.
        prompts: As distilled. One that names nothing, such as "Describe the image.", is about the
            whole scene.
        spending: The picture's settings.
        link_idle: Nothing waits for the link, and no budget binds.
    """
    doubts: list[SkipRule] = []
    if pixels <= spending.tiny_pixels:
        doubts.append("tiny")
    if any(prompt.note == NOTE_NOTHING_LEFT for prompt in prompts):
        doubts.append("whole-scene")
    if link_idle:
        doubts.append("idle-link")
    return tuple(doubts)


def first_rule(doubts: tuple[SkipRule, ...], spending: Spending) -> SkipRule | None:
    """The first doubt that the operator has made a rule."""
    return next((doubt for doubt in doubts if doubt in spending.skip), None)


def with_whole_scene(plan: Plan, kept_share: float) -> Plan:
    """The plan with what scoring has told of the prompt.

    Args:
        plan: Of the picture.
        kept_share: Share of it that is relevant enough to be left as it is, 0..1.
    """
    if kept_share < plan.spending.whole_scene_share or "whole-scene" in plan.doubts:
        return plan
    doubts: tuple[SkipRule, ...] = (*plan.doubts, "whole-scene")
    return replace(plan, doubts=doubts, skipped=first_rule(doubts, plan.spending))


def notes_on(plan: Plan) -> list[str]:
    """The doubts in words, and whether the picture was left as it is for one of them."""
    return [
        f"{_WORDS[doubt]}{': left as it is, by rule' if doubt == plan.skipped else ''}"
        for doubt in plan.doubts
    ]
