"""One worker process: its streams, and the frames on them.

`worker/cheng2020_protocol.py` describes the frames. Both ends define them, since the worker shares
no code with us.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import select
import signal
import struct
import subprocess
import threading
import time
import weakref
from collections.abc import Sequence
from typing import IO, Any, Final, cast

FRAME: Final = struct.Struct(">4sIQ")
MAGIC: Final = b"EC20"
MOST_HEADER_BYTES: Final = 1 << 16
MOST_PAYLOAD_BYTES: Final = 1 << 31

_CHUNK_BYTES = 1 << 16
_LONGEST_LOG_LINE = 300

_log = logging.getLogger(__name__)

Answer = tuple[dict[str, Any], bytes]


class OutOfTimeError(Exception):
    """The deadline passed."""


class WorkerProcess:
    """A process and its streams.

    Args:
        command: Program and arguments.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        process = subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # its own process group, to be killed as a whole
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._input, self._output = process.stdin, process.stdout
        self.pid = process.pid
        os.set_blocking(self._input.fileno(), False)
        os.set_blocking(self._output.fileno(), False)
        # Also at exit, and when the supervisor is dropped without being closed.
        self._end = weakref.finalize(self, _kill_group, process, os.getpid())
        threading.Thread(
            target=_log_lines, args=(process.stderr, self.pid), name="cheng2020-log", daemon=True
        ).start()

    def alive(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def ask(self, header: dict[str, Any], payload: bytes, deadline: float) -> Answer:
        """Send a request and wait for its answer.

        Args:
            header: What can be written as JSON.
            payload: What goes after it.
            deadline: In seconds, on the clock of `time.monotonic`.

        Returns:
            Header and payload of the answer.

        Raises:
            OutOfTimeError: The deadline passed.
            OSError: The process ended, or its answer is no frame.
            ValueError: The answer's header is no JSON.
            RecursionError: It is nested too deeply.
        """
        text = json.dumps(header).encode()
        self._write(FRAME.pack(MAGIC, len(text), len(payload)) + text, deadline)
        self._write(payload, deadline)
        magic, header_bytes, payload_bytes = FRAME.unpack(self._read(FRAME.size, deadline))
        if magic != MAGIC or header_bytes > MOST_HEADER_BYTES or payload_bytes > MOST_PAYLOAD_BYTES:
            raise ConnectionError("its answer is no frame")
        answer = json.loads(self._read(header_bytes, deadline))
        if not isinstance(answer, dict):
            raise ConnectionError("the header of its answer is no JSON object")
        return cast("dict[str, Any]", answer), self._read(payload_bytes, deadline)

    def end(self, grace_s: float = 0.0) -> str:
        """Kills its process group; says how it had ended, or that it was killed.

        Args:
            grace_s: Seconds to wait for it to end by itself, if it seems about to.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace_s)
        code = self._process.returncode
        self._end()
        self._process.wait()
        if code is None:
            return "killed"
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def close_streams(self) -> None:
        """Only with the turn to ask it: another thread must not be waiting for these."""
        for stream in (self._input, self._output):
            with contextlib.suppress(OSError):
                stream.close()

    def detach(self) -> None:
        """Never ends it."""
        self._end.detach()

    def _write(self, data: bytes, deadline: float) -> None:
        left = memoryview(data)
        while left:
            _wait(self._input, select.POLLOUT, deadline)
            with contextlib.suppress(BlockingIOError):
                left = left[os.write(self._input.fileno(), left[:_CHUNK_BYTES]) :]

    def _read(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            _wait(self._output, select.POLLIN, deadline)
            with contextlib.suppress(BlockingIOError):
                chunk = os.read(self._output.fileno(), min(_CHUNK_BYTES, size - len(data)))
                if not chunk:
                    raise ConnectionResetError("it ended")
                data += chunk
        return bytes(data)


def _wait(stream: IO[bytes], event: int, deadline: float) -> None:
    """Until the stream is ready, or broken.

    Not `select`, which refuses descriptors over 1023.
    """
    poll = select.poll()
    poll.register(stream.fileno(), event)
    left = deadline - time.monotonic()
    if left <= 0 or not poll.poll(left * 1000):
        raise OutOfTimeError


def _kill_group(process: subprocess.Popen[bytes], owner: int) -> None:
    """Kills and reaps, in the process that started it; a forked copy of it must not."""
    if os.getpid() == owner:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _log_lines(stream: IO[bytes], pid: int) -> None:
    """What the worker and its libraries print, line by line, long lines cut."""
    with io.BufferedReader(cast("io.RawIOBase", stream)) as lines:
        while line := lines.readline(_LONGEST_LOG_LINE):
            text = line.decode("utf-8", "replace").rstrip()
            if text:
                _log.info("event=worker_says pid=%d text=%r", pid, text)
