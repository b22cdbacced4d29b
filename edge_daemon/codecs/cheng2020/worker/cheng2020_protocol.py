"""What is said on the worker's streams: frames, requests, answers, and kinds of failure.

A frame, in both directions, is `FRAME` (magic, bytes of the header, bytes of the payload; big
endian), a JSON object in UTF-8, and the payload. Requests are answered one by one, in order:

| op     | header beside `op`                     | answer                                  |
|--------|----------------------------------------|-----------------------------------------|
| hello  |                                        | protocol, compressai, torch             |
| load   | model                                  | digest                                  |
| encode | model, width, height;                  | digest, check, z, seconds;              |
|        | payload: RGB pixels                    | payload: z, y                           |
| decode | model, width, height, digest, check, z | payload: RGB pixels                     |
|        | payload: z, y                          |                                         |

`model` is {architecture: "anchor" or "attention", channels, weights: a file, or null with seed: a
number for an untrained model}. Width and height are multiples of 64. `z` is the length of the
entropy-coded z, after which that of y begins. `digest` names the weights and `check` the latents
(see `cheng2020_weights.digest_of` and `cheng2020_latents.Taps.check`), both as hexadecimal digits;
`seconds` is what the encoding took, without loading the model. A request that fails is answered by
{error: kind, message: text}, the kinds being `request`, `weights`, `digest`, `latents`, `failed`.
"""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO

PROTOCOL = 1
FRAME = struct.Struct(">4sIQ")
MAGIC = b"EC20"
MOST_HEADER_BYTES = 1 << 16
MOST_PAYLOAD_BYTES = 1 << 31


class RequestError(Exception):
    """A request that cannot be served, and the kind under which it is answered."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def read_frame(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """The next request; None at the end of the stream, or if it is not ours."""
    start = stream.read(FRAME.size)
    if len(start) < FRAME.size:
        return None
    magic, header_bytes, payload_bytes = FRAME.unpack(start)
    if magic != MAGIC or header_bytes > MOST_HEADER_BYTES or payload_bytes > MOST_PAYLOAD_BYTES:
        return None
    header, payload = stream.read(header_bytes), stream.read(payload_bytes)
    if len(payload) < payload_bytes:
        return None
    return json.loads(header), payload


def write_frame(stream: BinaryIO, header: dict[str, Any], payload: bytes) -> None:
    """One answer."""
    text = json.dumps(header).encode()
    stream.write(FRAME.pack(MAGIC, len(text), len(payload)) + text)
    stream.write(payload)
    stream.flush()
