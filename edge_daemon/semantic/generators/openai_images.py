"""A text-to-image model draws, at any endpoint that speaks as OpenAI's images API does.

Sent are `model`, `prompt`, `n` = 1 and `size`, and `quality`, `style` and `seed` where the settings
say so. `response_format` is not: OpenAI's newer models refuse it and answer in base64, the older
ones and local servers answer with either, and both are read. OpenAI's API has no seed and refuses
the field; LocalAI reads it; stable-diffusion.cpp's server takes its seed at its start.
"""

from __future__ import annotations

import base64
import time
from typing import Any, ClassVar, Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.endpoint import Endpoint, EndpointError, MalformedAnswerError
from edge_daemon.errors import EdgeError
from edge_daemon.pictures import PictureLimits, open_picture, to_png
from edge_daemon.semantic.generators.abc import Drawn, Order
from edge_daemon.semantic.notes import Note, noted
from edge_daemon.semantic.peers import note_of
from edge_daemon.semantic.side import Side
from edge_daemon.settings import ImagesSettings

_MOST_PIXELS: Final = 4096 * 4096
_SIDE_LENGTH: Final = 512
"""Pixels of the longer side that side information is enlarged to: models refuse tiny pictures."""
_ROUNDING: Final = 1e-9
_SIDE_SAYS: Final = {
    "thumbnail": "Keep the layout and the colours of the blurred picture. It shows: ",
    "sketch": "Keep the layout of the edges in the sketch, as a photograph. It shows: ",
}


class OpenAIImagesGenerator:
    """Asks for one picture after another, as many as time and budget allow.

    One at a time, because DALL-E 3 and local servers draw no more at once, and each has its seed.

    Args:
        settings: Which model, and what it costs.

    Raises:
        SettingsError: The key is missing, open to other users or none.

    Attributes:
        takes_side: Whether side information goes to /images/edits.
    """

    name: ClassVar[str] = "openai-images"

    def __init__(self, settings: ImagesSettings) -> None:
        self._settings = settings
        self._endpoint = Endpoint(settings)
        self._limits = PictureLimits(settings.max_answer_bytes, _MOST_PIXELS)
        self.takes_side = settings.edits

    def draw(self, order: Order) -> Drawn:
        """Pictures of a text; see `Generator`."""
        ends = time.monotonic() + order.timeout_s
        price = self._settings.price
        pictures: list[NDArray[np.uint8]] = []
        notes: list[Note] = []
        cost = 0.0
        for number in range(order.count):
            if order.budget is not None and cost + price > order.budget + _ROUNDING:
                notes.append(
                    Note("out-of-money", f"{number} of {order.count} drawings were affordable")
                )
                break
            if time.monotonic() >= ends:
                notes.append(
                    Note("out-of-time", f"{number} of {order.count} drawings were done in time")
                )
                break
            try:
                answer = self._asked(order, order.seed + number, ends - time.monotonic())
                cost += price
            except EndpointError as error:
                # Nobody knows what was charged for: as if it had been.
                cost += price if error.perhaps_charged else 0.0
                notes.append(note_of(error))
                break
            try:
                pictures.append(self._picture(answer, ends - time.monotonic()))
            except EndpointError as error:
                notes.append(note_of(error))
            except EdgeError as error:
                notes.append(noted("malformed-answer", f"a drawing is unreadable: {error.problem}"))
        return Drawn(tuple(pictures), cost, tuple(dict.fromkeys(notes)))

    def _asked(self, order: Order, seed: int, seconds: float) -> dict[str, Any]:
        settings = self._settings
        fields: dict[str, Any] = {
            "model": settings.model,
            "prompt": order.text,
            "n": 1,
            "size": settings.size,
        }
        if settings.quality is not None:
            fields["quality"] = settings.quality
        if settings.send_seed:
            fields["seed"] = seed
        repeat = settings.price == 0.0
        if settings.edits and order.side is not None:
            fields["prompt"] = _SIDE_SAYS[order.side.kind] + order.text
            return self._endpoint.post_form(
                "/images/edits",
                {name: str(value) for name, value in fields.items()},
                {"image": ("side.png", to_png(_enlarged(order.side)), "image/png")},
                deadline_s=seconds,
                repeat=repeat,
            )
        if settings.style is not None:
            fields["style"] = settings.style
        return self._endpoint.post_json(
            "/images/generations", fields, deadline_s=seconds, repeat=repeat
        )

    def _picture(self, answer: dict[str, Any], seconds: float) -> NDArray[np.uint8]:
        """The picture in an answer, or behind the URL in it.

        Raises:
            EdgeError: There is none, or none that can be opened within the limits.
        """
        value: Any = answer
        try:
            value = value["data"][0]
        except (KeyError, IndexError, TypeError):
            value = None
        fields = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        encoded, url = fields.get("b64_json"), fields.get("url")
        if isinstance(encoded, str):
            data = _decoded(encoded)
        elif isinstance(url, str) and url.startswith("data:"):
            data = _decoded(url)
        elif isinstance(url, str):
            data = self._endpoint.get_bytes(url, deadline_s=seconds)
        else:
            raise _malformed("the answer holds no picture")
        return open_picture(data, self._limits).pixels


def _decoded(encoded: str) -> bytes:
    """The bytes of base64, behind the head of a data URL if it has one."""
    try:
        return base64.b64decode(encoded.rpartition(",")[2])
    except ValueError:
        raise _malformed("the picture in the answer is no base64") from None


def _malformed(problem: str) -> MalformedAnswerError:
    return MalformedAnswerError(
        problem, remedy="check that base_url is that of an images API", perhaps_charged=True
    )


def _enlarged(side: Side) -> NDArray[np.uint8]:
    height, width = side.pixels.shape[:2]
    scale = _SIDE_LENGTH / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(side.pixels, size, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
