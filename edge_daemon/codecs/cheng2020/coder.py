"""What the worker does, in the terms of pictures and bitstreams, with every failure as its type."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from edge_daemon.codecs.abc import Pixels
from edge_daemon.codecs.cheng2020 import resources
from edge_daemon.codecs.cheng2020.bitstream import CHECK_BYTES, DIGEST_BYTES, LearnedBitstream
from edge_daemon.codecs.cheng2020.resources import WORKER, Resources
from edge_daemon.codecs.cheng2020.supervisor import Supervisor, WorkerError
from edge_daemon.codecs.cheng2020.weights import Variant
from edge_daemon.errors import DecodeError, EdgeError, EncodeError, LatentsError, NoEncoderError

# Seconds per megapixel by channels, measured on one thread of a server's AMD EPYC.
_FIRST_GUESS = {128: 7.0, 192: 14.0}
_START_S = 6.0  # Python, torch and a model, from a warm disk
_NEWEST_SHARE = 0.3

_NO_ENVIRONMENT = "no environment for CompressAI"
_BUILD = "run `make cheng2020` and name its Python in the setting cheng2020.python"


def missing(wanted: Resources, variant: Variant | None = None) -> tuple[str, str] | None:
    """What is not there, and what to do about it; None if all is.

    Args:
        wanted: What was configured.
        variant: The model that is needed; None if any would do.
    """
    if wanted.interpreter is None or not wanted.compressai_version:
        return _NO_ENVIRONMENT, _BUILD
    if wanted.untrained_seed is not None:
        return None
    if variant is None:
        if wanted.any_weights():
            return None
        variant = Variant("anchor", "mse", 3)
    elif wanted.weights_of(variant) is not None:
        return None
    where = "into the directory that cheng2020.weights names" if wanted.weights is None else "there"
    return (
        f"no weights for cheng2020 {variant.model}, {variant.metric}, quality {variant.quality}",
        f"put CompressAI's file, named as {variant.file_name}, {where}",
    )


class Coder:
    """One worker and what was learned of its speed.

    Args:
        wanted: Which worker. Nothing is looked up or started before a picture comes.
    """

    def __init__(self, wanted: Resources) -> None:
        self.resources = wanted
        interpreter = wanted.interpreter or wanted.python
        command = [interpreter, WORKER, str(wanted.threads)]
        self._supervisor = Supervisor(command, timeout_s=wanted.timeout_s)
        self._pace: dict[tuple[str, int], float] = {}

    def expected_s(self, variant: Variant, width: int, height: int) -> float:
        """Seconds to encode a padded picture of so many pixels, after an empty queue."""
        guess = _FIRST_GUESS[variant.channels]
        pace = self._pace.get((variant.model, variant.channels), guess)
        return width * height / 1e6 * pace + (0.0 if self._supervisor.running else _START_S)

    def encode(self, variant: Variant, padded: Pixels, width: int, height: int) -> LearnedBitstream:
        """Encode a picture.

        Args:
            variant: The model.
            padded: uint8 (H, W, 3), both sides multiples of 64.
            width: Of the picture before it was padded.
            height: Of the picture before it was padded.

        Raises:
            NoEncoderError: No environment, or no usable weights.
            EncodeError: The worker failed or ran out of time.
        """
        rows, columns = padded.shape[:2]
        request = {"op": "encode", "width": columns, "height": rows, **self._model(variant)}
        answer, payload = self._ask(request, padded.tobytes(), EncodeError)
        try:
            digest, check = bytes.fromhex(answer["digest"]), bytes.fromhex(answer["check"])
            z_bytes, seconds = int(answer["z"]), float(answer["seconds"])
        except (KeyError, TypeError, ValueError) as error:
            raise _malformed(answer, EncodeError) from error
        if (len(digest), len(check)) != (DIGEST_BYTES, CHECK_BYTES) or not (
            0 <= z_bytes <= len(payload)
        ):
            raise _malformed(answer, EncodeError)
        self._learn((variant.model, variant.channels), seconds / (rows * columns / 1e6))
        z, y = payload[:z_bytes], payload[z_bytes:]
        return LearnedBitstream(variant, width, height, digest, check, z, y)

    def decode(self, stream: LearnedBitstream, columns: int, rows: int) -> Pixels:
        """Decode a bitstream to its padded picture.

        Args:
            stream: The bitstream.
            columns: Width of the padded picture, a multiple of 64.
            rows: Its height, a multiple of 64.

        Returns:
            uint8 (rows, columns, 3).

        Raises:
            LatentsError: The decoded latents are not the encoder's.
            DecodeError: Other weights than the encoder's, or the worker failed or ran out of time.
            NoEncoderError: No environment, or no usable weights.
        """
        request = {
            "op": "decode",
            "width": columns,
            "height": rows,
            "digest": stream.digest.hex(),
            "check": stream.check.hex(),
            "z": len(stream.z),
            **self._model(stream.variant),
        }
        answer, payload = self._ask(request, stream.z + stream.y, DecodeError)
        if len(payload) != 3 * columns * rows:
            raise _malformed(answer, DecodeError)
        return np.frombuffer(payload, np.uint8).reshape(rows, columns, 3)

    def close(self) -> None:
        """End the worker; see `Supervisor.close`."""
        self._supervisor.close()

    def _model(self, variant: Variant) -> dict[str, Any]:
        lack = missing(self.resources, variant)
        if lack is not None:
            raise NoEncoderError(lack[0], value=str(self._where()), remedy=lack[1])
        seed = self.resources.untrained_seed
        weights = self.resources.weights_of(variant) if seed is None else None
        model = {"architecture": variant.model, "channels": variant.channels}
        return {"model": {**model, "weights": weights and str(weights), "seed": seed}}

    def _where(self) -> object:
        here = self.resources
        return here.python if not here.compressai_version else here.weights

    def _ask(
        self, request: dict[str, Any], payload: bytes, failure: type[EdgeError]
    ) -> tuple[dict[str, Any], bytes]:
        size = f"{request['width']}x{request['height']}"
        try:
            answer, data = self._supervisor.request(request, payload)
        except WorkerError as error:
            raise failure(
                f"cheng2020: {error}",
                value=size,
                remedy="send it later, or send it in a classical codec such as jpeg or hevc",
                retry_after_s=error.retry_after_s,
            ) from error
        kind, message = answer.get("error"), str(answer.get("message", ""))
        if kind is None:
            return answer, data
        if kind == "latents":
            raise LatentsError(
                "this decoder arrives at other latents than the encoder, whose arithmetic differs "
                f"in hardware or libraries: {message}",
                value=size,
                remedy="send the picture again in a classical codec such as jpeg or hevc",
            )
        if kind == "digest":
            raise DecodeError(
                f"the bitstream was made with the weights {request['digest']}, "
                f"and those here are {message}",
                value=size,
                remedy="use the same weights on both ends",
            )
        if kind == "weights":
            raise NoEncoderError(
                f"cheng2020's weights cannot be used: {message}",
                remedy="replace the file by the one that CompressAI publishes",
            )
        raise failure(
            f"the cheng2020 worker failed: {message}",
            value=size,
            remedy="send it in a classical codec such as jpeg or hevc",
        )

    def _learn(self, key: tuple[str, int], pace: float) -> None:
        known = self._pace.get(key, pace)
        self._pace[key] = known + _NEWEST_SHARE * (pace - known)


def _malformed(answer: dict[str, Any], failure: type[EdgeError]) -> EdgeError:
    return failure(
        "the cheng2020 worker gave a malformed answer",
        value=answer,
        remedy="run `make cheng2020` again, so that the worker's libraries fit",
    )


class _Held:
    """The process's coder; another one after `resources.configure`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._coder: Coder | None = None

    def get(self) -> Coder:
        wanted = resources.current()
        with self._lock:
            old, coder = None, self._coder
            if coder is None or coder.resources != wanted:
                old, coder = coder, Coder(wanted)
                self._coder = coder
        if old is not None:
            old.close()
        return coder

    def drop(self) -> None:
        with self._lock:
            coder, self._coder = self._coder, None
        if coder is not None:
            coder.close()


_HELD = _Held()


def current_coder() -> Coder:
    """The coder of what is configured now; its worker starts with its first picture."""
    return _HELD.get()


def close() -> None:
    """End the worker, if there is one. The next picture starts another one."""
    _HELD.drop()
