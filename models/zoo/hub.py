"""The Hugging Face hub by its own library: what a repository holds, and a client that may ask.

The library knows endpoints, tokens, proxies and when to stay offline. Files are not fetched with
its `hf_hub_download`: in version 2.4 that throws away what had arrived when the connection broke
(`models.zoo.fetch` goes on from there).
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from models.zoo.errors import (
    ELSEWHERE,
    OfflineError,
    ServerError,
    ToolMissingError,
    UnreachableError,
    refused,
    shown,
    unreachable,
)

BRANCH = "main"
TIMEOUT_S = 30.0
"""For a connection, and for the next bytes of an answer."""

_INSTALL = "install the extra: pip install 'edge-daemon[export]', " + ELSEWHERE
_OLDEST = (1, 31)


@dataclass(frozen=True)
class HubFile:
    """What the hub says of a file: SHA-256 of a large one, git's SHA-1 of a small one."""

    bytes: int | None
    sha256: str | None
    git_sha1: str | None


@dataclass(frozen=True)
class Listing:
    """A repository at one commit."""

    commit: str
    files: Mapping[str, HubFile]


class Hub:
    """The hub, or a mirror that speaks as it does.

    Args:
        endpoint: A mirror's URL; `None`: huggingface_hub's own, `$HF_ENDPOINT` or the hub. A token
            (`$HF_TOKEN`, or the one that `hf auth login` keeps) goes to the latter only.

    Raises:
        DownloadError: The library is missing, the mirror is no URL, or proxies are configured that
            cannot be used.
    """

    def __init__(self, endpoint: str | None = None) -> None:
        self._library = _library()
        self._endpoint = None if endpoint is None else _checked(endpoint)
        # In the library's terms: the user's, or none.
        self._token = None if endpoint is None else False
        try:
            self.client: Any = self._library.utils.get_session()
        except (ImportError, ValueError) as error:
            # Its message would repeat the proxy's URL, and with it a password.
            raise UnreachableError(
                f"the proxy settings cannot be used ({type(error).__name__})",
                remedy="correct HTTP_PROXY, HTTPS_PROXY and ALL_PROXY; SOCKS needs `socksio`",
            ) from None

    def listing(self, repository: str, revision: str | None) -> Listing:
        """The files of a repository at a commit, or at the head of its main branch.

        Raises:
            DownloadError: The hub cannot be asked, or does not know it.
        """
        api = self._library.HfApi(endpoint=self._endpoint, token=self._token)
        url = f"{api.endpoint}/api/models/{repository}"
        try:
            with self.trouble(url):
                info: Any = api.model_info(
                    repository, revision=revision or BRANCH, files_metadata=True, timeout=TIMEOUT_S
                )
        # No JSON, or JSON of something else: a login page, say.
        except (ValueError, KeyError, TypeError) as error:
            raise ServerError(
                f"{shown(url)} does not answer as a hub does ({type(error).__name__})",
                remedy="check --mirror, HF_ENDPOINT, and whether this network wants a login first",
            ) from error
        if not info.sha or revision not in (None, info.sha):
            raise ServerError(
                f"{shown(url)} has commit {info.sha}, asked for {revision or BRANCH}",
                remedy="check --mirror and HF_ENDPOINT: this is no hub, or no whole copy of one",
            )
        files = {file.rfilename: _facts(file) for file in info.siblings or ()}
        return Listing(str(info.sha), files)

    def url(self, repository: str, revision: str, name: str) -> str:
        """Where a file of a repository is."""
        return self._library.hf_hub_url(
            repository, name, revision=revision, endpoint=self._endpoint
        )

    def headers(self) -> dict[str, str]:
        """What a request for a repository's file carries; a token, where one may be sent."""
        return self._library.utils.build_hf_headers(token=self._token)

    @property
    def broken(self) -> type[Exception]:
        """The base of what the client raises."""
        return self._library.errors.HTTPError

    @contextmanager
    def trouble(self, url: str) -> Generator[None]:
        """Turn what the library raises into errors that say what to do."""
        errors = self._library.errors
        try:
            yield
        except errors.OfflineModeIsEnabled as error:
            raise OfflineError(
                "HF_HUB_OFFLINE forbids to download",
                remedy="unset HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE, " + ELSEWHERE,
            ) from error
        except errors.HfHubHTTPError as error:
            raise refused(error.response.status_code, url) from error
        except errors.HTTPError as error:
            raise unreachable(error, url) from error


def _checked(mirror: str) -> str:
    try:
        parts = urlsplit(mirror)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise UnreachableError(
            "the mirror is no http or https URL",
            remedy="give it as https://HOST or https://HOST/PATH",
        )
    return mirror.rstrip("/")


def _facts(file: Any) -> HubFile:
    if file.lfs is not None:
        return HubFile(file.size, file.lfs.sha256, None)
    return HubFile(file.size, None, file.blob_id)


def _library() -> Any:
    # A tool on a customer's network talks to nobody of its own accord.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        library: Any = importlib.import_module("huggingface_hub")
        importlib.import_module("huggingface_hub.errors")
        importlib.import_module("huggingface_hub.utils")
    except ImportError as error:
        raise ToolMissingError(f"{error.name} is not installed", remedy=_INSTALL) from error
    version = tuple(int(part) for part in library.__version__.split(".")[:2])
    if version < _OLDEST:
        raise ToolMissingError(
            f"huggingface_hub {library.__version__} is older than {'.'.join(map(str, _OLDEST))}",
            remedy=_INSTALL,
        )
    return library
