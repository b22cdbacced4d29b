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
        self._scores: dict[tuple[str, TileGrid, tuple[str, ...]], Scores] = {}

    def planned(
        self, settings: PrefilterSettings, bundle: str, *, takes_map: bool
    ) -> tuple[Prefilter, Plan]:
        """The question's plan, not yet scored.

        Args:
            settings: Of the prefilter.
            bundle: Name or path.
            takes_map: Whether the codec takes a quantiser map.
        """
        prefilter = _prefilter_of(bundle, self._prompt)
        pixels, prompt = self.question.pixels, self.question.prompt
        return prefilter, prefilter.plan(pixels, prompt, settings, takes_map=takes_map)

    def scored(
        self,
        settings: PrefilterSettings,
        bundle: str,
        *,
        takes_map: bool,
        change: Change | None = None,
    ) -> tuple[Prefilter, Plan, Scores]:
        """Plan and scores; what was encoded for another method is not done again.

        Args:
            settings: See `planned`.
            bundle: See `planned`.
            takes_map: See `planned`.
            change: Applied to the plan before it is scored.
        """
        prefilter, plan = self.planned(settings, bundle, takes_map=takes_map)
        if change is not None:
            plan = change(plan, self.question, prefilter)
        if plan.grid is None:
            (scores,) = prefilter.score([plan])
            return prefilter, plan.lean(), scores
        key = (bundle, plan.grid, plan.texts)
        if key not in self._scores:
            (found,) = prefilter.score([plan])
            self._scores[key] = replace(found, embeddings=None)
        return prefilter, plan.lean(), self._scores[key]
