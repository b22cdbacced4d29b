"""From an envelope back to pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_daemon.codecs import get_codec
from edge_daemon.pictures import PictureLimits
from edge_daemon.wire import Envelope


def decode_envelope(envelope: Envelope, limits: PictureLimits | None = None) -> NDArray[np.uint8]:
    """Decodes an envelope's picture.

    Length and SHA-256 of the bitstream are checked before anything is decoded, since damaged HEVC
    decodes to garbage without an error; so is the announced size, since it is allocated.

    Args:
        envelope: What `unpack_envelope` returned.
        limits: Bounds on the announced size.

    Returns:
        uint8 (height, width, 3), sRGB.

    Raises:
        DecodeError: The bitstream is damaged or not of the announced size.
        TooManyPixelsError: The announced size is over the limit.
        UnknownCodecError: The codec is not installed here.
        BadQualityError: The codec's configuration is not valid.
    """
    envelope.verify()
    header = envelope.header
    (limits or PictureLimits()).check_size(header.width, header.height)
    codec = get_codec(header.codec)
    return codec.decode(envelope.bitstream, width=header.width, height=header.height)
