"""Why a checkpoint could not be had, and what to do about it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from models.errors import BundleError

ELSEWHERE = (
    "or make the bundle on another machine and take it in with `edge-daemon models import DIR`"
)


class DownloadError(BundleError):
    """A published checkpoint that could not be had."""


class ToolMissingError(DownloadError):
    """huggingface_hub is not installed, or too old."""


class OfflineError(DownloadError):
    """This machine is told to stay offline (`HF_HUB_OFFLINE`)."""


class UnreachableError(DownloadError):
    """No connection to the server, or to a proxy on the way."""


class CutOffError(DownloadError):
    """The connection broke; what has arrived is kept."""


class AccessError(DownloadError):
    """The server wants to know who asks, or refuses (401, 403)."""


class NotPublishedError(DownloadError):
    """The server has no such thing (404)."""


class ServerError(DownloadError):
    """The server gave an answer that is of no use."""


class ContentError(DownloadError):
    """What came is not what was published, or not what came the first time."""


def shown(url: str) -> str:
    """A URL as it may be printed: without a password in it, and without a signed query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def refused(status: int, url: str) -> DownloadError:
    """The error for an HTTP status that is no success."""
    if status in (401, 403):
        return AccessError(
            f"{shown(url)} is not open to everyone (HTTP {status})",
            remedy="set HF_TOKEN to a token that may read it, name another source with --mirror, "
            + ELSEWHERE,
        )
    if status == 404:
        return NotPublishedError(
            f"there is no {shown(url)} (HTTP 404)",
            remedy="check --mirror and HF_ENDPOINT; without them, its publisher has withdrawn it",
        )
    return ServerError(
        f"{shown(url)} answered with HTTP {status}", remedy="try again later, or use --mirror"
    )


def unreachable(error: BaseException, url: str) -> UnreachableError:
    """The error for a connection that did not come about, told by what lies at its root."""
    host = urlsplit(url).hostname
    again = "check the network and the proxy (HTTPS_PROXY, NO_PROXY), try --mirror, " + ELSEWHERE
    chain = list(_chain(error))
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if any(isinstance(cause, socket.gaierror) for cause in chain):
        problem = f"the name of {host}, or of a proxy on the way, cannot be resolved"
    elif any(isinstance(cause, ssl.SSLError) for cause in chain):
        problem = f"the certificate of {host}, or of a proxy on the way, is not trusted here"
        again = "set SSL_CERT_FILE to the certificates that are trusted in this network"
    # By name: which library speaks HTTP depends on the version of huggingface_hub.
    elif "TimeoutException" in kinds:
        problem = f"{host} does not answer in time"
    elif "ProxyError" in kinds:
        problem = f"the proxy on the way to {host} refuses"
    else:
        reasons = [cause.strerror for cause in chain if isinstance(cause, OSError)]
        reason = next(filter(None, reasons), type(error).__name__)
        problem = f"cannot connect to {host} ({reason})"
    return UnreachableError(problem, remedy=again)


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
