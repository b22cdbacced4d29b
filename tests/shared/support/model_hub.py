"""A stand-in for the Hugging Face hub and for a release's host, on 127.0.0.1.

It speaks as huggingface_hub expects: the API's model info with files, and files with their commit
and tags; what is in LFS is redirected to another origin, as to the hub's CDN. Ranges are served,
connections are dropped and statuses are faked on demand, and every request is written down.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

_LFS = (".safetensors", ".bin", ".pt")


@dataclass
class Request:
    """What a client asked; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class ModelHub:
    """What is served, and what was asked.

    Attributes:
        repositories: By id and commit: files by name. The last commit is the head of main.
        plain: Files by path, as on a release's host.
        cuts: By path: bytes of the body after which the connection is dropped, once.
        statuses: By path: answered with instead.
        types: By path: the Content-Type of a plain file.
        tags: Whether plain files have an ETag.
        requests: In the order in which they came, the CDN's among them.
    """

    repositories: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict[str, Any])
    plain: dict[str, bytes] = field(default_factory=dict[str, bytes])
    cuts: dict[str, int] = field(default_factory=dict[str, int])
    statuses: dict[str, int] = field(default_factory=dict[str, int])
    types: dict[str, str] = field(default_factory=dict[str, str])
    tags: bool = True
    requests: list[Request] = field(default_factory=list[Request])
    url: str = ""
    cdn: str = ""

    def asked(self, path: str) -> list[Request]:
        """The requests for paths that end so."""
        return [request for request in self.requests if request.path.endswith(path)]


@contextmanager
def model_hub() -> Generator[ModelHub]:
    """Serve from two ports, the hub's and the CDN's, until the block ends."""
    hub = ModelHub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    servers = [_Server(("127.0.0.1", 0), handler) for _ in range(2)]
    hub.url, hub.cdn = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    for server in servers:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield hub
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Quiet about clients that hang up, as tests make them do."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    hub: ModelHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.hub.requests.append(Request(self.command, path, headers))
        if path in self.hub.statuses:
            self._answer(self.hub.statuses[path], {}, b"")
        elif path.startswith("/api/models/"):
            self._info(path.removeprefix("/api/models/"))
        elif path.startswith("/cdn/"):
            self._file(path, self._blob(path.removeprefix("/cdn/")), {})
        elif "/resolve/" in path:
            self._resolve(path)
        elif path in self.hub.plain:
            kind = self.hub.types.get(path, "application/octet-stream")
            self._file(path, self.hub.plain[path], {"Content-Type": kind})
        else:
            self._answer(404, {}, b"")

    def _info(self, path: str) -> None:
        repository, _, revision = path.partition("/revision/")
        commits = self.hub.repositories.get(repository)
        if commits is None:
            self._answer(404, {"X-Error-Code": "RepoNotFound"}, b"")
            return
        commit = [*commits][-1] if revision in ("", "main") else revision
        if commit not in commits:
            self._answer(404, {"X-Error-Code": "RevisionNotFound"}, b"")
            return
        siblings = [_sibling(name, content) for name, content in commits[commit].items()]
        info = {"id": repository, "modelId": repository, "sha": commit, "siblings": siblings}
        self._answer(200, {"Content-Type": "application/json"}, json.dumps(info).encode())

    def _resolve(self, path: str) -> None:
        repository, _, rest = path.removeprefix("/").partition("/resolve/")
        commit, _, name = rest.partition("/")
        content = self.hub.repositories.get(repository, {}).get(commit, {}).get(name)
        if content is None:
            self._answer(404, {"X-Error-Code": "EntryNotFound"}, b"")
            return
        headers = {"X-Repo-Commit": commit}
        if not name.endswith(_LFS):
            self._file(path, content, {**headers, "ETag": f'"{git_sha1(content)}"'})
            return
        digest = hashlib.sha256(content).hexdigest()
        headers["Location"] = f"{self.hub.cdn}/cdn/{digest}"
        headers["X-Linked-Etag"] = f'"{digest}"'
        headers["X-Linked-Size"] = str(len(content))
        self._answer(302, headers, b"")

    def _blob(self, digest: str) -> bytes:
        every = (
            content
            for commits in self.hub.repositories.values()
            for files in commits.values()
            for content in files.values()
        )
        return next(each for each in every if hashlib.sha256(each).hexdigest() == digest)

    def _file(self, path: str, content: bytes, headers: dict[str, str]) -> None:
        tag = f'"{hashlib.sha256(content).hexdigest()}"'
        headers = {**({"ETag": tag} if self.hub.tags else {}), **headers}
        start = self._start(headers.get("ETag"))
        if start >= len(content):
            self._answer(416, {"Content-Range": f"bytes */{len(content)}"}, b"")
            return
        status = 200
        if start:
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._answer(status, headers, content[start:], self.hub.cuts.pop(path, None))

    def _start(self, tag: str | None) -> int:
        wanted = self.headers.get("Range", "")
        if not wanted or self.headers.get("If-Range", tag) != tag:
            return 0
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def _answer(
        self, status: int, headers: dict[str, str], body: bytes, cut: int | None = None
    ) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body[:cut])
        if cut is not None:
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Quiet: requests are written down."""


def _sibling(name: str, content: bytes) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "rfilename": name,
        "size": len(content),
        "blobId": git_sha1(content),
    }
    if name.endswith(_LFS):
        digest = hashlib.sha256(content).hexdigest()
        facts["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 134}
    return facts


def git_sha1(content: bytes) -> str:
    """The name that git gives a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
