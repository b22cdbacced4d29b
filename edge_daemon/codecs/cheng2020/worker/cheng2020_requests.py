"""Requests to answers, failures among them."""

from __future__ import annotations

import re
import time
from typing import Any

from cheng2020_coder import Coder
from cheng2020_protocol import PROTOCOL, RequestError


def answer(coder: Coder, request: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
    """What a request is answered with."""
    op = request.get("op")
    if op == "hello":
        return {"protocol": PROTOCOL, **coder.versions}, b""
    if op not in {"load", "encode", "decode"}:
        raise RequestError("request", f"no such request: {op!r}")
    model = coder.load(request.get("model"))
    if op == "load":
        return {"digest": model.digest}, b""
    width, height = request.get("width"), request.get("height")
    for side in (width, height):
        if not isinstance(side, int) or side < 64 or side % 64:
            raise RequestError("request", f"a side is a multiple of 64, not {side!r}")
    assert isinstance(width, int)
    assert isinstance(height, int)
    if op == "encode":
        if len(payload) != 3 * width * height:
            raise RequestError("request", f"{len(payload)} bytes are no {width}x{height} pixels")
        start = time.perf_counter()
        check, z, y = coder.encode(model, width, height, payload)
        seconds = time.perf_counter() - start
        return {"digest": model.digest, "check": check, "z": len(z), "seconds": seconds}, z + y
    if request.get("digest") != model.digest:
        raise RequestError("digest", model.digest)
    split = request.get("z")
    if not isinstance(split, int) or not 0 <= split <= len(payload):
        raise RequestError("request", f"z ends outside of the payload: {split!r}")
    check, z, y = str(request.get("check")), payload[:split], payload[split:]
    return {}, coder.decode(model, width, height, check, z, y)


def guarded(coder: Coder, request: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
    """As `answer`, with every failure as an answer."""
    try:
        return answer(coder, request, payload)
    except RequestError as error:
        return {"error": error.kind, "message": str(error)}, b""
    except Exception as error:  # the libraries may fail in any way; the next request may not
        text = re.sub(r"\s+", " ", f"{type(error).__name__}: {error}")[:500]
        return {"error": "failed", "message": text}, b""
