"""The camera's side: hand a picture and a prompt to a daemon, and wait for what became of it.

    with Client("tcp://127.0.0.1:5591", client_id="gate-3") as client:
        result = client.send(Path("yard.jpg"), "Where is the red bicycle?", ack="delivered")
        print(result.bitstream_bytes, result.report)

Needs pyzmq and pydantic only. Arrays are read through the buffer protocol, so numpy arrays work and
numpy need not be there.

Both clients ping the daemon while they wait and take any traffic for a sign of life. When none
comes they close the connection, make a new one and send the same message again, with the same
sequence number: a daemon that has already done the work answers from memory instead of doing it
twice.
"""

from edge_daemon.client.blocking import Client
from edge_daemon.client.concurrent import AsyncClient
from edge_daemon.client.frames import Image, Result

__all__ = ["AsyncClient", "Client", "Image", "Result"]
