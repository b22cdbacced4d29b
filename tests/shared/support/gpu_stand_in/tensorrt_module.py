"""The stand-in's module: its classes under their names, with the signatures that a version has."""

from __future__ import annotations

import functools
import inspect
import re
from types import ModuleType
from typing import Any

from support.gpu_stand_in import (
    tensorrt_api,
    tensorrt_builder,
    tensorrt_runtime,
    tensorrt_types,
)
from support.gpu_stand_in.machine import Machine
from support.gpu_stand_in.tensorrt_types import Bound

_PLAIN: dict[str, Any] = {
    "int": int,
    "str": str,
    "bool": bool,
    "tuple": tuple,
    "list": list,
    "buffer": (bytes, bytearray, memoryview),
    "Dims": (tuple, list),
}
_PARAMETER = re.compile(r"(\w+): ([\w.]+)(?: = (.*))?")


def make_module(machine: Machine) -> ModuleType:
    """What importing `tensorrt` gives on a machine."""
    module = ModuleType("tensorrt")
    module.__dict__["__version__"] = machine.version
    table = tensorrt_api.table(machine.version)
    for part in (tensorrt_types, tensorrt_builder, tensorrt_runtime):
        for name, cls in inspect.getmembers(part, inspect.isclass):
            if issubclass(cls, Bound) and cls is not Bound and cls.__module__ == part.__name__:
                members = _checked_members(cls, table, module)
                bound = type(name, (cls,), {**members, "machine": machine, "api": module})
                setattr(module, name, bound)
    for name, enumeration in tensorrt_types.enumerations(machine.version).items():
        *path, last = name.split(".")
        setattr(functools.reduce(getattr, path, module), last, enumeration)
    return module


def _checked_members(
    cls: type, table: dict[str, tensorrt_api.Entry], module: ModuleType
) -> dict[str, Any]:
    """A class's methods, which refuse what the real ones refuse."""
    checked: dict[str, Any] = {}
    for name, member in vars(cls).items():
        if name.startswith("_") and (name != "__init__" or f"{cls.__name__}.__init__" not in table):
            continue
        entry = table.get(f"{cls.__name__}.{name}")
        assert entry is not None, f"the real module has no {cls.__name__}.{name}, or nobody looked"
        if isinstance(entry, list):
            checked[name] = _checking(member, f"{cls.__name__}.{name}", entry, module)
    return checked


def _checking(method: Any, name: str, signatures: list[str], module: ModuleType) -> Any:
    @functools.wraps(method)
    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        if not any(_fits(signature, arguments, named, module) for signature in signatures):
            raise TypeError(
                f"{name}(): incompatible function arguments. The following argument types are "
                f"supported: {signatures}. Invoked with: {arguments} {named}"
            )
        return method(self, *arguments, **named)

    return call


def _fits(
    signature: str, arguments: tuple[Any, ...], named: dict[str, Any], module: ModuleType
) -> bool:
    parameters = _PARAMETER.findall(signature)
    names = [name for name, _, _ in parameters]
    given = dict(zip(names, arguments, strict=False)) | named
    return (
        len(arguments) <= len(names)
        and set(given) <= set(names)
        and all(
            _is_a(given[name], kind, default, module) if name in given else bool(default)
            for name, kind, default in parameters
        )
    )


def _is_a(value: Any, kind: str, default: str, module: ModuleType) -> bool:
    if value is None:
        return default == "None"
    if kind == "int" and isinstance(value, bool):
        return False
    wanted = _PLAIN.get(kind) or functools.reduce(
        lambda owner, name: getattr(owner, name, None), kind.split("."), module
    )
    # What the stand-in does not imitate, nobody can pass.
    return wanted is not None and isinstance(value, wanted)
