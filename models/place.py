"""Where bundles live on this machine: the store, a directory with one directory per bundle."""

from __future__ import annotations

import os
import re
from pathlib import Path

from models.errors import BundleError
from models.manifest import MANIFEST_FILE

STORE_VARIABLE = "EDGE_DAEMON_BUNDLES"
"""The environment variable that names the store."""

SERVICE_STATE = Path("/var/lib/edge-daemon")
"""The state directory of the service (`deploy/systemd/edge-daemon.service`)."""

# As `models.manifest.BundleName`: nothing that leads out of the store, and no hidden directory.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def store_directory() -> Path:
    """The store's directory; it need not exist.

    `$EDGE_DAEMON_BUNDLES`; else, where the service's state directory is and this user may enter it,
    `bundles` in there; else `edge-daemon/bundles` in the user's data directory (`$XDG_DATA_HOME`,
    by default `~/.local/share`).
    """
    if named := os.environ.get(STORE_VARIABLE):
        return Path(named).expanduser().absolute()
    if os.access(SERVICE_STATE, os.R_OK | os.X_OK):
        return SERVICE_STATE / "bundles"
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser().absolute() / "edge-daemon" / "bundles"


def is_name(text: str) -> bool:
    """Whether this could be a bundle's name, and not only a path."""
    return _NAME.fullmatch(text) is not None


def stored_bundles() -> dict[str, Path]:
    """Names and directories of the bundles in the store, sorted by name; links are not followed.

    Whether they can be loaded is another matter (`models.store.verify_bundle`).

    Raises:
        BundleError: The store is there but cannot be read.
    """
    store = store_directory()
    try:
        found = sorted(
            entry.name
            for entry in os.scandir(store)
            if is_name(entry.name)
            and entry.is_dir(follow_symlinks=False)
            and (store / entry.name / MANIFEST_FILE).exists()
        )
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BundleError(
            f"cannot read the store of bundles ({error.strerror})",
            file=store,
            remedy=f"run this as the store's owner, or set ${STORE_VARIABLE} to another directory",
        ) from error
    return {name: store / name for name in found}
