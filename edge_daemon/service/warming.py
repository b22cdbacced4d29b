"""What texts need done once, before the first frame has to wait for it.

Embedding the vocabulary takes a large bundle seconds. Any frame may ask for a text, but most
daemons' never do: so it is done a little after the start, by a thread that gives way to others.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Final

import numpy as np

from edge_daemon.semantic.coding import TextCoding, encode_payload
from edge_daemon.service.texts import Describes
from edge_daemon.settings import SemanticSettings
from models import Bundle

_log = logging.getLogger(__name__)

MakeDescriber = Callable[[SemanticSettings, Bundle], Describes]
"""Makes what finds texts; raises `SettingsError` for what it cannot be made of."""

_AFTER_S: Final = 3.0
"""Seconds after the start: what waited for the daemon goes first."""
_NICENESS: Final = 10


def warm(describer: Describes) -> None:
    """Has it describe a picture of nothing, asking nobody, and packs what it says."""
    begun, nothing = time.monotonic(), np.zeros((64, 64, 3), np.uint8)
    text = describer.describe(nothing, at_once=True).text
    encode_payload(text, nothing, TextCoding())
    _log.info("event=describer_warm ms=%.0f", 1000 * (time.monotonic() - begun))


def warm_soon(describer: Describes) -> threading.Timer:
    """Warms it up in a while, in a thread of its own; the process does not end in its middle.

    Returns:
        The thread; `cancel` it if it has not begun when the daemon stops.
    """
    timer = threading.Timer(_AFTER_S, _warm_gently, (describer,))
    timer.name = "warm-up"
    timer.start()
    return timer


def _warm_gently(describer: Describes) -> None:
    with contextlib.suppress(OSError):  # Linux has a niceness per thread
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
    try:
        warm(describer)
    except Exception:
        # The first frame that asks for a text will be told.
        _log.exception("event=describer_not_warm")
