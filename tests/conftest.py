"""For every test: how hypothesis draws its examples, and what they must not touch."""

from __future__ import annotations

import os
import tempfile

import pytest
from hypothesis import settings

# pytest-xdist tells its workers the width of a terminal that they do not have, and rich would keep
# to it.
os.environ.pop("COLUMNS", None)

# Not in the user's own cache; it goes when the process ends.
CACHE = tempfile.TemporaryDirectory(prefix="edge-daemon-tests-")
os.environ["EDGE_DAEMON_CACHE"] = CACHE.name

# The same examples in every run, so that a change is judged by what it changes; `make fuzz` draws
# new ones.
# Without deadlines: how long an example takes is the machine's affair.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("exploring", derandomize=False, deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Minutes of kills come first: last, one process would be at them while the other is idle."""
    items.sort(key=lambda item: not item.path.name.startswith("test_crashes"))
