"""What the real `tensorrt` modules have, of what the stand-in imitates: names and signatures.

`tensorrt_api.json` was made by introspecting NVIDIA's own modules of both versions:

    python -m support.gpu_stand_in.tensorrt_api tensorrt NAME...

An entry is a method's signatures, a property with whether it can be set, or an enumeration's
member. A name that a version lacks is null there.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

Entry = list[str] | str | None
VERSIONS = ("10.3.0", "11.4.0.106")

_FILE = Path(__file__).with_suffix(".json")
_SYNONYMS = {
    "typing.SupportsInt": "int",
    "typing_extensions.Buffer": "buffer",
    "collections.abc.Sequence": "Sequence",
}


def table(version: str) -> dict[str, Entry]:
    """The entries of one version, by `Class.member`."""
    return json.loads(_FILE.read_text())[version]


def names() -> list[str]:
    """Every name that any version was asked for."""
    return sorted({name for version in VERSIONS for name in table(version)})


def described(module: Any, wanted: list[str]) -> dict[str, Entry]:
    """The entries of a module that can be imported here."""
    return {name: _entry(module, name) for name in wanted}


def _entry(module: Any, name: str) -> Entry:
    owner: Any = module
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part, None)
    if not hasattr(owner, last):
        return None
    if last in getattr(owner, "__members__", {}):
        return "member"
    member = inspect.getattr_static(owner, last)
    if isinstance(member, property):
        return "property" if member.fset is None else "property, settable"
    return _signatures(last, member.__doc__ or "")


def _signatures(name: str, text: str) -> list[str]:
    """The signatures in a pybind11 docstring, without `self`, module names and results."""
    found: list[str] = []
    for line in text.splitlines():
        match = re.match(rf"(?:\d+\. )?{name}\((.*)\) -> ", line.strip())
        if match and not match[1].startswith("*args"):
            arguments = re.sub(r"^self: [\w.]+(, )?", "", match[1])
            for long, short in _SYNONYMS.items():
                arguments = arguments.replace(long, short)
            arguments = re.sub(r"\btensorrt(?:_bindings)?(?:\.tensorrt)?\.", "", arguments)
            found.append(re.sub(r"<(\w+\.\w+): \d+>", r"\1", arguments))
    return found


if __name__ == "__main__":
    print(json.dumps(described(import_module(sys.argv[1]), sys.argv[2:]), indent=2))
