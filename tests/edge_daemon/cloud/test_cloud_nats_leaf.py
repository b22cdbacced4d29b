"""The layout of deploy/nats, started from its own files: a site's leaf, and the hub."""

from __future__ import annotations

import asyncio
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats
import nats.errors
import nats.js.errors
import pytest
from nats.js import JetStreamContext

from edge_daemon.cloud.nats_worker import NatsWorker
from edge_daemon.config import load_settings
from edge_daemon.settings import Settings
from edge_daemon.uplink.transports.nats import NatsTransport
from support.nats_server import NatsServer, check_config, free_port, needs_nats_server
from support.nats_workers import logged, sample
from support.verdicts_heard import Heard
from support.waiting import PATIENCE_S, eventually

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy" / "nats"
PASSWORDS = {"WORKER_PASSWORD": "workers-own", "SITE_PASSWORD": "sites-own", "ADMIN_PASSWORD": "a"}

pytestmark = [
    needs_nats_server,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]


@dataclass
class Layout:
    """The shipped files in a directory of their own, with values of their own."""

    directory: Path
    hub_port: int
    leaf_port: int

    @property
    def authority(self) -> str:
        return str(self.directory / "hub.pem")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    directory = tmp_path / "layout"
    directory.mkdir()
    for name in ("hub.conf", "leaf.conf"):
        shutil.copy(DEPLOY / name, directory)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", directory / "hub.key", "-out", directory / "hub.pem", "-days", "2",
         "-subj", "/CN=hub", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    hub, hub_leaves, leaf = free_port(), free_port(), free_port()
    _write(
        directory / "hub-site.conf",
        {
            "HUB_LISTEN": f"127.0.0.1:{hub}",
            "HUB_LEAF_LISTEN": f"127.0.0.1:{hub_leaves}",
            "HUB_CERTIFICATE": str(directory / "hub.pem"),
            "HUB_KEY": str(directory / "hub.key"),
            "HUB_STORE": str(directory / "store"),
        },
        'include "hub-users.conf"\nHUB_STORE_BYTES: 1GB\n',
    )
    _write(directory / "hub-users.conf", PASSWORDS)
    _write(
        directory / "leaf-site.conf",
        {
            "LEAF_NAME": "test-site",
            "LEAF_LISTEN": f"127.0.0.1:{leaf}",
            "LEAF_HUB": f"tls://site:{PASSWORDS['SITE_PASSWORD']}@127.0.0.1:{hub_leaves}",
            "LEAF_AUTHORITY": str(directory / "hub.pem"),
        },
    )
    return Layout(directory, hub, leaf)


def _write(file: Path, values: dict[str, str], more: str = "") -> None:
    file.write_text(more + "".join(f'{name}: "{value}"\n' for name, value in values.items()))


@pytest.fixture
def hub(layout: Layout) -> Iterator[NatsServer]:
    with NatsServer(layout.directory / "hub.conf", layout.hub_port) as running:
        yield running


@pytest.fixture
def leaf(layout: Layout) -> Iterator[NatsServer]:
    with NatsServer(layout.directory / "leaf.conf", layout.leaf_port) as running:
        yield running


@pytest.mark.parametrize("name", ["hub", "leaf"])
def test_nats_server_finds_nothing_wrong_with_the_shipped_files(layout: Layout, name: str) -> None:
    code, words = check_config(layout.directory / f"{name}.conf")
    assert (code, "is valid" in words) == (0, True), words


@pytest.mark.parametrize("name", ["hub-site.conf", "leaf-site.conf", "hub-users.conf"])
def test_the_shipped_values_are_those_that_the_layout_needs(layout: Layout, name: str) -> None:
    shipped = DEPLOY / (f"{name}.example" if name == "hub-users.conf" else name)

    def names(file: Path) -> set[str]:
        return set(re.findall(r"^([A-Z_]+):", file.read_text(), re.MULTILINE))

    assert names(shipped) == names(layout.directory / name)


def test_the_shipped_settings_are_for_both_ends_of_one_stream() -> None:
    shipped = load_settings(ROOT / "configs" / "fleet-nats.toml")
    assert (shipped.uplink.transport, shipped.cloud.transport) == ("nats", "nats")
    assert shipped.spool.directory is not None
    daemons, workers = shipped.uplink.nats, shipped.cloud.nats
    assert (daemons.stream, daemons.subject) == (workers.stream, workers.subject)
    assert (daemons.create_stream, workers.create_stream) == (False, True)


def settings(layout: Layout, directory: Path) -> Settings:
    """As the shipped settings, with this test's places."""
    shipped = load_settings(ROOT / "configs" / "fleet-nats.toml").cloud.nats
    url = f"tls://worker:{PASSWORDS['WORKER_PASSWORD']}@127.0.0.1:{layout.hub_port}"
    places: dict[str, Any] = {"servers": (url,), "tls_ca": layout.authority}
    chosen = {**shipped.model_dump(), **places}
    return Settings.model_validate({"cloud": {"directory": str(directory), "nats": chosen}})


async def test_a_frame_from_a_site_reaches_the_hubs_worker_also_after_the_hub_was_away(
    layout: Layout, hub: NatsServer, leaf: NatsServer, tmp_path: Path
) -> None:
    worker, ready = NatsWorker(settings(layout, tmp_path / "worker")), asyncio.Event()
    serving = asyncio.create_task(worker.serve(lambda _: ready.set()))
    await asyncio.wait_for(ready.wait(), PATIENCE_S)
    shipped = load_settings(ROOT / "configs" / "fleet-nats.toml").uplink.nats
    heard = Heard()
    site = NatsTransport(shipped.model_copy(update={"servers": (leaf.url,)}))
    await site.open(heard)

    assert await heard.next() == ("link", True)
    assert await site.send(("gate.1", 1), sample(1, "gate.1"))
    assert await heard.next() == ("delivered", ("gate.1", 1))
    # More than a server takes that was told nothing; the shipped files say more.
    assert await site.send(("gate.1", 9), bytes(4_000_000))
    assert await heard.next() == ("delivered", ("gate.1", 9))
    await eventually(lambda: logged(tmp_path / "worker") == [("gate.1", 1)])

    hub.kill()
    leaf.wait_for("Leafnode connection closed")
    assert await site.send(("gate.1", 2), sample(2, "gate.1"))
    told = [await heard.next()]
    while told[-1] != ("link", False):
        told.append(await heard.next())
    assert not await site.send(("gate.1", 2), sample(2, "gate.1"))
    hub.start()
    assert [await heard.next(), await heard.next()] == [("link", True), ("ready",)]
    assert await site.send(("gate.1", 2), sample(2, "gate.1"))
    assert await heard.next() == ("delivered", ("gate.1", 2))
    await eventually(lambda: logged(tmp_path / "worker") == [("gate.1", 1), ("gate.1", 2)])

    await site.close()
    worker.stop.ask()
    assert await asyncio.wait_for(serving, PATIENCE_S) == 0


async def published(js: JetStreamContext, subject: str, payload: bytes) -> None:
    """Publishes as soon as the leaf has learnt that the hub's stream wants it."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            await js.publish(subject, payload)
        except nats.js.errors.NoStreamResponseError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        else:
            return


async def test_a_site_can_neither_make_streams_nor_read_them(
    layout: Layout, hub: NatsServer, leaf: NatsServer
) -> None:
    hub.wait_for("Leafnode connection created")
    leaf.wait_for("Leafnode connection created")
    url = f"tls://worker:{PASSWORDS['WORKER_PASSWORD']}@127.0.0.1:{layout.hub_port}"
    trusted = ssl.create_default_context(cafile=layout.authority)
    cloud, site = await nats.connect(url, tls=trusted), await nats.connect(leaf.url)
    try:
        ours, theirs = cloud.jetstream(), site.jetstream(timeout=1.0)
        subjects = ["edge.frames.*"]
        await ours.add_stream(name="EDGE", subjects=subjects, duplicate_window=60)
        await published(theirs, "edge.frames.cam", b"from the site")
        assert (await theirs.stream_info("EDGE")).state.messages >= 1
        with pytest.raises(nats.errors.Error):
            await theirs.add_stream(name="OTHER", subjects=["other"])
        with pytest.raises(nats.js.errors.NotFoundError):
            await ours.stream_info("OTHER")
        with pytest.raises(nats.errors.Error):
            await theirs.get_last_msg("EDGE", "edge.frames.cam")
        assert (await ours.get_last_msg("EDGE", "edge.frames.cam")).data == b"from the site"
        with pytest.raises(nats.errors.Error):
            await theirs.delete_stream("EDGE")
        assert await ours.delete_stream("EDGE")
    finally:
        await site.close()
        await cloud.close()
