"""Texts for pictures, as the settings say: bundle, refiner, generator and limits put together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_daemon.prefilter.prompt import Distilled
from edge_daemon.semantic.brief import Brief
from edge_daemon.semantic.critic import Critic
from edge_daemon.semantic.generators import make_generator
from edge_daemon.semantic.generators.abc import Generator
from edge_daemon.semantic.refine import Limits, Refined, refine
from edge_daemon.semantic.refiners import make_refiner
from edge_daemon.semantic.refiners.phrases import PhraseRefiner
from edge_daemon.semantic.side import Side
from edge_daemon.semantic.sight import TILES, Parts, Sight
from edge_daemon.semantic.steering import asked_of
from edge_daemon.semantic.vocabulary import load_vocabulary
from edge_daemon.settings import SemanticSettings
from models import Bundle


class Describer:
    """Describes pictures. Thread-safe; embeds its vocabulary when it is first used.

    Args:
        settings: What searches, and how far.
        bundle: Judges.
        generator: Draws, instead of the one that the settings name.

    Raises:
        SettingsError: The vocabulary cannot be read, or a key is missing.

    Attributes:
        generator: What draws texts; `None` if nothing does.
        local: Whether a search takes milliseconds, asking nobody.
    """

    def __init__(
        self, settings: SemanticSettings, bundle: Bundle, generator: Generator | None = None
    ) -> None:
        self._settings = settings
        self._critic = Critic(bundle)
        vocabulary = None if settings.vocabulary is None else Path(settings.vocabulary)
        self._phrases = PhraseRefiner(self._critic, load_vocabulary(vocabulary))
        self._refiner = make_refiner(settings, self._phrases)
        self.generator = generator or make_generator(
            settings.generator, settings.drawing, settings.drawings
        )
        self.local = self._refiner.local and self.generator is None

    def look(self, pixels: NDArray[np.uint8], parts: Parts | None = None) -> Sight:
        """What `describe` has to see of a picture, for several searches on it.

        Args:
            pixels: uint8 (H, W, 3), sRGB, masked where that is wanted.
            parts: Tiles of it that the bundle has embedded already; `None` embeds some.
        """
        return self._critic.look(pixels, parts=TILES if parts is None else parts)

    def describe(
        self,
        pixels: NDArray[np.uint8],
        questions: Sequence[Distilled] = (),
        *,
        caption: str = "",
        max_bytes: int | None = None,
        time_s: float | None = None,
        side: Side | None = None,
        sight: Sight | None = None,
        at_once: bool = False,
    ) -> Refined:
        """Search for a text.

        Args:
            pixels: uint8 (H, W, 3), sRGB, masked where that is wanted.
            questions: What the picture will be asked, distilled.
            caption: What the client says of it; may be empty.
            max_bytes: Most bytes of UTF-8, if that is less than the settings allow; at least 1.
            time_s: Seconds that it may take, if that is less than the settings allow.
            side: Side information that will travel with the text.
            sight: What `look` saw of the picture; `None` looks now.
            at_once: Ask nobody, whatever the settings say.
        """
        # Once per process, and no part of this picture's search.
        self._phrases.prepare()
        settings = self._settings
        most = settings.max_bytes if max_bytes is None else min(settings.max_bytes, max_bytes)
        brief = Brief(
            pixels,
            self.look(pixels) if sight is None else sight,
            tuple(one.raw for one in questions if one.raw),
            asked_of(questions),
            caption,
            most,
        )
        limits = Limits(
            settings.iterations,
            settings.prompts,
            settings.images,
            settings.time_s if time_s is None else min(settings.time_s, time_s),
            settings.max_cost,
            settings.seed,
        )
        refiner = self._phrases if at_once else self._refiner
        generator = None if at_once else self.generator
        return refine(brief, self._critic, refiner, generator, limits, side=side)
