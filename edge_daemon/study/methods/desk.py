"""One question on the desk: its plans and scores, so that methods share the encoder's work."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, Final

from edge_daemon.prefilter import Prefilter
from edge_daemon.prefilter.plan import Plan, Scores
from edge_daemon.prefilter.tiling import TileGrid
from edge_daemon.quantiser import Quantiser
from edge_daemon.settings import PrefilterSettings, PromptSettings
from edge_daemon.study.tasks.task import Question
from models import Bundle, load_bundle
from models.loading import find_bundle
from models.manifest import read_manifest

_THREADS: Final = 1
"""Of an encoder: a study runs a process per core."""

Change = Callable[[Plan, Question, Prefilter], Plan]
"""Makes another plan of a usual one."""


@cache
def bundle_of(bundle: str) -> Bundle:
    """This process's bundle of a name or path."""
    return load_bundle(bundle, threads=_THREADS)


@cache
def _prefilter_of(bundle: str, prompt: str) -> Prefilter:
    """`prompt` is `PromptSettings` as JSON."""
    settings = PromptSettings.model_validate_json(prompt)
    return Prefilter(bundle_of(bundle), prompt_settings=settings)


def bundle_facts(bundle: str) -> dict[str, Any]:
    """Which bundle a name or a path stands for today: the manifest has the hashes of its files.

    Raises:
        BundleError: It is not there.
    """
    manifest = read_manifest(find_bundle(bundle))
    digest = hashlib.sha256(manifest.to_json().encode("utf-8")).hexdigest()
    return {"name": manifest.name, "manifest_sha256": digest}


class Desk:
    """A question and its scores. Not thread-safe.

    Args:
        question: To be sent.
        bundle: The one of methods that name none.
        prompt: How prompts are distilled; default `PromptSettings()`.
    """

    def __init__(
        self, question: Question, bundle: str, prompt: PromptSettings | None = None
    ) -> None:
        self.question = question
        self.bundle = bundle
        self._prompt = (prompt or PromptSettings()).model_dump_json()
        self._scored: dict[tuple[str, str, bool, Change | None], tuple[Plan, Scores]] = {}
        self._scores: dict[tuple[str, TileGrid, tuple[str, ...]], Scores] = {}

    def planned(
        self, settings: PrefilterSettings, bundle: str, quantiser: Quantiser
    ) -> tuple[Prefilter, Plan]:
        """The question's plan, not yet scored.

        Args:
            settings: Of the prefilter.
            bundle: Name or path.
            quantiser: Of the codec.
        """
        prefilter = _prefilter_of(bundle, self._prompt)
        pixels, prompt = self.question.pixels, self.question.prompt
        return prefilter, prefilter.plan(pixels, prompt, settings, quantiser=quantiser)

    def scored(
        self,
        settings: PrefilterSettings,
        bundle: str,
        quantiser: Quantiser,
        change: Change | None = None,
    ) -> tuple[Prefilter, Plan, Scores]:
        """Plan and scores; what another quality or another method needed is not done again.

        Args:
            settings: See `planned`.
            bundle: See `planned`.
            quantiser: See `planned`.
            change: Applied to the plan before it is scored.
        """
        prefilter = _prefilter_of(bundle, self._prompt)
        key = (bundle, settings.model_dump_json(), quantiser.takes_map, change)
        if key not in self._scored:
            _, plan = self.planned(settings, bundle, quantiser)
            if change is not None:
                plan = change(plan, self.question, prefilter)
            self._scored[key] = plan.lean(), self._scores_of(plan, bundle, prefilter)
        plan, scores = self._scored[key]
        spending = replace(plan.spending, quantiser=quantiser)
        return prefilter, replace(plan, spending=spending), scores

    def _scores_of(self, plan: Plan, bundle: str, prefilter: Prefilter) -> Scores:
        if plan.grid is None:
            return prefilter.score([plan])[0]
        key = (bundle, plan.grid, plan.texts)
        if key not in self._scores:
            (found,) = prefilter.score([plan])
            self._scores[key] = found.lean()
        return self._scores[key]
