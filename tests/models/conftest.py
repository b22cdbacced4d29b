from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store of bundles for this test; not made yet."""
    place = tmp_path / "store"
    monkeypatch.setenv("EDGE_DAEMON_BUNDLES", str(place))
    return place
