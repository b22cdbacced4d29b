"""Searches for bytes that break the wire's readers: `make fuzz`. Needs the extra `fuzz`.

Arguments are libFuzzer's: a corpus folder that is read and grown, then `-max_total_time=600` and so
on.
"""

import sys

import atheris  # pyright: ignore

with atheris.instrument_imports(  # pyright: ignore
    include=["edge_daemon.wire", "edge_daemon.errors", "json"]
):
    from support.wire_fuzz import read_any


def look_at(data: bytes) -> None:
    """One input; an exception is a find."""
    read_any(data)


def main() -> None:
    atheris.Setup(sys.argv, look_at)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
