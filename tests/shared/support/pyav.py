"""A stand-in for a build of PyAV that lacks a codec."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

import av
import pytest
from av.codec.codec import UnknownCodecError


def without_codecs(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
    """What `module` knows as `av` has no codec at all."""

    def create(name: str, *_: object) -> av.CodecContext:
        raise UnknownCodecError(name)

    # PyAV's own classes cannot be changed in every version of it.
    poor = SimpleNamespace(**vars(av))
    poor.CodecContext = SimpleNamespace(create=create)
    monkeypatch.setattr(module, "av", poor)
