"""Codecs by a process of FFmpeg per frame: what the in-process encoders are measured against."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

_HEVC: Final = (
    "qp={quality}:ipratio=1:keyint=1:bframes=0:repeat-headers=1:info=0:log-level=none:sao=0"
)
_VVC: Final = "qp={quality}:intraqpoffset=0:qpa=0:gopsize=1:intraperiod=1:wavefrontsynchro=1"


@dataclass(frozen=True)
class FFmpegEncoder(ABC):
    """Encodes a picture at a constant quantiser, and starts a program for each.

    Attributes:
        program: Path of an FFmpeg that has `library`.
        quality: The quantisation parameter.
        hurried: Whether at the effort of our codec, or at the program's own, which is more.
    """

    program: Path
    quality: int
    hurried: bool = True

    library: ClassVar[str]
    """FFmpeg's name of the encoder."""

    @abstractmethod
    def _options(self) -> list[str]:
        """FFmpeg's, from the pixel format to the form of the output."""

    def encode(self, pixels: NDArray[np.uint8]) -> bytes:
        """One Annex B intra picture of uint8 (H, W, 3), H and W even."""
        height, width = pixels.shape[:2]
        command = [str(self.program), "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
        command += ["-s", f"{width}x{height}", "-i", "-", "-frames:v", "1", "-c:v", self.library]
        command += [*self._options(), "-"]
        done = subprocess.run(command, input=pixels.tobytes(), capture_output=True, check=True)
        return done.stdout


@dataclass(frozen=True)
class FFmpegHevc(FFmpegEncoder):
    """As `edge_daemon.codecs.hevc` does, at its default effort if hurried."""

    library = "libx265"

    def _options(self) -> list[str]:
        parameters = _HEVC.format(quality=self.quality)
        effort = ["-preset", "ultrafast", "-tune", "zerolatency"] if self.hurried else []
        return ["-pix_fmt", "yuv420p", *effort, "-x265-params", parameters, "-f", "hevc"]


@dataclass(frozen=True)
class FFmpegVvc(FFmpegEncoder):
    """As `edge_daemon.codecs.vvc` does, at its default effort if hurried."""

    library = "libvvenc"

    def _options(self) -> list[str]:
        parameters = _VVC.format(quality=self.quality)
        threads = ["-threads", str(min(4, os.cpu_count() or 1))]
        effort = [*threads, "-preset", "faster"] if self.hurried else threads
        return ["-pix_fmt", "yuv420p10le", *effort, "-vvenc-params", parameters, "-f", "vvc"]


def ffmpegs(library: str = FFmpegHevc.library) -> list[Path]:
    """FFmpeg programs on this machine that have an encoder, by FFmpeg's name of it."""
    found = [shutil.which("ffmpeg")]
    try:
        import imageio_ffmpeg  # noqa: PLC0415 - only there with the extra `vvc`

        found.append(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        pass
    return [Path(program) for program in found if program and library in _encoders(program)]


@functools.cache
def _encoders(program: str) -> str:
    command = [program, "-hide_banner", "-encoders"]
    return subprocess.run(command, capture_output=True, check=False, text=True).stdout
