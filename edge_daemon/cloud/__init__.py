"""The receiving end: envelopes in; PNG and text files and a log of JSON lines out.

What was acknowledged is on disk: the picture in place under its final name, and its line in the
log, both synced. A frame is in the log once, however often it was sent.
"""

from __future__ import annotations

from collections.abc import Callable

from edge_daemon.cloud.decoding import decode_envelope, decode_text
from edge_daemon.cloud.inbox import run_inbox
from edge_daemon.cloud.receiver import Receiver, run_receiver
from edge_daemon.settings import Settings

__all__ = ["Receiver", "decode_envelope", "decode_text", "run"]


def run(settings: Settings, *, ready: Callable[[str], None] | None = None) -> int:
    """Runs the receiving end that `cloud.transport` names until SIGTERM or SIGINT.

    Args:
        settings: `cloud` and `limits` are used.
        ready: Called with where envelopes are taken, once they are.

    Returns:
        The process's exit code: 0, or 1 for a defect.

    Raises:
        SettingsError: An endpoint, URL or path cannot be used.
        KeysError: Keys are missing, malformed or open to other users.
        BindError: The endpoint cannot be listened on.
        StorageError: A directory cannot be used.
    """
    if settings.cloud.transport == "nats":
        # Only who uses it pays for loading its client.
        from edge_daemon.cloud.nats_worker import run_worker  # noqa: PLC0415

        return run_worker(settings, ready=ready)
    if settings.cloud.transport == "directory":
        return run_inbox(settings, ready=ready)
    return run_receiver(settings, ready=ready)
