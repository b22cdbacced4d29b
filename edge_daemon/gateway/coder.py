"""One picture: filtered by what it is asked, encoded, and in a form that upstreams take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from edge_daemon.codecs import Codec
from edge_daemon.pictures import PictureLimits, open_picture, to_png
from edge_daemon.prefilter import Prefilter

_TAKEN: Final = frozenset({"image/jpeg", "image/webp"})
"""Media types of bitstreams that vision-language models' endpoints take as they are."""


@dataclass(frozen=True)
class Coded:
    """A picture as the upstream gets it.

    Attributes:
        bytes_in: Of the file that came.
        bytes_out: Of the codec's bitstream.
        pixels: Of the source, width times height.
        sent_pixels: Of the picture in the bitstream; other than `pixels` in reference mode only.
        media_type: Of `content`.
        content: The bitstream itself where endpoints take it, else what it decodes to, as PNG.
    """

    bytes_in: int
    bytes_out: int
    pixels: int
    sent_pixels: int
    media_type: str
    content: bytes = field(repr=False)


class Coder:
    """Filters and encodes pictures. Thread-safe.

    Args:
        codec: What encodes.
        prefilter: What filters; `None` for the codec alone.
        limits: What one picture may cost.
    """

    def __init__(self, codec: Codec, prefilter: Prefilter | None, limits: PictureLimits) -> None:
        self._codec = codec
        self._prefilter = prefilter
        self._limits = limits

    def code(self, file: bytes, prompts: Sequence[str]) -> Coded:
        """The picture in a file, filtered and encoded.

        Args:
            file: In any format that `open_picture` reads.
            prompts: What it is asked; without any, nothing is smoothed.

        Raises:
            EdgeError: It is no sound picture, too large, or cannot be filtered or encoded.
        """
        source = open_picture(file, self._limits).pixels
        pixels, offsets = source, None
        if self._prefilter is not None:
            quantiser = self._codec.quantiser
            pixels, report = self._prefilter(source, list(prompts), quantiser=quantiser)
            offsets = report.offsets
        bitstream = self._codec.encode(pixels, offsets)
        height, width, _ = pixels.shape
        media_type, content = self._codec.media_type, bitstream
        if media_type not in _TAKEN:
            decoded = self._codec.decode(bitstream, width=width, height=height)
            media_type, content = "image/png", to_png(decoded)
        return Coded(
            bytes_in=len(file),
            bytes_out=len(bitstream),
            pixels=source.shape[0] * source.shape[1],
            sent_pixels=height * width,
            media_type=media_type,
            content=content,
        )
