"""A stand-in for an interpreter with the extra `export`: torch need not be here to test a pull."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

_PROGRAM = """\
#!{python}
# Answers what `check_exporter` asks, and "exports" a tiny bundle that notes its command line.
import json, sys
sys.path[:0] = {path!r}
arguments = sys.argv[1:]
if arguments[0] == "-c":
    print(*{lacks!r})
    sys.exit()
from pathlib import Path
from support.tiny_bundle import edit_manifest, make_tiny_bundle
assert arguments[:2] == ["-m", "export"], arguments
Path({log!r}).write_text(json.dumps(arguments[2:]))
if {status} == 0:
    value = lambda flag: arguments[arguments.index(flag) + 1]
    bundle = make_tiny_bundle(Path(value("-o")), name=value("--name"))
    edit_manifest(bundle, source=value("--source"), licence=value("--licence"))
print("exported by the stand-in")
sys.exit({status})
"""


def stand_in_exporter(place: Path, *, lacks: tuple[str, ...] = (), status: int = 0) -> str:
    """Write the program; it logs the export's arguments as JSON in `PLACE.json`.

    Args:
        place: Where it is written.
        lacks: Packages that it says it has not.
        status: What its export ends with.
    """
    program = _PROGRAM.format(
        python=sys.executable, path=sys.path, lacks=lacks, status=status, log=f"{place}.json"
    )
    place.write_text(program, encoding="utf-8")
    place.chmod(place.stat().st_mode | stat.S_IXUSR)
    return str(place)
