"""How much of what matters changed since the last frame that was sent.

The picture is divided into patches, 64 along its longer side whatever its size. Each has a weight
w, its relevance cut off at 1, or that in the frame that was sent where it was higher: so a thing
that was asked for counts where it is and where it was. Kept regions weigh 1, masked ones nothing.
Without a prompt all patches weigh the same.

    changed share = sum of w over the patches that changed / sum of w over all patches

Pictures are compared with the last one that was *sent*, so that what drifts slowly is sent once it
has drifted far enough. Where there is none to compare with, or it had other prompts, settings or
another size, the share is 1.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.prefilter.allocation import finer_relevance, quantiser_map
from edge_daemon.prefilter.plan import Plan, Scores, Watched
from edge_daemon.prefilter.recent import Recent
from edge_daemon.prefilter.relevance import block_relevance, tile_relevance
from edge_daemon.prefilter.signature import Signature, changed_patches
from edge_daemon.settings import VideoSettings


@dataclass(frozen=True)
class _Sent:
    key: tuple[object, ...]
    signature: Signature
    weights: NDArray[np.float32]
    moment: float


class SentFrames:
    """The last frame that was sent of each camera. Thread-safe.

    It holds 40 kB per camera.

    Args:
        settings: How many cameras, and how much of a difference counts.
        clock: In seconds, never set back.

    Attributes:
        levels: Grey levels that count as a change, from the next comparison on.
    """

    def __init__(
        self, settings: VideoSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.levels = settings.change_levels
        self._clock = clock
        self._sent: Recent[_Sent] = Recent(settings.cameras)

    def changed(self, plan: Plan, scores: Scores) -> float:
        """The changed share, 0..1; 1 for a plan that is not watched.

        Args:
            plan: Of the picture.
            scores: Of its tiles.
        """
        if plan.camera is None or plan.watched is None:
            return 1.0
        sent = self._sent.get(plan.camera)
        if sent is None or sent.key != _key(plan, plan.watched):
            return 1.0
        (patches,) = changed_patches(sent.signature, plan.watched.signature, self.levels)
        weights = np.maximum(sent.weights, _weights(plan, scores, plan.watched))
        total = float(weights.sum())
        # Masked all over: nothing in it can matter.
        return float(weights[patches].sum()) / total if total else 0.0

    def sent(self, plan: Plan, scores: Scores) -> None:
        """Compare the camera's next frames with this one.

        To be called in the order in which the frames are sent; arguments are those of `changed`. A
        frame that was compared before an earlier one was noted here may have been left out wrongly;
        the camera's next frame makes up for it.
        """
        if plan.camera is None or plan.watched is None:
            return
        watched = plan.watched
        self._sent.put(
            plan.camera,
            _Sent(
                _key(plan, watched),
                watched.signature,
                _weights(plan, scores, watched),
                self._clock(),
            ),
        )

    def silence_s(self, camera: str) -> float:
        """Seconds since a camera's last frame was sent; infinite if none is remembered."""
        sent = self._sent.get(camera)
        return math.inf if sent is None else self._clock() - sent.moment


def _key(plan: Plan, watched: Watched) -> tuple[object, ...]:
    """What makes any two frames differ for the receiver, whatever their pixels."""
    prompts = tuple(prompt.raw for prompt in plan.prompts)
    return watched.under, plan.width, plan.height, prompts, plan.spending


def _weights(plan: Plan, scores: Scores, watched: Watched) -> NDArray[np.float32]:
    """float32 (patch rows, patch columns), 0..1."""
    rows, columns = watched.signature.steps.shape[1:3]
    if plan.grid is None:
        relevance = np.ones((rows, columns))
    else:
        tiles = tile_relevance(scores.values, plan.spending.sharpness)
        relevance = finer_relevance(
            block_relevance(tiles, plan.grid).max(axis=0), plan.spending.margin
        )
        relevance = cv2.resize(relevance, (columns, rows), interpolation=cv2.INTER_LINEAR)
    # What the quantiser would take away is exactly what does not matter.
    lacking = quantiser_map(
        np.asarray(relevance, np.float64),
        offset_max=1.0,
        keep=plan.spending.keep,
        mask=plan.spending.mask,
    )
    return 1.0 - lacking.values
