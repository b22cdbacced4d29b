"""vvenc in this process, through the C interface of a shared libvvenc.

Written for the interface of versions 1.x (`vvenc/vvenc.h`, `vvenc/vvencCfg.h`). `vvenc_config`
grows with the versions, so it is taken as a block of bytes, larger than any version's, that only
the library writes: whatever must be set is set by name. Of the two structures that are read here,
only the leading members are, and the library itself allocates them.

vvenc gives out a picture only when the next one or the end comes, so every picture opens an encoder
of its own and flushes it.
"""

from __future__ import annotations

import ctypes
import os
import re
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_daemon.codecs.failures import IN_PARTS
from edge_daemon.errors import EncodeError, NoEncoderError

_MAJOR = 1  # of the interface that this was written for
_CONFIG_BYTES = 1 << 20  # vvenc_config has some 50 kB in version 1.14
_PRESETS = {"faster": 0, "fast": 1, "medium": 2}  # vvencPresetMode
_CHROMA_420 = 1  # vvencChromaFormat
_OK = 0
_UNKNOWN_NAME = -1  # VVENC_PARAM_BAD_NAME
_FRAMES_PER_S = 25
_MOST_CALLS = 100  # one gives the picture; a few more flush the encoder
_PAYLOAD_BYTES = 65_536
_PAYLOAD_BYTES_PER_PIXEL = 4  # colour noise at the finest quantiser takes about 2


class _Plane(ctypes.Structure):
    """`vvencYUVPlane`."""

    samples: Any
    width: int
    height: int
    stride: int  # in samples
    _fields_ = (
        ("samples", ctypes.POINTER(ctypes.c_int16)),
        ("width", ctypes.c_int),
        ("height", ctypes.c_int),
        ("stride", ctypes.c_int),
    )


class _Picture(ctypes.Structure):
    """The leading members of `vvencYUVBuffer`."""

    planes: Any
    _fields_ = (("planes", _Plane * 3),)


class _AccessUnit(ctypes.Structure):
    """The leading members of `vvencAccessUnit`."""

    payload: Any
    payload_size: int
    payload_used: int
    _fields_ = (
        ("payload", ctypes.POINTER(ctypes.c_ubyte)),
        ("payload_size", ctypes.c_int),
        ("payload_used", ctypes.c_int),
    )


_POINTER = ctypes.c_void_p
_INT = ctypes.c_int
_PICTURE = ctypes.POINTER(_Picture)
_UNIT = ctypes.POINTER(_AccessUnit)
_BOOL = ctypes.c_bool
_TEXT = ctypes.c_char_p

_SIGNATURES: dict[str, tuple[Any, ...]] = {  # the result's type, then the arguments'
    "vvenc_get_version": (_TEXT,),
    "vvenc_config_default": (None, _POINTER),
    "vvenc_init_default": (_INT, _POINTER, _INT, _INT, _INT, _INT, _INT, _INT),
    "vvenc_set_param": (_INT, _POINTER, _TEXT, _TEXT),
    "vvenc_encoder_create": (_POINTER,),
    "vvenc_encoder_open": (_INT, _POINTER, _POINTER),
    "vvenc_encode": (_INT, _POINTER, _PICTURE, _UNIT, ctypes.POINTER(_BOOL)),
    "vvenc_encoder_close": (_INT, _POINTER),
    "vvenc_get_last_error": (_TEXT, _POINTER),
    "vvenc_YUVBuffer_alloc": (_PICTURE,),
    "vvenc_YUVBuffer_alloc_buffer": (None, _PICTURE, _INT, _INT, _INT),
    "vvenc_YUVBuffer_free": (None, _PICTURE, _BOOL),
    "vvenc_accessUnit_alloc": (_UNIT,),
    "vvenc_accessUnit_alloc_payload": (None, _UNIT, _INT),
    "vvenc_accessUnit_free": (None, _UNIT, _BOOL),
}


class LibraryEncoder:
    """A shared libvvenc.

    Args:
        library: Its name or path, as the dynamic linker takes it.

    Raises:
        NoEncoderError: It cannot be loaded, or is of a version that this was not written for.
    """

    def __init__(self, library: str) -> None:
        try:
            self._library: Any = ctypes.CDLL(library)
            for name, (result, *arguments) in _SIGNATURES.items():
                function = getattr(self._library, name)
                function.restype, function.argtypes = result, arguments
        except (OSError, AttributeError) as error:
            raise _none(f"{library} cannot be used: {error}") from error
        self.version: str = (self._library.vvenc_get_version() or b"").decode(errors="replace")
        found = re.match(r"\d+", self.version)
        if found is None or int(found[0]) != _MAJOR:
            raise _none(f"{library} is of version {self.version!r}, and only {_MAJOR}.x is known")

    @property
    def name(self) -> str:
        """What encodes, for people."""
        return "vvenc (libvvenc)"

    def encode(
        self, planes: NDArray[np.uint16], preset: str, parameters: Mapping[str, object]
    ) -> bytes:
        """One picture as a bitstream in Annex B form.

        Args:
            planes: uint16 (3 * H / 2, W), 10-bit: H rows of luma, then Cb, then Cr.
            preset: vvenc's.
            parameters: vvenc's, by name; "qp" among them.

        Raises:
            EncodeError: vvenc refused the picture.
        """
        height, width = planes.shape[0] * 2 // 3, planes.shape[1]
        library = self._library
        config = ctypes.create_string_buffer(_CONFIG_BYTES)
        self._configure(config, width, height, preset, parameters)
        with ExitStack() as stack:
            encoder = _allocated(library.vvenc_encoder_create())
            stack.callback(library.vvenc_encoder_close, encoder)
            self._check(library.vvenc_encoder_open(encoder, config), encoder, "opening")
            picture = _allocated(library.vvenc_YUVBuffer_alloc())
            stack.callback(library.vvenc_YUVBuffer_free, picture, True)
            library.vvenc_YUVBuffer_alloc_buffer(picture, _CHROMA_420, width, height)
            _fill(picture.contents, planes)
            unit = _allocated(library.vvenc_accessUnit_alloc())
            stack.callback(library.vvenc_accessUnit_free, unit, True)
            room = _PAYLOAD_BYTES + _PAYLOAD_BYTES_PER_PIXEL * width * height
            library.vvenc_accessUnit_alloc_payload(unit, room)
            _allocated(unit.contents.payload)
            return self._encoded(encoder, picture, unit)

    def _configure(
        self,
        config: Any,
        width: int,
        height: int,
        preset: str,
        parameters: Mapping[str, object],
    ) -> None:
        library = self._library
        library.vvenc_config_default(config)
        qp = int(str(parameters["qp"]))
        result = library.vvenc_init_default(
            config, width, height, _FRAMES_PER_S, 0, qp, _PRESETS[preset]
        )
        if result != _OK:
            raise _failed(f"error {result} in vvenc_init_default")
        for name, value in {"verbosity": 0, **parameters}.items():
            result = library.vvenc_set_param(config, name.encode(), str(value).encode())
            if result != _OK:
                kind = "has no parameter" if result == _UNKNOWN_NAME else "does not take"
                raise _failed(f"libvvenc {self.version} {kind} {name}={value}")

    def _encoded(self, encoder: int, picture: Any, unit: Any) -> bytes:
        """Give the picture, then flush until the library says that this was all."""
        done = _BOOL(False)
        parts: list[bytes] = []
        found: _AccessUnit = unit.contents
        for call in range(_MOST_CALLS):
            found.payload_used = 0
            given = picture if call == 0 else None
            result = self._library.vvenc_encode(encoder, given, unit, ctypes.byref(done))
            self._check(result, encoder, "encoding")
            parts.append(ctypes.string_at(found.payload, found.payload_used))
            if done.value:
                return b"".join(parts)
        raise _failed("libvvenc never said that it was done")

    def _check(self, result: int, encoder: int, doing: str) -> None:
        if result != _OK:
            said = (self._library.vvenc_get_last_error(encoder) or b"").decode(errors="replace")
            raise _failed(f"error {result} on {doing} {said}".rstrip())


def find_library() -> LibraryEncoder:
    """The first libvvenc that the dynamic linker or the usual folders have.

    Raises:
        NoEncoderError: There is none that can be used; the problem says why.
    """
    problems: list[str] = []
    for library in _candidates():
        try:
            return LibraryEncoder(library)
        except NoEncoderError as error:
            problems.append(error.problem)
    # the first is the bare name, and that it is not found says nothing that the others do not
    raise _none("; ".join(problems[1:]) or "there is no shared libvvenc")


def _candidates() -> Iterator[str]:
    yield "libvvenc.so"
    folders = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    folders += ["/usr/local/lib", f"/usr/lib/{multiarch}", "/usr/lib64", "/usr/lib"]
    for folder in filter(None, folders):
        for path in sorted(Path(folder).glob("libvvenc.so.*"), reverse=True):
            yield str(path)


def _fill(picture: _Picture, planes: NDArray[np.uint16]) -> None:
    """Copy the samples into the planes that the library allocated, whatever their stride."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    blue, red = planes[height:].reshape(2, height // 2, width // 2)
    for plane, samples in zip(picture.planes, (planes[:height], blue, red), strict=True):
        rows, columns = samples.shape
        if (plane.width, plane.height) != (columns, rows) or plane.stride < columns:
            raise _failed(f"libvvenc made a plane of {plane.width}x{plane.height}")
        _allocated(plane.samples)
        used = (rows - 1) * plane.stride + columns
        flat = np.ctypeslib.as_array(plane.samples, (used,))
        strides = (plane.stride * flat.itemsize, flat.itemsize)
        np.lib.stride_tricks.as_strided(flat, (rows, columns), strides)[:] = samples


def _allocated(pointer: Any) -> Any:
    if not pointer:
        raise _failed("libvvenc found no memory")
    return pointer


def _none(problem: str) -> NoEncoderError:
    return NoEncoderError(problem, value="vvc", remedy="install libvvenc 1.x as a shared library")


def _failed(reason: str) -> EncodeError:
    return EncodeError(
        f"vvenc failed on this picture: {reason}",
        remedy=IN_PARTS,
    )
