"""Where engines are kept: found by their key, written whole or not at all, put aside when broken.

An engine lies in a bundle's `engines/` directory if that can be written, else in a cache directory
of this user's; it is looked for in both. Beside each lies its record, `NAME.json`, with its hash,
written last: an engine without one was cut off in the writing and counts as absent.

The files hold machine code that TensorRT runs. Whoever may write there may do what the daemon may.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from models.tensorrt.errors import EngineStoreError
from models.tensorrt.key import ENGINE_SUFFIX, EngineKey

_log = logging.getLogger(__name__)

BROKEN_SUFFIX: Final = ".broken"
"""Of files that were put aside."""

_RECORD_SUFFIX: Final = ".json"
_REASON_SUFFIX: Final = ".reason"
_LOCK: Final = ".lock"


class EngineRecord(BaseModel):
    """What is known of an engine beside its bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    bytes: int
    tensorrt: str
    gpu: str
    buckets: tuple[int, ...]
    build_s: float
    """How long TensorRT took."""


class EngineStore:
    """Engines in one or several directories.

    Args:
        directories: Where engines are looked for, and written to the first that takes them; they
            need not exist.
    """

    def __init__(self, directories: Sequence[Path]) -> None:
        self.directories = tuple(directories)

    @staticmethod
    def beside(engines: Path) -> EngineStore:
        """The store of a bundle whose own directory for engines is `engines`."""
        # Bundles of one name may differ: the path keeps their caches apart.
        path = str(engines.resolve())
        name = f"{engines.parent.name}-{hashlib.sha256(path.encode()).hexdigest()[:8]}"
        return EngineStore([engines, _cache_directory() / name])

    def find(self, key: EngineKey) -> tuple[Path, bytes] | None:
        """The engine for a key and its file; None if there is none that is whole.

        Damaged ones are put aside.
        """
        for directory in self.directories:
            path = directory / key.file_name
            if not path.exists() or not _record_path(path).exists():
                continue
            try:
                record, plan = _read_record(path), path.read_bytes()
            except (OSError, ValidationError) as error:
                _put_aside(path, f"it cannot be read ({error})")
                continue
            if hashlib.sha256(plan).hexdigest() == record.sha256:
                return path, plan
            _put_aside(path, "its bytes are not those of its record")
        return None

    def write(self, key: EngineKey, plan: bytes, *, gpu: str, build_s: float) -> Path:
        """Keep an engine.

        Raises:
            EngineStoreError: No directory takes it.
        """
        record = EngineRecord(
            sha256=hashlib.sha256(plan).hexdigest(),
            bytes=len(plan),
            tensorrt=key.tensorrt,
            gpu=gpu,
            buckets=key.buckets,
            build_s=round(build_s, 1),
        )
        refusals: list[str] = []
        for directory in self.directories:
            path = directory / key.file_name
            try:
                directory.mkdir(parents=True, exist_ok=True)
                _record_path(path).unlink(missing_ok=True)  # never a record of other bytes
                _write_whole(path, plan)
                _write_whole(_record_path(path), record.model_dump_json(indent=2).encode() + b"\n")
            except OSError as error:
                refusals.append(f"{directory} ({error.strerror})")
                continue
            return path
        raise EngineStoreError(
            f"no directory takes an engine of {len(plan):,} bytes: {', '.join(refusals)}; "
            "make room, or let this user write to one of them"
        )

    def quarantine(self, key: EngineKey, problem: str) -> None:
        """Put an engine aside that reads well and is no good."""
        for directory in self.directories:
            if (directory / key.file_name).exists():
                _put_aside(directory / key.file_name, problem)

    def read_timing_cache(self, key: EngineKey) -> bytes:
        """What an earlier build learnt; empty if there was none."""
        for directory in self.directories:
            with contextlib.suppress(OSError):
                return (directory / key.timing_cache_name).read_bytes()
        return b""

    def write_timing_cache(self, key: EngineKey, content: bytes) -> None:
        """Keep what a build learnt; if no directory takes it, the next build is slower, no more."""
        for directory in self.directories:
            with contextlib.suppress(OSError):
                directory.mkdir(parents=True, exist_ok=True)
                _write_whole(directory / key.timing_cache_name, content)
                return
        _log.warning("no directory takes the timing cache; the next build will not be faster")

    def usual_build_s(self, key: EngineKey) -> float | None:
        """What the latest build with this TensorRT took, or with any; None if there was none."""
        latest = sorted(self.records(), key=lambda path: path[0].stat().st_mtime, reverse=True)
        alike = [record for _, record in latest if record.tensorrt == key.tensorrt]
        chosen = alike or [record for _, record in latest]
        return chosen[0].build_s if chosen else None

    def records(self) -> list[tuple[Path, EngineRecord]]:
        """All engines with a readable record, by path."""
        found: list[tuple[Path, EngineRecord]] = []
        for directory in self.directories:
            for path in sorted(directory.glob(f"*{ENGINE_SUFFIX}")):
                with contextlib.suppress(OSError, ValidationError):
                    found.append((path, _read_record(path)))
        return found

    def broken(self) -> list[tuple[Path, str]]:
        """What was put aside, and why."""
        return [
            (path, _reason_path(path).read_text(encoding="utf-8").strip())
            for directory in self.directories
            for path in sorted(directory.glob(f"*{ENGINE_SUFFIX}{BROKEN_SUFFIX}"))
            if _reason_path(path).exists()
        ]

    def useless(self, key: EngineKey) -> list[Path]:
        """Everything but the engine and the timing cache for a key, and the locks."""
        needed = {key.file_name, _record_path(Path(key.file_name)).name, key.timing_cache_name}
        return [
            path
            for directory in self.directories
            if directory.is_dir()
            for path in sorted(directory.iterdir())
            if path.is_file() and path.name not in {*needed, _LOCK}
        ]

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        """Only one process at a time builds for this store; waits for its turn.

        A process that dies gives its turn up. If no directory takes a lock, none takes an engine.

        Raises:
            EngineStoreError: No directory takes a lock.
        """
        refusals: list[str] = []
        for directory in self.directories:
            try:
                directory.mkdir(parents=True, exist_ok=True)
                file = (directory / _LOCK).open("wb")
            except OSError as error:
                refusals.append(f"{directory} ({error.strerror})")
                continue
            with file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
            return
        raise EngineStoreError(
            f"no directory for engines can be written: {', '.join(refusals)}; "
            "let this user write to one of them"
        )


def _cache_directory() -> Path:
    """Of this service under systemd (`CacheDirectory=`), else of this user."""
    if service := os.environ.get("CACHE_DIRECTORY"):
        return Path(service.split(":")[0]) / "engines"
    if user := os.environ.get("XDG_CACHE_HOME"):
        return Path(user) / "edge-daemon" / "engines"
    return Path("~/.cache/edge-daemon/engines").expanduser()


def _record_path(path: Path) -> Path:
    return path.with_name(path.name + _RECORD_SUFFIX)


def _reason_path(path: Path) -> Path:
    return path.with_name(path.name + _REASON_SUFFIX)


def _read_record(path: Path) -> EngineRecord:
    return EngineRecord.model_validate_json(_record_path(path).read_bytes())


def _put_aside(path: Path, problem: str) -> None:
    """Rename an engine so that it is not found again; the latest of a name is kept to be looked at.

    Where that is not allowed, the engine stays, is found broken again at the next start, and
    another directory's serves.
    """
    aside = path.with_name(path.name + BROKEN_SUFFIX)
    _log.error("the engine %s is put aside as %s: %s", path, aside.name, problem)
    try:
        path.replace(aside)
        _record_path(path).unlink(missing_ok=True)
        _reason_path(aside).write_text(problem + "\n", encoding="utf-8")
    except OSError as error:
        _log.warning("%s cannot be put aside (%s)", path, error.strerror)


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there with all of its bytes, or as it was before."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
