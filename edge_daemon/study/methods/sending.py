"""A prepared picture through a codec, to what the consumer sees."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge_daemon.codecs import Codec
from edge_daemon.study.methods.method import Prepared
from edge_daemon.study.tasks.task import Pixels


@dataclass(frozen=True, eq=False)
class Sent:
    """A picture as the cloud has it.

    Attributes:
        bytes: Of the bitstream.
        pixels: Of the source: what rates are divided by.
        sent_pixels: Of the picture in the bitstream.
        decoded: At the source's size.
    """

    bytes: int
    pixels: int
    sent_pixels: int
    decoded: Pixels


def sent(prepared: Prepared, codec: Codec, source: Pixels) -> Sent:
    """Encode and decode a picture; one of another size is then brought to the source's.

    Args:
        prepared: What a method made of the source.
        codec: At its quality.
        source: For its size.

    Raises:
        EdgeError: It cannot be encoded or decoded.
    """
    height, width = prepared.pixels.shape[:2]
    bitstream = codec.encode(prepared.pixels, prepared.offsets)
    decoded = codec.decode(bitstream, width=width, height=height)
    source_height, source_width = source.shape[:2]
    if (height, width) != (source_height, source_width):
        decoded = _resized(decoded, source_width, source_height)
    return Sent(len(bitstream), source_height * source_width, height * width, decoded)


def _resized(pixels: Pixels, width: int, height: int) -> Pixels:
    """By the means of areas where it gets smaller, bicubic where it gets larger."""
    smaller = width * height < pixels.shape[0] * pixels.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=how), np.uint8)
