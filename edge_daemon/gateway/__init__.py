"""The front door for programs that ask a vision-language model over HTTP, as OpenAI's API does.

A chat request comes in. `request` finds its pictures and what is asked about each, `coder` filters
and encodes one, `rewriting` puts what came of them in their places, and `upstream` passes the
request on to the one endpoint that is configured, and the answer back. `door` does this for every
request that `entrance` lets in, within limits; `refusals` words errors as clients of that API
expect them, `account` and `ledger` tell what was saved. `process` starts and stops it all.
"""

from __future__ import annotations

from collections.abc import Callable

from edge_daemon.errors import UnsupportedError
from edge_daemon.prefilter import Prefilter
from edge_daemon.settings import Settings

__all__ = ["run"]


def run(
    settings: Settings,
    prefilter: Prefilter | None,
    *,
    ready: Callable[[str], None] | None = None,
) -> int:
    """Runs a gateway until SIGTERM or SIGINT; a second signal ends it at once.

    Args:
        settings: `gateway`, `codec` and `limits` are used.
        prefilter: What filters pictures; `None` for the codec alone.
        ready: Called with the URL to give to clients once requests are taken.

    Returns:
        The process's exit code: 0; 1 for a defect; 4 if requests were abandoned.

    Raises:
        SettingsError: A setting cannot be used, or a key is missing.
        BindError: The address cannot be listened on.
        StorageError: The ledger cannot be written.
        UnsupportedError: aiohttp is not installed.
        EdgeError: The codec cannot be used.
    """
    try:
        from edge_daemon.gateway.process import Gateway  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        if missing.name != "aiohttp":
            raise
        raise UnsupportedError(
            "the gateway needs aiohttp, which is not installed",
            value=missing.name,
            remedy="install the extra: pip install 'edge-daemon[gateway]'",
        ) from missing
    return Gateway(settings, prefilter).run(ready)
