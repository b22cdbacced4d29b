"""What opens a NATS server: URLs, certificates and credentials.

Secrets come from files, or stand in the URLs of the settings; what is logged or shown is without.
"""

from __future__ import annotations

import importlib.util
import logging
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from edge_daemon.errors import SettingsError
from edge_daemon.settings import NatsSettings

_log = logging.getLogger(__name__)

_USER_INFO = re.compile(r"//\S*@")


def redacted(text: str) -> str:
    """A URL, or a text with URLs in it, without users and passwords."""
    return _USER_INFO.sub("//***@", text)


@dataclass(frozen=True)
class Access:
    """Where the servers are and what opens them, checked as far as it can be without a network."""

    servers: tuple[str, ...]
    tls: ssl.SSLContext | None
    credentials: str | None
    seed: str | None

    def wants_tls(self, server: str) -> bool:
        """Whether a connection to this server may not be in the clear."""
        return self.tls is not None or server.startswith("tls:")


def access_of(settings: NatsSettings) -> Access:
    """What the settings say of servers, certificates and credentials.

    Raises:
        SettingsError: A URL is malformed, or a file is missing or not what it should be.
    """
    for server in settings.servers:
        _check_url(server)
    tls = None if settings.tls_ca is None else _authorities(settings.tls_ca)
    file = settings.credentials
    is_seed = file is not None and _is_seed(file)
    return Access(
        settings.servers,
        tls,
        credentials=None if is_seed else file,
        seed=file if is_seed else None,
    )


def _check_url(server: str) -> None:
    try:
        parts = urlsplit(server)
        well_formed = (
            parts.scheme in ("nats", "tls")
            and parts.hostname
            and parts.port != 0
            and not parts.path.strip("/")
        )
    except ValueError:
        well_formed = False
    if not well_formed or not server.isprintable() or " " in server:
        raise SettingsError(
            "not a NATS server's URL",
            value=redacted(server),
            remedy="write nats://ADDRESS:PORT, or tls://ADDRESS:PORT for an encrypted connection",
        )


def _authorities(file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ValueError) as mistake:
        raise SettingsError(
            f"cannot use the certificate authorities (nats.tls_ca): {mistake}",
            value=file,
            remedy="name a readable PEM file with the authority that signed the server's",
        ) from None


def _is_seed(file: str) -> bool:
    """Whether a file of credentials is a bare NKEY seed, and not a .creds file."""
    try:
        text = Path(file).read_text("ascii")
        readable_by_others = bool(Path(file).stat().st_mode & 0o077)
    except (OSError, UnicodeDecodeError) as mistake:
        raise SettingsError(
            f"cannot read the credentials file (nats.credentials): {mistake}",
            value=file,
            remedy="name a readable .creds file, or one that holds an NKEY seed",
        ) from None
    if "BEGIN NATS USER JWT" in text and "BEGIN USER NKEY SEED" in text:
        is_seed = False
    elif re.fullmatch(r"SU[A-Z2-7]{56}\s*", text):
        is_seed = True
    else:
        raise SettingsError(
            "neither NATS credentials nor the NKEY seed of a user (nats.credentials)",
            value=file,
            remedy="name the .creds file that nsc wrote, or one that holds a seed: SU and 56 more",
        )
    if importlib.util.find_spec("nkeys") is None:
        raise SettingsError(
            "credentials need the package nkeys, which is not installed",
            value=file,
            remedy="pip install 'nats-py[nkeys]'",
        )
    if readable_by_others:
        _log.warning("event=credentials_open_to_others file=%s remedy=%r", file, "chmod 600")
    return is_seed
