"""What a codec is.

A codec turns RGB pixels into a self-contained bitstream and back. Its identity is its
configuration, a small JSON object with the codec's `id`, its quality in the codec's own unit and
its other options; the configuration travels beside the bitstream, so the receiving end decodes
without guessing.

Two classes may share an id only if each decodes what the other encodes and both accept the same
configuration: another implementation of the same format is such a case, another format is not.

Codecs are immutable values: equal configurations give equal bytes for equal pixels, whatever was
encoded before, and one object may be used from any number of threads.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.errors import BadPixelsError, BadQualityError, DecodeError

Pixels = NDArray[np.uint8]

CodecT = TypeVar("CodecT", bound="Codec")


@dataclasses.dataclass(frozen=True)
class Codec(ABC):
    """Base of all codecs; a subclass is a frozen dataclass whose fields are its JSON options.

    A subclass sets the class variables, checks its options in `__post_init__` (`check_whole`,
    `check_choice`) and implements `_encode` and `_decode`.
    """

    codec_id: ClassVar[str]
    """Name in the registry and in the configuration."""
    media_type: ClassVar[str]
    """Media type of the bitstream, for HTTP and data URLs."""
    file_suffix: ClassVar[str]
    """Customary file ending with its dot."""

    @final
    def encode(self, pixels: Pixels) -> bytes:
        """Compress a picture.

        Args:
            pixels: uint8 (H, W, 3), sRGB, any memory layout, at least one pixel.

        Returns:
            One complete bitstream that needs no other data to be decoded.

        Raises:
            BadPixelsError: Not uint8 or not of that shape.
            EncodeError: The codec cannot express this picture.
        """
        return self._encode(_checked_pixels(pixels))

    @final
    def decode(self, bitstream: bytes, *, width: int, height: int) -> Pixels:
        """Decompress a bitstream of this codec.

        Args:
            bitstream: What `encode` returned.
            width: True width of the picture in pixels, from the envelope.
            height: True height of the picture in pixels.

        Returns:
            uint8 (height, width, 3), sRGB, C-contiguous, writable.

        Raises:
            DecodeError: The bitstream is damaged, or is not of that size. Damage that leaves a
                decodable picture goes unseen in some formats, so a transport carries a checksum.
        """
        if min(width, height) < 1:
            raise DecodeError(
                "the announced size has no pixels",
                value=f"{width}x{height}",
                remedy="announce the width and height of the source picture",
            )
        if not bitstream:
            raise DecodeError("the bitstream is empty", remedy="send the picture again")
        pixels = self._decode(bytes(bitstream), width, height)
        if pixels.shape != (height, width, 3) or pixels.dtype != np.uint8:
            raise size_mismatch(self.codec_id, pixels.shape[1], pixels.shape[0], width, height)
        return np.require(pixels, requirements=["C", "W"])

    def get_config(self) -> dict[str, Any]:
        """The configuration as a JSON object: `id` and every option."""
        return {"id": self.codec_id, **dataclasses.asdict(self)}

    @classmethod
    def from_config(cls: type[CodecT], config: Mapping[str, Any]) -> CodecT:
        """The codec of a configuration; options that are left out take their defaults.

        Raises:
            BadQualityError: An option is unknown or outside its range.
        """
        options = {name: value for name, value in config.items() if name != "id"}
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = [name for name in options if name not in known]
        if unknown:
            raise BadQualityError(
                f"{cls.codec_id} has no such option",
                value=unknown[0],
                remedy=f"use one of: {', '.join(known)}",
            )
        return cls(**options)

    @abstractmethod
    def _encode(self, pixels: Pixels) -> bytes:
        """Encode C-contiguous uint8 (H, W, 3) pixels."""

    @abstractmethod
    def _decode(self, bitstream: bytes, width: int, height: int) -> Pixels:
        """Decode to uint8 (height, width, 3), checking the size before the pixels are decoded."""


def check_whole(name: str, value: object, low: int, high: int, meaning: str) -> None:
    """Raise `BadQualityError` unless `value` is a whole number within `low` to `high`."""
    if type(value) is not int or not low <= value <= high:
        raise BadQualityError(
            f"{name} must be a whole number from {low} to {high}: {meaning}",
            value=value,
            remedy=f"give a whole number from {low} to {high}",
        )


def check_choice(name: str, value: object, choices: tuple[str, ...], meaning: str) -> None:
    """Raise `BadQualityError` unless `value` is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise BadQualityError(
            f"{name} must be one of {', '.join(choices)}: {meaning}",
            value=value,
            remedy=f"give one of: {', '.join(choices)}",
        )


def size_mismatch(codec_id: str, width: int, height: int, *announced: int) -> DecodeError:
    """The error for a bitstream of `width` x `height` that was announced as another size."""
    return DecodeError(
        f"the {codec_id} bitstream holds {width}x{height} pixels, "
        f"which does not fit the announced {announced[0]}x{announced[1]}",
        value=f"{width}x{height}",
        remedy="send the envelope that belongs to this bitstream",
    )


def _checked_pixels(pixels: Any) -> Pixels:
    dtype, shape = getattr(pixels, "dtype", type(pixels).__name__), getattr(pixels, "shape", ())
    if dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise BadPixelsError(
            "pixels must be a uint8 array of shape (height, width, 3) with at least one pixel",
            value=f"{dtype} {shape}",
            remedy="convert the picture to 8-bit RGB first",
        )
    return np.ascontiguousarray(pixels)
