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
from edge_daemon.rate.allowance import Allowance, allowing
from edge_daemon.rate.bucket import Bucket
from edge_daemon.rate.budget import Budget, Counters, Fitted
from edge_daemon.rate.detail import Detail
from edge_daemon.rate.model import BytesModel
from edge_daemon.rate.path import Attempt, path_of
from edge_daemon.rate.policy import Policy
from edge_daemon.rate.scales import useful_range, usual_bytes
from edge_daemon.rate.search import Encode, Found, Tried, search

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
        with allowing(budget, _bucket_of(known, budget), now) as allowance:
            detail = Detail.of(pixels)
            with known.lock:
                model = _model_of(known, codec, variant)
                frame = model.of_frame(detail, path)
            found = search(path, frame, allowance.limit, encode, policy, allowance.stretch)
            with known.lock:
                model.learn(frame)
            return _settled(known, found, allowance)

    def fit_text(
        self, camera: Hashable, budget: Budget, encode: Encode[T], *, now: float
    ) -> Fitted[T]:
        """Make a text that fits; what is learned of the camera's pictures has no part in it.

        Args:
            camera: Whose frame it is.
            budget: What the frame may take.
            encode: Makes the attempt, which is semantic, as long as its room allows.
            now: Seconds of a monotonic clock.

        Raises:
            OverBudgetError: Not even what `encode` made fits. It says by how much; with a rate,
                also after how long it may fit.
            EdgeError: Whatever `encode` raises.
        """
        known = self._camera(camera)
        with allowing(budget, _bucket_of(known, budget), now) as allowance:
            attempt = Attempt(0, semantic=True, room=allowance.limit)
            made = encode(attempt)
            size = len(made[0])
            fits = size <= allowance.limit or allowance.stretch(size)
            # A text is as long as it should be, and not as long as there is room.
            found = Found(made if fits else None, attempt, (Tried(attempt, size),), ceiling=fits)
            return _settled(known, found, allowance)

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


def _settled(camera: _Camera, found: Found[T], allowance: Allowance) -> Fitted[T]:
    """What was found, if it fits; in any case the camera's account says how it went."""
    fitted: Fitted[T] | None = None
    if found.best is not None and found.attempt is not None:
        limit = allowance.limit
        fitted = Fitted(*found.best, found.attempt, limit, found.tried, found.ceiling)
    with camera.lock:
        camera.counters = camera.counters.plus(found, fitted)
    if fitted is None:
        raise allowance.refusal(min(one.size for one in found.tried))
    allowance.used = len(fitted.bitstream)
    return fitted


def _bucket_of(camera: _Camera, budget: Budget) -> Bucket | None:
    if budget.kbps is None:
        return None
    rate = budget.kbps * 1000 / 8
    with camera.lock:
        if camera.bucket is None:
            camera.bucket = Bucket(rate, budget.burst_s)
        camera.bucket.tune(rate, budget.burst_s)
        return camera.bucket


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
