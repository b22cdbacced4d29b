from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from edge_daemon.codecs import vvc, vvc_ffmpeg
from edge_daemon.codecs.vvc_ffmpeg import FfmpegEncoder, find_ffmpeg
from edge_daemon.codecs.vvc_planes import rgb_to_planes
from edge_daemon.errors import EncodeError, NoEncoderError
from support.pictures import busy_picture, smooth_picture

PARAMETERS = vvc._PARAMETERS  # pyright: ignore[reportPrivateUsage]


@pytest.fixture
def program() -> FfmpegEncoder:
    """A real FFmpeg with libvvenc."""
    try:
        return find_ffmpeg()
    except NoEncoderError as error:
        pytest.skip(error.problem)


def parameters(**other: object) -> dict[str, object]:
    return {**PARAMETERS, "qp": 32, **other}


def test_bytes_do_not_depend_on_the_number_of_threads(program: FfmpegEncoder) -> None:
    planes = rgb_to_planes(busy_picture(320, 256))
    streams = {program.encode(planes, "faster", parameters(threads=n)) for n in (1, 2, 3, 4)}
    assert len(streams) == 1


def stand_in_program(folder: Path, script: str) -> str:
    """A shell script that stands in for ffmpeg."""
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def gone(pid: int) -> bool:
    """Whether a process has ended, reaped or not."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    return True


def ends(pid: int) -> bool:
    """Whether a process ends within half a minute."""
    for _ in range(300):
        if gone(pid):
            return True
        time.sleep(0.1)
    return False


def test_the_reason_of_a_failure_is_told(tmp_path: Path) -> None:
    program = stand_in_program(
        tmp_path,
        "cat >/dev/null\n"
        "echo 'Parameter Check Error: too wide' >&2\n"
        "echo 'Task finished with error code: -1' >&2; exit 187",
    )
    with pytest.raises(EncodeError, match=r"Parameter Check Error: too wide.*64x48"):
        FfmpegEncoder(program, "0").encode(
            rgb_to_planes(smooth_picture(64, 48)), "faster", parameters()
        )


def test_a_program_that_hangs_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vvc_ffmpeg, "_TIMEOUT_S", 1.0)
    note = tmp_path / "pids"
    program = stand_in_program(tmp_path, f"sleep 600 &\necho $$ $! >{note}\nwait")
    with pytest.raises(EncodeError, match="took longer than"):
        FfmpegEncoder(program, "0").encode(
            rgb_to_planes(smooth_picture(64, 48)), "faster", parameters()
        )
    pids = [int(pid) for pid in note.read_text().split()]
    assert len(pids) == 2
    assert all(ends(pid) for pid in pids)


def test_a_program_that_vanishes_is_an_encode_error(tmp_path: Path) -> None:
    planes = rgb_to_planes(smooth_picture(64, 48))
    with pytest.raises(EncodeError, match="No such file"):
        FfmpegEncoder(str(tmp_path / "none"), "0").encode(planes, "faster", parameters())


def test_a_program_without_libvvenc_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = stand_in_program(tmp_path, "echo \"Codec 'libvvenc' is not recognized\"")
    monkeypatch.setattr(vvc_ffmpeg, "_programs", lambda: [program, str(tmp_path / "none")])
    with pytest.raises(NoEncoderError, match=r"has no libvvenc.*does not run"):
        find_ffmpeg()


def test_the_first_program_with_libvvenc_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = stand_in_program(
        tmp_path, "echo 'ffmpeg version n7.7 Copyright'\necho 'Encoder libvvenc [H.266]:'"
    )
    monkeypatch.setattr(vvc_ffmpeg, "_programs", lambda: [str(tmp_path / "none"), program])
    assert find_ffmpeg() == FfmpegEncoder(program, "n7.7")


def test_ffmpeg_ends_when_the_process_that_feeds_it_is_killed(
    tmp_path: Path, program: FfmpegEncoder
) -> None:
    """Killed as it encodes: the feeder has no chance to clean up."""
    note = tmp_path / "pid"
    wrapper = stand_in_program(tmp_path, f'echo $$ >{note}\nexec {program.program} "$@"')
    feeder = f"""
import numpy as np
from edge_daemon.codecs.vvc_ffmpeg import FfmpegEncoder
planes = np.random.default_rng(0).integers(0, 1024, (720, 640), np.uint16)
FfmpegEncoder({wrapper!r}, "0").encode(planes, "faster", {parameters()!r})
"""
    with subprocess.Popen([sys.executable, "-c", feeder]) as process:
        for _ in range(300):
            if note.exists() and note.read_text().strip():
                break
            time.sleep(0.1)
        process.kill()
    assert ends(int(note.read_text()))
