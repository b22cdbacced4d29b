"""From a codec's id to its class.

Our own codecs and third parties' are found in the same way, through entry points of the group
`edge_daemon.codecs` (name: the codec's id, value: `module:Class`), and are imported when first
asked for, so a codec whose library is slow to load or absent costs nothing until it is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from edge_daemon.codecs.abc import Codec, CodecStatus
from edge_daemon.errors import NoEncoderError, UnknownCodecError

GROUP = "edge_daemon.codecs"

_OURS = {
    name: EntryPoint(name, f"edge_daemon.codecs.{where}", GROUP)
    for name, where in {
        "jpeg": "jpeg:Jpeg",
        "hevc": "hevc:Hevc",
        "heif": "heif:Heif",
        "webp": "webp:WebP",
        "avif": "avif:Avif",
        "vvc": "vvc:Vvc",
        "cheng2020": "cheng2020:Cheng2020",
    }.items()
}
_loaded: dict[str, type[Codec]] = {}


@cache
def _available() -> Mapping[str, EntryPoint]:
    """Entry points by id; ours win, so that installing a package never changes what they mean.

    Looked up once, which reads the metadata of every package that is installed: 3 ms.
    """
    return {entry.name: entry for entry in entry_points(group=GROUP)} | _OURS


def codec_ids() -> list[str]:
    """The ids that `get_codec` knows, sorted; being listed does not mean that it loads."""
    return sorted(_available().keys() | _loaded.keys())


def register_codec(cls: type[Codec]) -> None:
    """Make a codec class known under its `codec_id`, in place of any other."""
    _loaded[cls.codec_id] = cls


def codec_class(codec_id: object) -> type[Codec]:
    """The class of an id, imported if need be.

    Raises:
        UnknownCodecError: No such codec, or it cannot be loaded here.
    """
    cls = _loaded.get(codec_id) if isinstance(codec_id, str) else None
    if cls is not None:
        return cls
    entry = _available().get(codec_id) if isinstance(codec_id, str) else None
    if entry is None:
        ids = ", ".join(codec_ids())
        raise UnknownCodecError("no such codec", value=codec_id, remedy=f"use one of: {ids}")
    try:
        loaded: type[Codec] = entry.load()
    except Exception as error:  # a plug-in may fail in any way, and must cost no more than itself
        raise UnknownCodecError(
            f"the codec {entry.name} cannot be loaded here: {error}",
            value=codec_id,
            remedy="install what it needs, or use another codec",
        ) from error
    return _loaded.setdefault(entry.name, loaded)


def codec_status(codec_id: str) -> CodecStatus:
    """Whether a codec works here; one that cannot even be loaded says so as its problem."""
    try:
        return codec_class(codec_id).status()
    except UnknownCodecError as error:
        return CodecStatus("", "", problem=f"{error.problem}; {error.remedy}")
    except Exception as error:  # a plug-in may fail in any way, and must cost no more than itself
        return CodecStatus("", "", problem=f"its status cannot be told: {error!r}")


def check_encoder(codec: Codec) -> None:
    """Raise `NoEncoderError` unless the codec can encode here."""
    problem = codec.status().problem
    if problem:
        raise NoEncoderError(
            f"the codec {codec.codec_id} cannot encode here: {problem}",
            value=codec.codec_id,
            remedy="install what it needs, or use another codec (`edge-daemon codecs` lists them)",
        )


def get_codec(config: Mapping[str, Any]) -> Codec:
    """The codec that a configuration describes, such as `{"id": "hevc", "quality": 32}`.

    Raises:
        UnknownCodecError: No codec of that id.
        BadQualityError: An option is unknown or outside its range.
    """
    return codec_class(config.get("id")).from_config(config)
