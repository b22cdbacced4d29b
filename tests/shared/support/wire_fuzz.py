"""What any bytes may do to the wire's readers: be read, or be refused with one of our errors."""

from __future__ import annotations

from edge_daemon.errors import EdgeError
from edge_daemon.wire import (
    FRONT_REQUESTS,
    UPLINK_REQUESTS,
    ErrorHeader,
    error_of,
    glimpse_address,
    pack,
    pack_envelope,
    read_reply,
    read_request,
    unpack_envelope,
)
from edge_daemon.wire.envelope import seal_header

READERS = 5
MAX_HEADER_BYTES = 65_536


def read_any(data: bytes) -> str:
    """Gives the bytes to one of the readers, chosen by the first of them.

    Returns:
        "read" or "refused".

    Raises:
        AssertionError: What was read does not survive being written and read again.
        Exception: A defect: anything that is none of our errors.
    """
    which, data = (data[0] % READERS, data[1:]) if data else (0, data)
    header, _, payload = data.partition(b"\0")
    parts = [header, payload] if payload else [header]
    try:
        if which in (0, 1):
            kinds = UPLINK_REQUESTS if which else FRONT_REQUESTS
            request, kept = read_request(parts, kinds, max_header_bytes=MAX_HEADER_BYTES)
            again = pack(request, kept) if len(parts) == 2 else pack(request)
            assert read_request(
                [bytes(part) for part in again], kinds, max_header_bytes=MAX_HEADER_BYTES
            ) == (request, kept)
        elif which == 2:
            reply, _ = read_reply(parts)
            assert read_reply([bytes(part) for part in pack(reply)])[0] == reply
            if isinstance(reply, ErrorHeader):
                assert str(error_of(reply))
        elif which == 3:
            # Checksums stop random bytes at the door: the header behind them is read as it is.
            envelope = unpack_envelope(seal_header(header) + payload)
            assert unpack_envelope(pack_envelope(envelope)) == envelope
        else:
            address = glimpse_address(data)
            assert address.sequence is None or address.sequence >= 0
            unpack_envelope(data)
    except EdgeError:
        return "refused"
    return "read"
