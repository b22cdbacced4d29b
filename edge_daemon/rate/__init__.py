"""Bytes on a budget: the finest form of a frame that fits, in one or two encodes.

    >>> controller = RateController(Policy(order=("quality", "smoothing", "scale")))
    >>> fitted = controller.fit(
    ...     "gate-2", codec, pixels, Budget(frame_bytes=40_000), encode, now=time.monotonic()
    ... )

`encode` turns an `Attempt` (quality, strength of the smoothing, scale) into bytes. The attempts lie
on one path (`path`) that the operator's policy (`policy`) defines, from the best quality to the
last bound, and bytes fall along it, so that the search (`search`) is one-dimensional. A first guess
comes from the picture's detail (`detail`), the codec's usual bytes (`scales`) and what was learned
of the camera (`model`). What cannot fit is an `OverBudgetError`, never a larger frame. A rate per
camera is dealt out to its frames by a token bucket (`bucket`, `allowance`); `controller` is all of
that behind one call. Frames that are to be text in any case get no more than their allowance.
Nothing in here looks at a clock: the time is passed in.
"""

from edge_daemon.rate.bucket import Bucket, Reservation
from edge_daemon.rate.budget import Budget, Counters, Fitted
from edge_daemon.rate.controller import RateController
from edge_daemon.rate.path import Attempt, Path, path_of
from edge_daemon.rate.policy import KNOBS, Knob, Policy
from edge_daemon.rate.search import Encode, Tried

__all__ = [
    "KNOBS",
    "Attempt",
    "Bucket",
    "Budget",
    "Counters",
    "Encode",
    "Fitted",
    "Knob",
    "Path",
    "Policy",
    "RateController",
    "Reservation",
    "Tried",
    "path_of",
]
