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
from edge_daemon.settings import PrefilterSettings
from edge_daemon.study.tasks.task import Question
from models.loading import find_bundle
from models.manifest import read_manifest

_THREADS: Final = 1
"""Of an encoder: a study runs a process per core."""

Change = Callable[[Plan, Question, Prefilter], Plan]
"""Makes another plan of a usual one."""


@cache
def prefilter_of(bundle: str) -> Prefilter:
    """This process's prefilter with a bundle."""
    return Prefilter.from_bundle(bundle, threads=_THREADS)


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
    """

    def __init__(self, question: Question, bundle: str) -> None:
        self.question = question
        self.bundle = bundle
        self._scores: dict[tuple[str, TileGrid, tuple[str, ...]], Scores] = {}

    def scored(
        self,
        settings: PrefilterSettings,
        bundle: str,
        *,
        takes_map: bool,
        change: Change | None = None,
    ) -> tuple[Prefilter, Plan, Scores]:
        """The question's plan and scores; what was encoded for another method is not done again.

        Args:
            settings: Of the prefilter.
            bundle: Name or path.
            takes_map: Whether the codec takes a quantiser map.
            change: Applied to the plan before it is scored.
        """
        prefilter = prefilter_of(bundle)
        plan = prefilter.plan(
            self.question.pixels, self.question.prompt, settings, takes_map=takes_map
        )
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
