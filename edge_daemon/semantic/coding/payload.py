"""The bitstream of mode "semantic": a text, and perhaps side information behind it.

Its configuration, which stands in the envelope where a picture's codec would:

| key       | value                                                                           |
|-----------|---------------------------------------------------------------------------------|
| `id`      | "text"                                                                          |
| `packing` | "none": the text is UTF-8; "packed": see `packing`. Left out: "none"            |
| `model`   | with "packed" only: the version of its model                                    |
| `side`    | "none", "thumbnail" or "sketch". Left out: "none"                               |

Without side information the bitstream is the text; with it, it is the text's length in bytes as a
varint, the text, and then the side information, which reaches to the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.errors import BadPixelsError, DecodeError, EncodeError, UnknownCodecError
from edge_daemon.semantic.coding import packing, text_model
from edge_daemon.semantic.coding.sketch import decode_sketch, encode_sketch
from edge_daemon.semantic.coding.thumbnail import decode_thumbnail, encode_thumbnail
from edge_daemon.semantic.coding.varint import read_varint, to_varint
from edge_daemon.semantic.side import Side, SideKind
from edge_daemon.settings.semantic import Packing, SideName

_ID: Final = "text"
_KEYS: Final = frozenset({"id", "packing", "model", "side"})

_Pixels = NDArray[np.uint8]
_ENCODERS: Final[dict[SideKind, Callable[[_Pixels], bytes]]] = {
    "thumbnail": encode_thumbnail,
    "sketch": encode_sketch,
}
_DECODERS: Final[dict[SideKind, Callable[[bytes], _Pixels]]] = {
    "thumbnail": decode_thumbnail,
    "sketch": decode_sketch,
}


@dataclass(frozen=True)
class TextCoding:
    """How a text travels.

    Attributes:
        packing: "packed" wherever that saves bytes, or "none".
        side: What goes with it.
    """

    packing: Packing = "packed"
    side: SideName = "none"


@dataclass(frozen=True, eq=False)
class Payload:
    """What a bitstream holds.

    Attributes:
        text: As it was given to the encoder.
        side: Side information; `None` if there is none.
        side_bytes: The same, as it travelled; may be empty.
        text_bytes: Bytes of the bitstream that are the text.
    """

    text: str
    side: Side | None
    side_bytes: bytes
    text_bytes: int


def encode_payload(
    text: str,
    pixels: _Pixels | None,
    coding: TextCoding,
    *,
    side_bytes: bytes | None = None,
) -> tuple[bytes, dict[str, Any]]:
    """The bitstream of a text, and the configuration that decodes it.

    A text that packing would make no smaller is not packed, and the configuration says so.

    Args:
        text: Any; empty counts.
        pixels: uint8 (H, W, 3), sRGB: what it describes. Needed for side information only.
        coding: How it travels.
        side_bytes: Side information of the kind that `coding` names, if `side_of` has made it
            already; the pixels are not looked at then.

    Raises:
        EncodeError: The text cannot be written as UTF-8.
        BadPixelsError: Side information is wanted, and there is nothing to make it of.
        NoEncoderError: A thumbnail is wanted, and this Pillow has no WebP.
    """
    config: dict[str, Any] = {"id": _ID, "packing": "none", "side": coding.side}
    coded = _utf8(text)
    if coding.packing == "packed" and (packed := _packed(coded)) is not None:
        coded = packed
        config |= {"packing": "packed", "model": text_model.VERSION}
    if coding.side == "none":
        return coded, config
    if side_bytes is None:
        if pixels is None:
            raise BadPixelsError(
                f"a {coding.side} needs the picture",
                remedy="give its pixels, or what side_of made of them",
            )
        side_bytes = _ENCODERS[coding.side](pixels)
    return to_varint(len(coded)) + coded + side_bytes, config


def decode_payload(bitstream: bytes, config: Mapping[str, Any]) -> Payload:
    """What a bitstream holds.

    Raises:
        UnknownCodecError: The configuration is of no text.
        DecodeError: The bitstream is damaged, or the configuration one that this release does not
            know. Damage that leaves another text goes unseen, so a transport carries a checksum.
    """
    packed, kind = _checked(config)
    coded, side_bytes = bitstream, b""
    if kind is not None:
        length, begin = read_varint(bitstream)
        coded, side_bytes = bitstream[begin : begin + length], bitstream[begin + length :]
        if len(coded) < length:
            raise _damaged(f"its text should have {length} bytes", bitstream)
    try:
        text = (packing.unpack(coded) if packed else coded).decode()
    except UnicodeDecodeError as error:
        raise _damaged(f"its text is not UTF-8: {error.reason}", bitstream) from error
    side = None if kind is None else Side(kind, _DECODERS[kind](side_bytes))
    return Payload(text, side, side_bytes, len(coded))


def side_of(pixels: _Pixels, kind: SideKind) -> tuple[bytes, Side]:
    """Side information of a picture: as it travels, and as the other end will see it.

    Args:
        pixels: uint8 (H, W, 3), sRGB, of any size.
        kind: What to make of it.

    Raises:
        NoEncoderError: A thumbnail is wanted, and this Pillow has no WebP.
    """
    coded = _ENCODERS[kind](pixels)
    return coded, Side(kind, _DECODERS[kind](coded))


def packed_bytes(text: str) -> int:
    """Bytes that a text takes with packing "packed".

    Raises:
        EncodeError: The text cannot be written as UTF-8.
    """
    plain = _utf8(text)
    packed = _packed(plain)
    return len(plain if packed is None else packed)


def _packed(plain: bytes) -> bytes | None:
    """A text packed; `None` if it is too long for that, or would not get shorter."""
    if len(plain) > packing.MOST_BYTES:
        return None
    packed = packing.pack(plain)
    return packed if len(packed) < len(plain) else None


def _checked(config: Mapping[str, Any]) -> tuple[bool, SideKind | None]:
    """Whether the text is packed, and what goes with it."""
    if config.get("id") != _ID:
        raise UnknownCodecError(
            "this is not the configuration of a text",
            value=config.get("id"),
            remedy='give the envelope\'s "codec", with the id "text"',
        )
    unknown = [key for key in config if key not in _KEYS]
    if unknown:
        raise _foreign("option", unknown[0])
    packed, side = config.get("packing", "none"), config.get("side", "none")
    if packed not in ("none", "packed"):
        raise _foreign("packing", packed)
    if packed == "packed" and config.get("model") != text_model.VERSION:
        raise _foreign("model", config.get("model"))
    if side == "none":
        return packed == "packed", None
    if side not in ("thumbnail", "sketch"):
        raise _foreign("side", side)
    return packed == "packed", side


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise EncodeError(
            f"the text cannot be written as UTF-8: {error.reason}",
            value=text[error.start : error.end],
            remedy="leave out surrogates, which are no characters",
        ) from error


def _foreign(what: str, value: object) -> DecodeError:
    return DecodeError(
        f"the text was coded with a {what} that is not known here",
        value=value,
        remedy="use the same release of edge-daemon on both ends",
    )


def _damaged(why: str, bitstream: bytes) -> DecodeError:
    return DecodeError(
        f"the semantic bitstream is damaged: {why}",
        value=f"{len(bitstream)} bytes",
        remedy="send it again",
    )
