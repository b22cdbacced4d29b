"""A language model proposes, at any endpoint that speaks as OpenAI's chat completions do."""

from __future__ import annotations

import base64
import time
from typing import Any, ClassVar, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.endpoint import Endpoint, EndpointError, EndpointRefusedError
from edge_daemon.semantic.brief import Brief
from edge_daemon.semantic.cleaning import cleaned
from edge_daemon.semantic.notes import Note
from edge_daemon.semantic.peers import note_of
from edge_daemon.semantic.refiners.abc import Best, Proposal, Refiner
from edge_daemon.semantic.refiners.answers import prompts_in
from edge_daemon.semantic.refiners.prices import Prices, tokens_of
from edge_daemon.semantic.refiners.wording import SYSTEM, request_of
from edge_daemon.settings import RefinerChatSettings

_PATH: Final = "/chat/completions"
_NEWER_FIELD: Final = "max_completion_tokens"
_FEWEST_TOKENS: Final = 32
"""An answer that may not be longer than this is not worth asking for."""
_LONGEST_SIDE: Final = 512
"""Pixels. With `detail` "low", OpenAI's models look at 512x512 and no more."""
_JPEG_QUALITY: Final = 85
_PICTURE_TOKENS: Final = 3000
"""Most that OpenAI's models count for a picture of low detail (gpt-4o-mini: 2833)."""


class OpenAIRefiner:
    """Has a language model vary the best text so far.

    The first time it starts from the client's caption; without one, and unless the model is shown
    the picture, from a text that `phrases` composes, since a model that sees nothing has to have
    something to start from. That text is among the first proposals, whatever the model adds, and
    stands alone if the model does not answer.

    Args:
        settings: Which model, and what it costs.
        phrases: Composes the text to start from.

    Raises:
        SettingsError: The key is missing, open to other users or none.
    """

    name: ClassVar[str] = "openai"
    local: ClassVar[bool] = False

    def __init__(self, settings: RefinerChatSettings, phrases: Refiner) -> None:
        self._settings = settings
        self._phrases = phrases
        self._endpoint = Endpoint(settings)
        self._prices = Prices.of(settings)
        self._thinks = False

    def propose(
        self,
        brief: Brief,
        best: Best | None,
        count: int,
        *,
        rng: np.random.Generator,
        timeout_s: float,
        budget: float | None,
    ) -> Proposal:
        """First texts, or variants of the best one; see `Refiner`."""
        caption, notes = cleaned(brief.caption, brief.max_bytes)
        if best is not None:
            asked = self._asked(brief, caption, best.text, best, count, rng, timeout_s, budget)
            return Proposal(asked.texts[:count], asked.cost, asked.notes)
        start, cost = caption, 0.0
        if not start and not self._settings.send_picture:
            composed = self._phrases.propose(
                brief, None, 1, rng=rng, timeout_s=timeout_s, budget=budget
            )
            start, cost = "".join(composed.texts[:1]), composed.cost
            notes += composed.notes
        wanted = max(1, count - 1) if start else count
        asked = self._asked(brief, caption, start, None, wanted, rng, timeout_s, budget)
        texts = (*asked.texts[:wanted], start) if start else asked.texts
        return Proposal(
            tuple(dict.fromkeys(texts))[:count], cost + asked.cost, (*notes, *asked.notes)
        )

    def _asked(
        self,
        brief: Brief,
        caption: str,
        start: str,
        best: Best | None,
        count: int,
        rng: np.random.Generator,
        timeout_s: float,
        budget: float | None,
    ) -> Proposal:
        """What the model answers, if it does and the budget allows to ask it."""
        shown = self._settings.send_picture
        request = request_of(brief, caption, start, best, count, shown=shown)
        read = tokens_of(SYSTEM) + tokens_of(request) + (_PICTURE_TOKENS if shown else 0)
        most = self._prices.affordable(read, self._settings.max_tokens, budget)
        if most < min(_FEWEST_TOKENS, self._settings.max_tokens):
            bound = self._prices.cost(read, _FEWEST_TOKENS)
            return Proposal((), 0.0, (Note("out-of-money", f"asking may cost {bound:.3g}"),))
        body: dict[str, Any] = {
            "model": self._settings.model,
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": _content(request, brief.pixels if shown else None)},
            ],
            "temperature": self._settings.temperature,
            "max_tokens": most,
            "seed": int(rng.integers(2**31)),
        }
        try:
            answer = self._posted(body, timeout_s)
        except EndpointError as error:
            # Nobody knows what was charged for: the most that it can have been.
            cost = self._prices.cost(read, most) if error.perhaps_charged else 0.0
            return Proposal((), cost, (note_of(error),))
        content = _content_of(answer)
        texts = prompts_in(content)
        notes = () if texts else (Note("malformed-answer", "no texts in what the model wrote"),)
        return Proposal(texts, self._prices.charged(answer, read, content), notes)

    def _posted(self, body: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """The answer, in the dialect that this model speaks.

        OpenAI's models that think before they answer refuse `max_tokens`, naming the field that
        they want, and any temperature but their own. Local servers know the older field only.
        """
        ends = time.monotonic() + timeout_s
        free = self._prices.free
        if not self._thinks:
            try:
                return self._endpoint.post_json(_PATH, body, deadline_s=timeout_s, repeat=free)
            except EndpointRefusedError as refused:
                if _NEWER_FIELD not in (refused.value or ""):
                    raise
            self._thinks = True
        other = {name: body[name] for name in ("model", "messages")}
        other[_NEWER_FIELD] = body["max_tokens"]
        left_s = ends - time.monotonic()
        return self._endpoint.post_json(_PATH, other, deadline_s=left_s, repeat=free)


def _content(request: str, pixels: NDArray[np.uint8] | None) -> str | list[dict[str, Any]]:
    """The user's message, with a picture if the model is shown one."""
    if pixels is None:
        return request
    url = f"data:image/jpeg;base64,{base64.b64encode(_small_jpeg(pixels)).decode('ascii')}"
    return [
        {"type": "text", "text": request},
        {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
    ]


def _small_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    height, width = pixels.shape[:2]
    scale = min(1.0, _LONGEST_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1.0 else pixels
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes()


def _content_of(answer: dict[str, Any]) -> str:
    """The text of a chat completion; empty if it has none."""
    value: Any = answer
    try:
        value = value["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        return ""
    return value if isinstance(value, str) else ""
