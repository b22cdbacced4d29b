"""Asks a vision-language model the prompts of each frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from edge_daemon.cloud.follow_up.files import read_file
from edge_daemon.cloud.follow_up.handover import Description, chat_content
from edge_daemon.cloud.follow_up.jobs import Job
from edge_daemon.cloud.kept import Kept
from edge_daemon.endpoint import Endpoint, MalformedAnswerError
from edge_daemon.semantic.refiners.prices import Prices, tokens_of
from edge_daemon.settings import ChatSettings
from edge_daemon.wire import EnvelopeHeader

LONGEST_ANSWER: Final = 65_536
"""In characters; what is beyond is left out, and the journal says so."""


class Asking:
    """The task that hands frames over: one chat completion for each prompt.

    Args:
        settings: The model, and where it is.
        directory: The cloud's.

    Raises:
        SettingsError: The endpoint's key is missing.
    """

    name: ClassVar[str] = "ask"
    journal: ClassVar[str] = "answers.jsonl"

    def __init__(self, settings: ChatSettings, directory: Path) -> None:
        self._settings = settings
        self._directory = directory
        self._endpoint = Endpoint(settings)
        self._prices = Prices.of(settings)

    def prompts_of(self, header: EnvelopeHeader) -> Sequence[str]:
        """One job for each prompt that asks something."""
        return tuple(dict.fromkeys(prompt for prompt in header.prompts if prompt.strip()))

    def do(self, job: Job) -> dict[str, Any]:
        """Asks one prompt of one frame.

        Returns:
            `from` ("picture", "text" or "text+thumbnail"), `model`, `answer`, `cut` where that is
            not all of it, and `cost` in the unit of the prices in the settings: by the tokens that
            the endpoint counts, or else by the length of the texts.

        Raises:
            StorageError: The frame's file cannot be read.
            EndpointError: There is no answer.
        """
        assert job.prompt is not None
        shown, source = self._shown(job.frame)
        content = chat_content(job.prompt, shown)
        reply = self._endpoint.post_json(
            "/chat/completions",
            {
                "model": self._settings.model,
                "messages": [{"role": "user", "content": content}],
                "temperature": self._settings.temperature,
                "max_tokens": self._settings.max_tokens,
            },
            deadline_s=self._settings.attempts * self._settings.timeout_s,
            repeat=self._prices.free,
        )
        answer = answer_of(reply)
        read = sum(tokens_of(part["text"]) for part in content if part["type"] == "text")
        return {
            "from": source,
            "model": self._settings.model,
            "answer": answer[:LONGEST_ANSWER],
            **({"cut": True} if len(answer) > LONGEST_ANSWER else {}),
            "cost": self._prices.charged(reply, read, answer),
        }

    def _shown(self, frame: Kept) -> tuple[bytes | Description, str]:
        """What is shown of a frame, and what to call it."""
        if "picture" in frame.files:
            return read_file(self._directory, frame.files["picture"]), "picture"
        text = read_file(self._directory, frame.files["text"]).decode("utf-8")
        if "thumbnail" not in frame.files:
            return Description(text, frame.header.semantic), "text"
        thumbnail = read_file(self._directory, frame.files["thumbnail"])
        return Description(text, frame.header.semantic, thumbnail), "text+thumbnail"


def answer_of(reply: dict[str, Any]) -> str:
    """The text of a chat completion.

    Raises:
        MalformedAnswerError: There is none.
    """
    try:
        answer = reply["choices"][0]["message"]["content"]
    except (LookupError, TypeError):
        answer = None
    if not isinstance(answer, str):
        raise MalformedAnswerError(
            "the answer is no chat completion with text",
            value=reply,
            remedy="check that base_url and model are those of a chat endpoint",
        )
    # JSON can hold halves of surrogate pairs, which no file of ours can.
    return answer.encode("utf-8", "replace").decode("utf-8")
