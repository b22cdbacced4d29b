"""Stand-ins for the packages that CompressAI imports and coding never calls."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import types
from collections.abc import Sequence
from typing import Any

ABSENT = (
    "PIL",
    "pandas",
    "pytorch_msssim",
    "requests",
    "torch_geometric",
    "torchvision",
    "tqdm",
)
"""What CompressAI imports for data sets, transforms and losses, and coding never calls."""


class Placeholder:
    """Stands for any name of a package that is not installed: a base class or a decorator."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __call__(self, decorated: Any) -> Any:
        """As a decorator: nothing."""
        return decorated


class PlaceholderModule(types.ModuleType):
    """A module in which every name is a `Placeholder`."""

    def __getattr__(self, name: str) -> type[Placeholder]:
        if name.startswith("__"):
            raise AttributeError(name)
        return Placeholder


class PlaceholderFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a placeholder for every package of `ABSENT`, installed or not.

    A torchvision of another build than torch's breaks on import, so one that happens to be
    installed is not tried.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The placeholder's spec; None for all other packages."""
        if fullname.partition(".")[0] not in ABSENT:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """An empty placeholder."""
        return PlaceholderModule(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing to run."""
