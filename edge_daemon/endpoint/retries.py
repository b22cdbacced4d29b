"""The same request again, as long as that may help and the deadline holds."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from edge_daemon.endpoint.errors import EndpointError, EndpointSlowError

T = TypeVar("T")

FIRST_PAUSE_S: Final = 0.5
"""Longest pause after the first failure; it doubles with each."""
LONGEST_PAUSE_S: Final = 8.0


def retried(
    attempt: Callable[[float], T],
    *,
    attempts: int,
    deadline_s: float,
    timeout_s: float,
    repeat: bool = True,
    draw: Callable[[], float] = random.random,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Ask until there is an answer.

    Pauses have full jitter: they are drawn evenly between 0 and a bound that doubles, and last at
    least as long as the peer asked for.

    Args:
        attempt: Asks once, within so many seconds.
        attempts: Most tries, at least 1.
        deadline_s: Seconds that all of it may take, pauses included.
        timeout_s: Seconds that one try may take.
        repeat: Whether a try that may have been charged for is repeated.
        draw: A number from 0 to 1, evenly distributed.
        clock: Monotonic, in seconds.
        sleep: Pauses for so many seconds.

    Raises:
        EndpointError: Of the last try.
    """
    ends = clock() + deadline_s
    if deadline_s <= 0.0:
        raise EndpointSlowError("no time is left to ask", remedy="allow more time")
    bound_s = FIRST_PAUSE_S
    while True:
        try:
            return attempt(min(timeout_s, ends - clock()))
        except EndpointError as mistake:
            error = mistake
        attempts -= 1
        pause_s = max(draw() * bound_s, error.retry_after_s or 0.0)
        hopeless = not error.transient or (error.perhaps_charged and not repeat)
        if hopeless or attempts < 1 or clock() + pause_s >= ends:
            raise error
        sleep(pause_s)
        bound_s = min(2.0 * bound_s, LONGEST_PAUSE_S)
