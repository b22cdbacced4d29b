from __future__ import annotations

from collections.abc import Iterator

import huggingface_hub
import pytest

from support.model_hub import ModelHub, model_hub

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHub]:
    """A hub of this test's own, and a client that has not yet looked at the environment."""
    for name in _PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    huggingface_hub.close_session()
    with model_hub() as served:
        yield served
    huggingface_hub.close_session()
