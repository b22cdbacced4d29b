"""HEVC by a process of FFmpeg per frame: what the in-process encoder is measured against."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

_PARAMETERS: Final = (
    "qp={quality}:ipratio=1:keyint=1:bframes=0:repeat-headers=1:info=0:log-level=none:sao=0"
)


@dataclass(frozen=True)
class FFmpegHevc:
    """Encodes a picture as `edge_daemon.codecs.hevc` does, but starts a program for each."""

    program: Path
    quality: int

    def encode(self, pixels: NDArray[np.uint8]) -> bytes:
        """One Annex B intra picture of uint8 (H, W, 3), H and W even."""
        height, width = pixels.shape[:2]
        command = [str(self.program), "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
        command += ["-s", f"{width}x{height}", "-i", "-", "-frames:v", "1", "-pix_fmt", "yuv420p"]
        command += ["-c:v", "libx265", "-preset", "ultrafast", "-tune", "zerolatency"]
        command += ["-x265-params", _PARAMETERS.format(quality=self.quality), "-f", "hevc", "-"]
        done = subprocess.run(command, input=pixels.tobytes(), capture_output=True, check=True)
        return done.stdout


def ffmpegs() -> list[Path]:
    """FFmpeg programs on this machine that have x265."""
    found = [shutil.which("ffmpeg")]
    try:
        import imageio_ffmpeg  # noqa: PLC0415 - only there with the extra `vvc`

        found.append(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        pass
    return [Path(program) for program in found if program and _has_x265(program)]


def _has_x265(program: str) -> bool:
    command = [program, "-hide_banner", "-encoders"]
    return b"libx265" in subprocess.run(command, capture_output=True, check=False).stdout
