"""For every test: how hypothesis draws its examples, and how wide nothing is."""

from __future__ import annotations

import os

from hypothesis import settings

# pytest-xdist tells its workers the width of a terminal that they do not have, and rich would keep
# to it.
os.environ.pop("COLUMNS", None)

# The same examples in every run, so that a change is judged by what it changes; `make fuzz` draws
# new ones.
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("exploring", derandomize=False, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
