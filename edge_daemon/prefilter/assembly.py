"""The prefilter: (image, prompt) to an image that keeps what the prompt asks for.

Three stages, so that a service can put the tiles of several frames into one encoder call: `plan`
(prompts distilled, tiles cut), `score` (the encoders), `smooth` (relevance, sigma, pixels). Calling
the prefilter does all three for one picture.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.errors import BadPixelsError
from edge_daemon.prefilter.device import Smoother
from edge_daemon.prefilter.look import Look
from edge_daemon.prefilter.plan import Plan, Scores, Spending, Watched
from edge_daemon.prefilter.prompt import Distilled, check_prompt, distil
from edge_daemon.prefilter.regions import boxes_of, veil
from edge_daemon.prefilter.relevance import block_relevance, tile_relevance
from edge_daemon.prefilter.report import Report, make_report
from edge_daemon.prefilter.scoring import Scorers
from edge_daemon.prefilter.signature import picture_signature
from edge_daemon.prefilter.silence import SentFrames
from edge_daemon.prefilter.smoothing import smooth_picture, untouched, whole_share
from edge_daemon.prefilter.tagger import make_tagger
from edge_daemon.prefilter.tiling import no_tiles
from edge_daemon.prefilter.worth import doubts_before, first_rule, with_whole_scene
from edge_daemon.quantiser import USUAL_QUANTISER, Quantiser
from edge_daemon.settings import PrefilterSettings, PromptSettings, VideoSettings
from models import Bundle, load_bundle

_REMEMBERED: Final = 256
"""Prompts whose distillation is remembered: they repeat from frame to frame."""


class Prefilter:
    """Relevance by a bundle's encoders, spent as smoothing. Safe to call from several threads.

    Args:
        bundle: A loaded bundle.
        settings: How relevance is found and spent; default `PrefilterSettings()`.
        prompt_settings: How prompts are distilled; default `PromptSettings()`.
        video: What is reused between the frames of a camera; default `VideoSettings()`. Pictures
            of no camera are never compared.

    Raises:
        SettingsError: The tagger is not installed, or the settings contradict the bundle.

    Example:
        >>> prefilter = Prefilter.from_bundle("nano-icons")  # doctest: +SKIP
        >>> filtered, report = prefilter(image, "Where is the bicycle?")  # doctest: +SKIP
    """

    def __init__(
        self,
        bundle: Bundle,
        settings: PrefilterSettings | None = None,
        prompt_settings: PromptSettings | None = None,
        video: VideoSettings | None = None,
    ) -> None:
        self.bundle = bundle
        self.settings = settings or PrefilterSettings()
        self.prompt_settings = prompt_settings or PromptSettings()
        self._reuse = (video or VideoSettings()).reuse
        self._scorers = Scorers(bundle, video or VideoSettings())
        self._sent = SentFrames(video or VideoSettings())
        self._gaussian = Smoother(bundle)
        self._tagger = make_tagger(self.prompt_settings.tagger)
        self._distilled = lru_cache(maxsize=_REMEMBERED)(self._distil)
        # A contradiction should stop the start, not the first picture.
        self._spending(self.settings)

    @classmethod
    def from_bundle(
        cls,
        bundle: str | Path,
        settings: PrefilterSettings | None = None,
        prompt_settings: PromptSettings | None = None,
        video: VideoSettings | None = None,
        *,
        threads: int | None = None,
        backend: str = "auto",
        engines: str | Path | None = None,
        build_engines: bool = False,
    ) -> Prefilter:
        """Load a bundle by name or path.

        Args:
            bundle: The name of a packaged bundle, or the path of one.
            settings: See the class.
            prompt_settings: See the class.
            video: See the class.
            threads: Threads of the encoders; `None` leaves the choice to the bundle's loader.
            backend: What runs the image encoder; see `models.load_bundle`.
            engines: Directory of engines built on this machine; see there.
            build_engines: Whether one that is missing is built in the background; see there.

        Raises:
            models.BundleError: The bundle is missing, damaged or mismatched, or the backend that
                was asked for cannot serve it.
            SettingsError: See the class.
        """
        loaded = load_bundle(
            bundle, threads=threads, backend=backend, engines=engines, build_engines=build_engines
        )
        return cls(loaded, settings, prompt_settings, video)

    @property
    def smooths_on(self) -> str:
        """See `Smoother.runs_on`."""
        return self._gaussian.runs_on

    def __call__(
        self,
        image: NDArray[np.uint8],
        prompt: str | Sequence[str],
        settings: PrefilterSettings | None = None,
        *,
        quantiser: Quantiser = USUAL_QUANTISER,
    ) -> tuple[NDArray[np.uint8], Report]:
        """Filter one picture.

        Args:
            image: uint8 (H, W, 3) sRGB; not written to.
            prompt: One prompt, or several, which are combined by the maximum of their relevance.
                Without any text in it nothing is smoothed, and the report says so.
            settings: For this picture instead of the prefilter's own.
            quantiser: Of the codec that follows (`codec.quantiser`). It decides what the allocation
                "auto" is, and how much the mapping "matched" smooths; if it is left out, that of a
                middling codec that takes no map.

        Returns:
            The filtered picture, a new uint8 array of the image's size (of the canvas's size in
            reference mode), and the account of it. With an allocation that uses the quantiser,
            `report.offsets` is for the codec: `codec.encode(filtered, report.offsets)`.

        Raises:
            BadPixelsError: Not a uint8 (H, W, 3) array with pixels in it.
            PromptError: A prompt that is no text, or too long.
            SettingsError: `settings` contradict the bundle.
            UnsupportedError: Too many tiles in reference mode.
        """
        plan = self.plan(image, prompt, settings, quantiser=quantiser)
        (scores,) = self.score([plan])
        return self.smooth(image, plan, scores)

    def plan(
        self,
        image: NDArray[np.uint8],
        prompts: str | Sequence[str],
        settings: PrefilterSettings | None = None,
        *,
        quantiser: Quantiser = USUAL_QUANTISER,
        link_idle: bool = False,
        camera: str | None = None,
        watch: str | None = None,
    ) -> Plan:
        """Distil the prompts and cut the tiles.

        Arguments and errors are those of `__call__`, and `link_idle`: nothing waits for the bytes
        that filtering would save; `camera`: whose picture it is, so that tiles which did not change
        since an earlier one need not be encoded again; `watch`: what `changed` shall compare beside
        prompts, settings and size, such as the codec, or `None` if it will not be asked.
        """
        _check_image(image)
        settings = settings or self.settings
        spending = self._spending(settings, quantiser)
        height, width = image.shape[:2]
        timings: dict[str, float] = {}
        with _timed(timings, "distil"):
            given = (prompts,) if isinstance(prompts, str) else tuple(prompts)
            for prompt in given:
                check_prompt(prompt, self.prompt_settings.max_bytes)
            distilled = tuple(self._distilled(prompt) for prompt in given)
            texts = tuple(dict.fromkeys(one.text for one in distilled if one.text))
        doubts = (
            doubts_before(height * width, distilled, spending, link_idle=link_idle) if texts else ()
        )
        skipped = first_rule(doubts, spending)
        texts = texts if skipped is None else ()
        with _timed(timings, "canvas"):
            image = veil(image, boxes_of(spending.mask, height, width))
            if texts:
                grid, tiles = self._scorers.prepare(image, spending)
            else:
                grid, tiles = None, no_tiles(self.bundle.tile_size)
        plan = Plan(
            width, height, distilled, texts, grid, tiles, spending, timings, doubts, skipped, camera
        )
        return plan if camera is None else self._comparable(plan, image, watch)

    def _spending(
        self, settings: PrefilterSettings, quantiser: Quantiser = USUAL_QUANTISER
    ) -> Spending:
        manifest = self.bundle.manifest
        return Spending.of(settings, manifest.recommended, manifest.dense, quantiser=quantiser)

    def _comparable(self, plan: Plan, veiled: NDArray[np.uint8], watch: str | None) -> Plan:
        """The plan of a camera's picture, with what it is compared by."""
        with _timed(plan.timings_ms, "compare"):
            # Reference mode is there to be compared with a publication that computes everything.
            usual = plan.spending.mode == "default" and plan.spending.scorer == "tiles"
            reusable = self._reuse and plan.texts and usual
            watched = None if watch is None else Watched(picture_signature(veiled), watch)
            look = Look.of(plan.tiles) if reusable else None
            plan = replace(plan, look=look, watched=watched)
            self._scorers.memory.foresee(plan)
        return plan

    def score(self, plans: Sequence[Plan]) -> list[Scores]:
        """Score several pictures together, the tiles of all in one call of the image encoder.

        Returns:
            One result per plan, in order.
        """
        texts = list(dict.fromkeys(text for plan in plans for text in plan.texts))
        if not texts:
            return [Scores(np.empty((0, 0), np.float32), 0.0) for _ in plans]
        started = time.perf_counter()
        embedded = dict(zip(texts, self.bundle.encode_texts(texts), strict=True))
        found = self._scorers.embed(plans)
        encode_ms = (time.perf_counter() - started) * 1e3
        scores: list[Scores] = []
        for plan, own in zip(plans, found, strict=True):
            values = np.zeros((len(plan.texts), len(own.embeddings)), np.float32)
            for row, text in zip(values, plan.texts, strict=True):
                row[:] = own.embeddings @ embedded[text]
            scores.append(Scores(values, encode_ms, own.encoded, embeddings=own.embeddings))
        return scores

    def remember(self, plan: Plan) -> None:
        """Completes what the camera's next picture is compared with; for when nobody waits.

        If that is left out, the memory holds the tiles until the next picture comes.
        """
        if plan.look is not None:
            plan.look.complete()

    def retune(
        self, settings: PrefilterSettings, prompt_settings: PromptSettings, video: VideoSettings
    ) -> None:
        """From now on, new plans follow these. Not the tagger, nor what memory is sized by."""
        self.settings, self.prompt_settings = settings, prompt_settings
        self._scorers.memory.levels = self._sent.levels = video.change_levels

    def hits(self) -> dict[str, int]:
        """See `TileMemory.hits`."""
        return self._scorers.memory.hits()

    def changed(self, plan: Plan, scores: Scores) -> float:
        """See `SentFrames.changed`."""
        return self._sent.changed(plan, scores)

    def sent(self, plan: Plan, scores: Scores) -> None:
        """See `SentFrames.sent`."""
        self._sent.sent(plan, scores)

    def silence_s(self, camera: str) -> float:
        """See `SentFrames.silence_s`."""
        return self._sent.silence_s(camera)

    def smooth(
        self,
        image: NDArray[np.uint8],
        plan: Plan,
        scores: Scores,
        *,
        strength: float = 1.0,
        quantiser: Quantiser | None = None,
    ) -> tuple[NDArray[np.uint8], Report]:
        """Smooth the picture that `plan` was made of, by the scores of its tiles.

        Args:
            image: The picture that was given to `plan`.
            plan: What `plan` made of it.
            scores: What `score` found for it.
            strength: Times as much smoothing and coarsening as the plan says, at least 1.
            quantiser: Of the codec at the quality that it is used at, where that is not the one
                that the plan was made for.

        Returns:
            See `__call__`.

        Raises:
            BadPixelsError: The image is not of the planned size.
        """
        _check_image(image)
        if image.shape[:2] != (plan.height, plan.width):
            raise BadPixelsError(
                f"the plan was made for {plan.width}x{plan.height} pixels",
                value=image.shape,
                remedy="pass the picture that was planned",
            )
        if strength != 1.0:
            plan = replace(plan, spending=plan.spending.stronger(strength))
        if quantiser is not None:
            plan = replace(plan, spending=replace(plan.spending, quantiser=quantiser))
        timings = dict(plan.timings_ms)
        # Veiled anew rather than kept: a plan that waits for its turn holds no picture.
        veiled = veil(image, boxes_of(plan.spending.mask, plan.height, plan.width))
        if plan.grid is None:
            relevance = np.zeros((0, 0))
            smoothed = untouched(veiled, plan)
        else:
            timings["encode"] = scores.encode_ms
            with _timed(timings, "smooth"):
                relevance = tile_relevance(scores.values, plan.spending.sharpness)
                blocks = block_relevance(relevance, plan.grid).max(axis=0)
                plan = with_whole_scene(plan, whole_share(blocks, plan.spending.margin))
                smoothed = smooth_picture(veiled, blocks, plan, self._gaussian)
        report = make_report(plan, scores, relevance, smoothed, self.bundle.manifest, timings)
        return smoothed.pixels, report

    def _distil(self, prompt: str) -> Distilled:
        return distil(
            prompt,
            tagger=self._tagger,
            token_count=self.bundle.token_count,
            token_budget=self.bundle.token_budget,
        )


def _check_image(image: NDArray[np.uint8]) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise BadPixelsError(
            "the prefilter takes uint8 pixels of shape (height, width, 3)",
            value=f"{image.dtype} {image.shape}",
            remedy="convert the picture with edge_daemon.pictures first",
        )


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Generator[None, None, None]:
    started = time.perf_counter()
    yield
    timings[stage] = (time.perf_counter() - started) * 1e3
