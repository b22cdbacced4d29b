from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Each round frees pictures in a thread of its own; how many pages the last rounds were given anew.
PROGRAM = """
import sys, threading, resource
from edge_daemon.heap import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()

def round_of_work():
    pictures = [bytearray(b"x") * 4_000_000 for _ in range(4)]

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

for number in range(8):
    if number == 4:
        before = faults()
    thread = threading.Thread(target=round_of_work)
    thread.start()
    thread.join()
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator than glibc's")
def test_what_one_thread_freed_another_uses_without_asking_for_pages() -> None:
    faults = {how: pages_asked_for(how) for how in ("kept", "usual")}
    assert faults["kept"] < 500
    assert faults["usual"] > 10 * faults["kept"]


def pages_asked_for(how: str) -> int:
    command = [sys.executable, "-c", PROGRAM, how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)
