from __future__ import annotations

import pytest

from edge_daemon.settings import Transport as Name
from edge_daemon.settings import UplinkSettings
from edge_daemon.uplink.transports import Transport, make_transport
from edge_daemon.uplink.transports.directory import DirectoryTransport
from edge_daemon.uplink.transports.nats import NatsTransport
from edge_daemon.uplink.transports.zeromq import ZeroMqTransport


@pytest.mark.parametrize(
    ("name", "kind", "cloud_answers"),
    [
        ("zeromq", ZeroMqTransport, True),
        ("nats", NatsTransport, False),
        ("directory", DirectoryTransport, False),
    ],
)
def test_the_settings_name_the_transport(
    name: Name, kind: type[Transport], cloud_answers: bool
) -> None:
    transport = make_transport(UplinkSettings(transport=name))
    assert type(transport) is kind
    assert transport.cloud_answers is cloud_answers
