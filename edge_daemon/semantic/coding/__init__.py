"""The bitstream of mode "semantic": text, packed by a primed model, and perhaps the layout."""

from edge_daemon.semantic.coding.payload import (
    Payload,
    TextCoding,
    decode_payload,
    encode_payload,
    packed_bytes,
    side_of,
)

__all__ = [
    "Payload",
    "TextCoding",
    "decode_payload",
    "encode_payload",
    "packed_bytes",
    "side_of",
]
