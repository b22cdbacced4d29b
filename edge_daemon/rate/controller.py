"""Frames of many cameras, each on its budget."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_daemon.codecs import Codec
from edge_daemon.rate.bucket import Bucket, Reservation
from edge_daemon.rate.budget import Budget, Counters, Fitted, over_budget
from edge_daemon.rate.detail import Detail
from edge_daemon.rate.model import BytesModel
from edge_daemon.rate.path import path_of
from edge_daemon.rate.policy import Policy
from edge_daemon.rate.scales import useful_range, usual_bytes
from edge_daemon.rate.search import Encode, search

_MODELS_PER_CAMERA: Final = 8
"""Codecs and variants that a camera's frames are remembered under."""

T = TypeVar("T")


@dataclass
class _Camera:
    lock: threading.Lock = field(default_factory=threading.Lock)
    models: OrderedDict[Hashable, BytesModel] = field(
        default_factory=OrderedDict[Hashable, BytesModel]
    )
    bucket: Bucket | None = None
    counters: Counters = field(default_factory=Counters)


class RateController:
    """Makes frames fit. Safe to use from several threads; encodes run outside its locks.

    A camera that has not been seen for long is forgotten when others take its place: its model is
    then learned anew, and its bucket starts full. Of frames of one camera that are in work at once,
    only what the last one to end has shown is learned.

    Args:
        policy: What may be given up; default `Policy()`.
        cameras: Most cameras that are remembered.
    """

    def __init__(self, policy: Policy | None = None, *, cameras: int = 1024) -> None:
        self.policy = policy or Policy()
        self._most = cameras
        self._cameras: OrderedDict[Hashable, _Camera] = OrderedDict()
        self._lock = threading.Lock()

    def fit(
        self,
        camera: Hashable,
        codec: Codec,
        pixels: NDArray[np.uint8],
        budget: Budget,
        encode: Encode[T],
        *,
        now: float,
        ceiling: int | None = None,
        policy: Policy | None = None,
        variant: Hashable = None,
    ) -> Fitted[T]:
        """Encode a frame so that it fits, in few encodes, using most of its budget.

        Args:
            camera: Whose frame it is.
            codec: Its options hold for every attempt, its quality is replaced.
            pixels: uint8 (H, W, 3), as close as is known to what is encoded at a strength and a
                scale of 1: after the usual smoothing, if there is any. Only looked at.
            budget: What the frame may take.
            encode: Makes an attempt: its bytes, which the budget is about, and anything else.
            now: Seconds of a monotonic clock.
            ceiling: The best quality that may be used; `None` for the best useful one.
            policy: For this frame instead of the controller's own, e.g. with fewer encodes for a
                slow codec.
            variant: Whatever else changes the bytes of equal attempts, e.g. the allocation; frames
                of different variants are learned apart.

        Raises:
            OverBudgetError: Not even the end of the path fits. It says by how much; with a rate,
                also after how long the frame may fit.
            BadQualityError: The ceiling is outside the codec's scale.
            SettingsError: The policy's bounds are outside the codec's scale.
            EdgeError: Whatever `encode` raises.
        """
        policy = policy or self.policy
        path = path_of(codec, policy, ceiling)
        known = self._camera(camera)
        reservation = _reserve(known, budget, now)
        used = 0
        try:
            detail = Detail.of(pixels)
            with known.lock:
                model = _model_of(known, codec, variant)
                frame = model.of_frame(detail, path)
            limit = budget.frame_bytes or 0 if reservation is None else reservation.allowance

            def stretch(size: int) -> bool:
                nonlocal limit
                if reservation is None or size > (budget.frame_bytes or size):
                    return False
                if not reservation.extend(size):
                    return False
                limit = size
                return True

            found = search(path, frame, limit, encode, policy, stretch)
            fitted: Fitted[T] | None = None
            if found.best is not None and found.attempt is not None:
                fitted = Fitted(*found.best, found.attempt, limit, found.tried, found.ceiling)
            with known.lock:
                model.learn(frame)
                known.counters = known.counters.plus(found, fitted)
            if fitted is None:
                least = min(one.size for one in found.tried)
                possible = reservation is not None and least <= (budget.frame_bytes or least)
                wait_s = reservation.wait_s(least) if reservation and possible else None
                raise over_budget(least, limit, wait_s)
            used = len(fitted.bitstream)
            return fitted
        finally:
            if reservation is not None:
                reservation.settle(used)

    def counters(self, camera: Hashable) -> Counters:
        """A camera's account so far; empty for one that is not remembered."""
        with self._lock:
            known = self._cameras.get(camera)
        return Counters() if known is None else known.counters

    def accounts(self, most: int) -> dict[Hashable, Counters]:
        """The accounts of the cameras seen last, at most so many, the latest first."""
        with self._lock:
            latest = list(itertools.islice(reversed(self._cameras.items()), most))
        return {camera: known.counters for camera, known in latest}

    @property
    def remembered(self) -> int:
        """Number of cameras that are remembered."""
        return len(self._cameras)

    def _camera(self, camera: Hashable) -> _Camera:
        with self._lock:
            known = self._cameras.setdefault(camera, _Camera())
            self._cameras.move_to_end(camera)
            while len(self._cameras) > self._most:
                self._cameras.popitem(last=False)
            return known


def _reserve(camera: _Camera, budget: Budget, now: float) -> Reservation | None:
    if budget.kbps is None:
        return None
    rate = budget.kbps * 1000 / 8
    with camera.lock:
        if camera.bucket is None:
            camera.bucket = Bucket(rate, budget.burst_s)
        camera.bucket.tune(rate, budget.burst_s)
        return camera.bucket.reserve(now, budget.frame_bytes)


def _model_of(camera: _Camera, codec: Codec, variant: Hashable) -> BytesModel:
    """The camera's model of a codec and its options, made if need be."""
    cls = type(codec)
    options = sorted(item for item in codec.get_config().items() if item[0] != "quality")
    key = (repr(options), variant)
    model = camera.models.get(key)
    if model is None:
        worst, best = (
            cls.from_config({**codec.get_config(), "quality": quality}).coarseness
            for quality in useful_range(cls)
        )
        model = camera.models[key] = BytesModel(usual_bytes(cls, best), (worst + best) / 2)
    camera.models.move_to_end(key)
    while len(camera.models) > _MODELS_PER_CAMERA:
        camera.models.popitem(last=False)
    return model
