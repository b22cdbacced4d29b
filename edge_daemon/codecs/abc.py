"""What a codec is.

A codec turns RGB pixels into a self-contained bitstream and back. Its identity is its
configuration, a small JSON object with the codec's `id`, its quality in the codec's own unit and
its other options; the configuration travels beside the bitstream, so the receiving end decodes
without guessing.

Two classes may share an id only if each decodes what the other encodes and both accept the same
configuration: another implementation of the same format is such a case, another format is not.

Codecs are immutable values: equal configurations give equal bytes for equal pixels and offsets,
whatever was encoded before, and one object may be used from any number of threads.

A codec whose encoder can be told where to be coarse takes a `QuantiserMap` beside the pixels; the
others refuse one by name. Decoding never needs the map.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.errors import BadPixelsError, BadQualityError, DecodeError, UnsupportedError
from edge_daemon.quantiser import Quantiser, QuantiserMap

Pixels = NDArray[np.uint8]

CodecT = TypeVar("CodecT", bound="Codec")


@dataclasses.dataclass(frozen=True)
class CodecStatus:
    """Whether a codec works on this machine, and with what.

    Attributes:
        encoder: The library or program that encodes; empty if there is none.
        version: Its version; empty if there is none.
        problem: Why nothing can be encoded, and what to do about it; empty if all is well.
        note: What to know before choosing it; may be empty.
    """

    encoder: str
    version: str
    problem: str = ""
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Codec(ABC):
    """Base of all codecs; a subclass is a frozen dataclass whose fields are its JSON options.

    A subclass sets the class variables, checks its options in `__post_init__` (`check_whole`,
    `check_flag`, `check_choice`) and implements `status`, `coarseness`, `_encode` and `_decode`.
    """

    codec_id: ClassVar[str]
    """Name in the registry and in the configuration."""
    media_type: ClassVar[str]
    """Media type of the bitstream, for HTTP and data URLs."""
    file_suffix: ClassVar[str]
    """Customary file ending with its dot."""
    qualities: ClassVar[tuple[int, int]]
    """The worst and the best `quality`: (1, 100) where more is better, (51, 0) for a QP."""

    exact_everywhere: ClassVar[bool] = True
    """Whether every machine decodes the same picture. Learned codecs may fail to elsewhere, with
    `LatentsError`; whoever sends one keeps the picture in another codec at hand."""

    @classmethod
    @abstractmethod
    def status(cls) -> CodecStatus:
        """Whether it works here. Cheap after the first call; never raises."""

    @classmethod
    def takes_map(cls) -> bool:
        """Whether `encode` takes a quantiser map here."""
        return False

    @property
    @abstractmethod
    def coarseness(self) -> float:
        """How coarse the quality is, in octaves: about log2 of the quantiser's step in grey levels.

        The logarithm of the bytes falls about linearly with it, which is what a rate controller
        goes by; smoothing goes by the step itself (`quantiser`).
        """

    @property
    def quantiser(self) -> Quantiser:
        """What decides how relevance is spent on this codec at its quality."""
        return Quantiser(2.0**self.coarseness, self.takes_map())

    def expected_encode_s(self, width: int, height: int) -> float:
        """Seconds that encoding will take here, if that is long enough to plan for; else 0."""
        return 0.0

    @final
    def encode(self, pixels: Pixels, offsets: QuantiserMap | None = None) -> bytes:
        """Compress a picture.

        Args:
            pixels: uint8 (H, W, 3), sRGB, any memory layout, at least one pixel.
            offsets: Where to be coarser than the quality says, for codecs that take it.

        Returns:
            One complete bitstream that needs no other data to be decoded.

        Raises:
            BadPixelsError: Not uint8 or not of that shape.
            UnsupportedError: The codec takes no quantiser map here.
            NoEncoderError: What encodes is not installed here.
            EncodeError: The codec cannot express this picture.
        """
        checked = _checked_pixels(pixels)
        if offsets is None:
            return self._encode(checked)
        self.check_takes_map()
        return self._encode_mapped(checked, offsets)

    @classmethod
    def check_takes_map(cls) -> None:
        """Raise `UnsupportedError` unless the codec takes a quantiser map here."""
        if not cls.takes_map():
            raise UnsupportedError(
                f"the codec {cls.codec_id} takes no quantiser map here",
                value=cls.codec_id,
                remedy="use allocation 'smooth' or 'auto', or a codec that takes one "
                "(`edge-daemon codecs` tells)",
            )

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

    def _encode_mapped(self, pixels: Pixels, offsets: QuantiserMap) -> bytes:
        """Encode with a map; implemented where `takes_map` can be true."""
        raise NotImplementedError

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


def check_flag(name: str, value: object, meaning: str) -> None:
    """Raise `BadQualityError` unless `value` is true or false; 0 and 1 are neither."""
    if type(value) is not bool:
        raise BadQualityError(
            f"{name} must be true or false: {meaning}",
            value=value,
            remedy="give true or false",
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
