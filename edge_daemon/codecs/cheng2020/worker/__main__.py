"""The program that runs CompressAI's Cheng 2020 models, in an environment of its own.

CompressAI and the daemon need different NumPys, and torch has no place in the daemon's process. So
this directory runs under the Python that `make cheng2020` sets up, imports nothing of ours, and
answers requests on its standard streams until its input closes: `python worker THREADS`.
`python worker --check` only says whether the libraries are there.

Python puts a directory that it runs at the head of the module path, so the modules beside this one
are top-level modules there. They all begin with `cheng2020_`, lest one takes the place of an
installed module.

| module                   | what                                                                 |
|--------------------------|----------------------------------------------------------------------|
| `cheng2020_protocol`     | frames, requests and answers on the streams                          |
| `cheng2020_requests`     | a request to its answer                                              |
| `cheng2020_coder`        | models, held and run                                                 |
| `cheng2020_weights`      | tensors from files, their digest, untrained ones                     |
| `cheng2020_arithmetic`   | double precision and one thread where bits matter                    |
| `cheng2020_latents`      | what passes the entropy coder, and its check                         |
| `cheng2020_placeholders` | modules in the place of those that CompressAI imports in vain        |

Libraries are imported by name, once the streams and the placeholders are in place; that also lets
these files be checked where they are not installed.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from typing import Any

from cheng2020_coder import Coder
from cheng2020_protocol import read_frame, write_frame
from cheng2020_requests import guarded


def check() -> None:
    """Says whether the libraries are all there, by the versions or by an error."""
    print(json.dumps(Coder(1).versions))  # noqa: T201


def main() -> None:
    """Serves until the input closes."""
    # Waiting threads of the transforms must not take processor time from the rest of the machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # What the libraries print must not get into the frames.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests: queue.Queue[tuple[dict[str, Any], bytes]] = queue.Queue()

    def read() -> None:
        # In a thread of its own, so that a daemon that dies ends this process in mid-picture too.
        try:
            while (frame := read_frame(sys.stdin.buffer)) is not None:
                requests.put(frame)
        finally:
            os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    coder = Coder(int(sys.argv[1]))
    while True:
        write_frame(output, *guarded(coder, *requests.get()))


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        check()
    else:
        main()
