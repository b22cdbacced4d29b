"""vvenc in a process of its own: one FFmpeg per picture.

The pixels go in through a pipe and the bitstream comes out of another; there are no files, and the
process inherits nothing else. It is killed when it takes too long. Should this process die first,
FFmpeg finds its pipes closed and ends with the picture that it is at, or when its allowance of CPU
time is spent.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from edge_daemon.codecs.failures import IN_PARTS
from edge_daemon.errors import EncodeError, NoEncoderError

INSTALL = "install one with `pip install 'edge-daemon[vvc]'`"

_PROBE_TIMEOUT_S = 30.0
_TIMEOUT_S = 60.0
_TIMEOUT_S_PER_PIXEL = 2e-4  # some 30 times what the slowest preset takes on a desktop

ENLARGEMENT = 4
"""FFmpeg's wrapper around vvenc drops a picture that takes more than one byte per pixel, as noise
does at the finest quantisers. Such a picture is given again as the top of one so many times as
high, below which the bitstream tells the decoder to crop."""
_LEAST_BLOCK = 8


@dataclass(frozen=True)
class FfmpegEncoder:
    """An ffmpeg program that has libvvenc.

    Args:
        program: Its path.
        version: What it says of itself.
    """

    program: str
    version: str

    @property
    def name(self) -> str:
        """What encodes, for people."""
        return "vvenc (ffmpeg process)"

    def encode(
        self, planes: NDArray[np.uint16], preset: str, parameters: Mapping[str, object]
    ) -> bytes:
        """One picture as a bitstream in Annex B form.

        Args:
            planes: uint16 (3 * H / 2, W), 10-bit: H rows of luma, then Cb, then Cr.
            preset: vvenc's.
            parameters: vvenc's, by name; "threads" among them.

        Raises:
            EncodeError: vvenc refused the picture, or took too long.
        """
        first = self._run(planes, preset, parameters)
        if first.returncode == 0 and first.stdout:
            return first.stdout
        enlarged, window = _enlarged(planes)
        second = self._run(enlarged, preset, {**parameters, **window})
        if second.returncode == 0 and second.stdout:
            return second.stdout
        raise _failed(_reason(second.stderr), planes)

    def _run(
        self, planes: NDArray[np.uint16], preset: str, parameters: Mapping[str, object]
    ) -> subprocess.CompletedProcess[bytes]:
        rows, columns = planes.shape[0] * 2 // 3, planes.shape[1]
        timeout_s = _TIMEOUT_S + rows * columns * _TIMEOUT_S_PER_PIXEL
        threads = str(parameters["threads"])
        command = [
            *(self.program, "-hide_banner", "-nostdin", "-loglevel", "error"),
            *("-timelimit", str(int(timeout_s) * int(threads))),
            *("-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-video_size", f"{columns}x{rows}"),
            *("-framerate", "25", "-i", "pipe:0", "-frames:v", "1"),
            *("-c:v", "libvvenc", "-preset", preset, "-threads", threads),
            *("-vvenc-params", ":".join(f"{key}={value}" for key, value in parameters.items())),
            *("-f", "vvc", "pipe:1"),
        ]
        try:
            return run_killable(command, planes.astype("<u2", copy=False).tobytes(), timeout_s)
        except subprocess.TimeoutExpired as error:
            raise _failed(f"it took longer than {timeout_s:.0f} s", planes) from error
        except OSError as error:
            raise _failed(str(error), planes) from error


def find_ffmpeg() -> FfmpegEncoder:
    """The package imageio-ffmpeg's program, or else the one on the PATH, if it has libvvenc.

    Runs each that it tries once.

    Raises:
        NoEncoderError: There is none; the problem says what was tried.
    """
    tried: list[str] = []
    for program in _programs():
        command = [program, "-nostdin", "-h", "encoder=libvvenc"]
        try:
            answer = run_killable(command, b"", _PROBE_TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            tried.append(f"{program} does not run: {error}")
            continue
        text = (answer.stdout + answer.stderr).decode(errors="replace")
        if "Encoder libvvenc" in text:
            return FfmpegEncoder(program, _version(text))
        tried.append(f"{program} has no libvvenc")
    raise NoEncoderError(
        "; ".join(tried) or "there is no ffmpeg program", value="vvc", remedy=INSTALL
    )


def run_killable(
    command: list[str], data: bytes, timeout_s: float
) -> subprocess.CompletedProcess[bytes]:
    """Run a program over `data`, and kill its process group when anything interrupts it.

    Raises:
        subprocess.TimeoutExpired: It took longer than `timeout_s`.
        OSError: It cannot be started.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    ) as process:
        try:
            stdout, stderr = process.communicate(data, timeout_s)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # not reaped yet, so the number is still its
            raise
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def _programs() -> list[str]:
    found: list[str] = []
    # it may not be installed, or have no program for this machine
    with suppress(ImportError, RuntimeError, OSError):
        found.append(import_module("imageio_ffmpeg").get_ffmpeg_exe())
    on_path = shutil.which("ffmpeg")
    if on_path is not None and on_path not in found:
        found.append(on_path)
    return found


def _version(text: str) -> str:
    """The word after "ffmpeg version"."""
    _, _, rest = text.partition("ffmpeg version ")
    return rest.split(maxsplit=1)[0] if rest else "unknown"


def _enlarged(planes: NDArray[np.uint16]) -> tuple[NDArray[np.uint16], dict[str, object]]:
    """The picture as the top left of a larger one, and the parameters that crop it again.

    Its edges are repeated to `ENLARGEMENT` times the height. Where vvenc is told what to crop it
    no longer completes blocks by itself, so both sides become multiples of the least block.
    """
    rows, columns = planes.shape[0] * 2 // 3, planes.shape[1]
    bottom = -(-rows * ENLARGEMENT // _LEAST_BLOCK) * _LEAST_BLOCK - rows
    right = -columns % _LEAST_BLOCK
    chroma = planes[rows:].reshape(2, rows // 2, columns // 2)
    parts = [np.pad(planes[:rows], ((0, bottom), (0, right)), mode="edge")]
    parts += [np.pad(part, ((0, bottom // 2), (0, right // 2)), mode="edge") for part in chroma]
    larger = np.concatenate([part.ravel() for part in parts]).reshape(-1, columns + right)
    window = {"conformancewindowmode": 3, "confwinbottom": bottom, "confwinright": right}
    return larger, {**window}


def _reason(stderr: bytes) -> str:
    """What vvenc complained of, without FFmpeg's lines on how it then wound up."""
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if "error code" not in line and "return code" not in line]
    return (telling or lines or ["it said nothing"])[-1]


def _failed(reason: str, planes: NDArray[np.uint16]) -> EncodeError:
    rows, columns = planes.shape[0] * 2 // 3, planes.shape[1]
    return EncodeError(
        f"vvenc failed on this picture: {reason}",
        value=f"{columns}x{rows}",
        remedy=IN_PARTS,
    )
