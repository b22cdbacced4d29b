"""Asks a vision-language model one question about one picture."""

from __future__ import annotations

import base64
from typing import Any

from edge_daemon.cloud.follow_up.asking import answer_of
from edge_daemon.endpoint import Endpoint
from edge_daemon.settings import ChatSettings


class Asker:
    """A model behind an OpenAI-compatible endpoint. Thread-safe.

    Args:
        settings: The model, where it is, what opens it.

    Raises:
        SettingsError: The endpoint's key is missing.
    """

    def __init__(self, settings: ChatSettings) -> None:
        self._settings = settings
        self._endpoint = Endpoint(settings)

    def ask(self, prompt: str, png: bytes) -> str:
        """What the model says.

        Args:
            prompt: The question.
            png: The picture; sent as it is, so that nothing but the condition changes it.

        Raises:
            EndpointError: There is no answer.
        """
        url = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
        content: list[dict[str, Any]] = [
            {"type": "image_url", "image_url": {"url": url}},
            {"type": "text", "text": prompt},
        ]
        reply = self._endpoint.post_json(
            "/chat/completions",
            {
                "model": self._settings.model,
                "messages": [{"role": "user", "content": content}],
                "temperature": self._settings.temperature,
                "max_tokens": self._settings.max_tokens,
            },
            deadline_s=self._settings.attempts * self._settings.timeout_s,
        )
        return answer_of(reply)
