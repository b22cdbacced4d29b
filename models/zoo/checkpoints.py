"""The checkpoint of a published model, downloaded into the store and held against what is known.

Of each file the word of the catalogue counts before that of this machine's record, and that before
the hub's, which is asked only where the other two are silent: what is pinned cannot be changed by a
server. What nobody knew beforehand is pinned on first use.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from models.disk import check_room
from models.errors import BundleError
from models.manifest import FileFacts
from models.place import STORE_VARIABLE
from models.store import make_store
from models.zoo.errors import NotPublishedError, shown
from models.zoo.fetch import Progress, Voucher, Wanted, fetch, missing_bytes
from models.zoo.hub import Hub, HubFile, Listing
from models.zoo.pins import Pins, read_pins, write_pins
from models.zoo.published import PublishedFile, PublishedModel, Release, Repository

_HIDDEN = ".zoo"
"""In the store: records of first pulls, and checkpoints. No bundle's name begins with a dot."""


@dataclass(frozen=True)
class Checkpoint:
    """A downloaded checkpoint.

    Attributes:
        path: What `python -m export` takes.
        source: Where it came from, for the bundle's manifest.
        first_use: Files that neither the catalogue nor the record knew: pinned now.
        record: Where their facts are written down.
        directory: Where its files lie.
    """

    path: Path
    source: str
    first_use: tuple[str, ...]
    record: Path
    directory: Path

    def discard(self) -> None:
        """Remove its files; the record stays."""
        shutil.rmtree(self.directory)


def fetch_checkpoint(
    model: PublishedModel,
    *,
    mirror: str | None = None,
    repin: bool = False,
    progress: Progress = lambda name, here, whole: None,
) -> Checkpoint:
    """Download what is not here yet of a model's checkpoint, and check all of it.

    Args:
        model: From the catalogue.
        mirror: A URL that takes the hub's place, and the place of a release's scheme and host.
        repin: Forget what the first pull brought, and write down what comes now.
        progress: See `Progress`.

    Raises:
        DownloadError: A file cannot be had, or is not what it has to be.
        BundleError: The store cannot be written, or has no room.
    """
    home = make_store() / _HIDDEN
    record, directory = home / "pins" / f"{model.name}.json", home / "checkpoints" / model.name
    pins = Pins() if repin else read_pins(record)
    hub = Hub(mirror)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        wanted, revisions = _plan(model, pins, hub, mirror)
        missing = sum(missing_bytes(file, directory) for file in wanted)
        check_room(directory, missing, f"the checkpoint of {model.name}")
        facts = {file.name: fetch(hub, file, directory, progress) for file in wanted}
        write_pins(record, Pins(revisions=revisions, files=facts))
    except OSError as error:
        raise BundleError(
            f"cannot write the checkpoint of {model.name} ({error.strerror})",
            file=directory,
            remedy=f"run this as the store's owner, or set ${STORE_VARIABLE} to another directory",
        ) from error
    known = {file.name for file in model.files if file.sha256} | set(pins.files)
    first_use = tuple(name for name in facts if name not in known)
    return Checkpoint(
        path=directory if model.checkpoint is None else directory / model.checkpoint,
        source=_source(model, revisions, facts, first_use, mirror),
        first_use=first_use,
        record=record,
        directory=directory,
    )


def _plan(
    model: PublishedModel, pins: Pins, hub: Hub, mirror: str | None
) -> tuple[list[Wanted], dict[str, str]]:
    """What every file has to be, and the commit of every repository that is asked for them."""
    wanted: list[Wanted] = []
    listings: dict[str, Listing] = {}
    revisions: dict[str, str] = {}
    for file in model.files:
        bytes_, sha256, voucher = file.bytes, file.sha256, Voucher.CATALOGUE
        if sha256 is None and file.name in pins.files:
            recorded = pins.files[file.name]
            bytes_, sha256, voucher = recorded.bytes, recorded.sha256, Voucher.RECORD
        if isinstance(file.origin, Release):
            url = _mirrored(f"{file.origin.url}/{file.name}", mirror)
            wanted.append(Wanted(file.name, url, voucher, bytes_, sha256))
            continue
        repository = file.origin.id
        revision = file.origin.revision or pins.revisions.get(repository)
        git_sha1 = None
        if sha256 is None or revision is None:
            if repository not in listings:
                listings[repository] = hub.listing(repository, revision)
            revision = listings[repository].commit
            if sha256 is None:
                said = _listed(listings[repository], repository, file)
                bytes_, sha256, git_sha1 = said.bytes, said.sha256, said.git_sha1
                voucher = Voucher.HUB
        revisions[repository] = revision
        url = hub.url(repository, revision, file.name)
        wanted.append(
            Wanted(file.name, url, voucher, bytes_, sha256, git_sha1, headers=hub.headers())
        )
    return wanted, revisions


def _listed(listing: Listing, repository: str, file: PublishedFile) -> HubFile:
    if file.name not in listing.files:
        raise NotPublishedError(
            f"{repository} has no {file.name} at {listing.commit}",
            remedy="pull with --repin if the record is of another commit; or update edge-daemon",
        )
    return listing.files[file.name]


def _mirrored(url: str, mirror: str | None) -> str:
    """The same path elsewhere."""
    return url if mirror is None else mirror.rstrip("/") + urlsplit(url).path


def _source(
    model: PublishedModel,
    revisions: dict[str, str],
    facts: dict[str, FileFacts],
    first_use: tuple[str, ...],
    mirror: str | None,
) -> str:
    """Where the weights came from, and which they are."""
    weights = max(model.files, key=lambda file: facts[file.name].bytes)
    origin = weights.origin
    if isinstance(origin, Repository):
        place = f"huggingface.co/{origin.id} at {revisions[origin.id]}: {weights.name}"
    else:
        place = f"{origin.url}/{weights.name}"
    way = "" if mirror is None else f", by way of {shown(mirror)}"
    pinned = ", pinned on first use" if weights.name in first_use else ""
    return f"{place} (SHA-256 {facts[weights.name].sha256}{pinned}{way})"
