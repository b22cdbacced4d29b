"""The process that builds: `python -m models.tensorrt.child REQUEST`; see `build`.

Standard output is for messages. What TensorRT prints there by itself goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Final, TextIO

from models.tensorrt.build import BuildRequest, build_engine
from models.tensorrt.errors import BuildError

_NICENESS: Final = 10


class Messages:
    """The parent's end of the line; a parent that is gone ends the build."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, **message: object) -> bool:
        """Tell the parent; False if it is gone."""
        try:
            with self._lock:
                self._stream.write(json.dumps(message) + "\n")
                self._stream.flush()
        except OSError:
            return False
        return True


def main() -> int:
    """Build what the first argument asks for; the exit status says whether that went well."""
    messages = Messages(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    os.nice(_NICENESS)
    request = BuildRequest(**json.loads(sys.argv[1]))
    try:
        path = build_engine(request, lambda share, phase: messages.send(share=share, phase=phase))
    except BuildError as error:
        messages.send(problem=str(error))
        return 1
    messages.send(built=str(path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
