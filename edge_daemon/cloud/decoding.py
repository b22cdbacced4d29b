"""From an envelope back to pixels, or to the text in their place."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.cloud.kept import source_size
from edge_daemon.codecs import get_codec
from edge_daemon.errors import UnsupportedError
from edge_daemon.pictures import PictureLimits
from edge_daemon.semantic.coding import Payload, decode_payload
from edge_daemon.wire import Envelope


def decode_envelope(envelope: Envelope, limits: PictureLimits | None = None) -> NDArray[np.uint8]:
    """Decodes an envelope's picture.

    Length and SHA-256 of the bitstream are checked before anything is decoded, since damaged HEVC
    decodes to garbage without an error; so is the announced size, since it is allocated.

    Args:
        envelope: What `unpack_envelope` returned.
        limits: Bounds on the announced size.

    Returns:
        uint8 (source height, source width, 3), sRGB: a picture that was sent smaller, or stretched
        in the prefilter's reference mode, is brought back to the source's size, so that what is
        found in it has the source's coordinates.

    Raises:
        DecodeError: The bitstream is damaged or not of the announced size.
        TooManyPixelsError: The announced size is over the limit.
        UnsupportedError: The envelope holds no picture.
        UnknownCodecError: The codec is not installed here.
        BadQualityError: The codec's configuration is not valid.
    """
    envelope.verify()
    header = envelope.header
    if header.mode == "semantic":
        raise UnsupportedError(
            "the envelope holds text in the picture's place",
            value=header.mode,
            remedy="read its text instead (`edge-daemon decode` writes it to a .txt file)",
        )
    source = source_size(header)
    for size in ((header.width, header.height), source):
        (limits or PictureLimits()).check_size(*size)
    codec = get_codec(header.codec)
    pixels = codec.decode(envelope.bitstream, width=header.width, height=header.height)
    if source == (header.width, header.height):
        return pixels
    smaller = source[0] * source[1] < header.width * header.height
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, source, interpolation=interpolation), np.uint8)


def decode_text(envelope: Envelope) -> Payload:
    """Reads an envelope in mode "semantic": its text, and side information if there is any.

    Raises:
        DecodeError: It is damaged.
        UnsupportedError: The envelope holds a picture.
        UnknownCodecError: The text is in a form that is not known here.
    """
    envelope.verify()
    header = envelope.header
    if header.mode != "semantic":
        raise UnsupportedError(
            "the envelope holds a picture, not text",
            value=header.mode,
            remedy="decode the picture instead",
        )
    return decode_payload(envelope.bitstream, header.codec)
