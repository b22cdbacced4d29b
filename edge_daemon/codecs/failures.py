"""How codecs word what all of them meet: too large a picture, an encoder that gives up, damage."""

from __future__ import annotations

from edge_daemon.codecs.abc import Pixels
from edge_daemon.errors import DecodeError, EncodeError

IN_PARTS = "use another codec, or send the picture in parts"


def encoder_failed(library: str, pixels: Pixels, reason: object) -> EncodeError:
    """The error for a picture that a library could not encode."""
    return EncodeError(
        f"{library} failed on this picture: {reason}",
        value=f"{pixels.shape[1]}x{pixels.shape[0]}",
        remedy=IN_PARTS,
    )


def check_room(
    form: str, pixels: Pixels, longest_side: int, most_pixels: int | None = None
) -> None:
    """Raise `EncodeError` for a picture beyond what a format, such as "a WebP", can hold."""
    height, width = pixels.shape[:2]
    if max(height, width) > longest_side or height * width > (most_pixels or longest_side**2):
        in_all = "" if most_pixels is None else f", and at most {most_pixels} pixels in all"
        raise EncodeError(
            f"{form} picture has sides of at most {longest_side} pixels{in_all}",
            value=f"{width}x{height}",
            remedy=IN_PARTS,
        )


def damaged(form: str, how: object, bitstream: bytes) -> DecodeError:
    """The error for bytes that are not what was encoded."""
    return DecodeError(
        f"the {form} is damaged: {str(how).strip()}",
        value=f"{len(bitstream)} bytes",
        remedy="send the picture again",
    )


def foreign(problem: str, value: object) -> DecodeError:
    """The error for a file of the right format and of a kind that our encoders do not write."""
    return DecodeError(
        problem,
        value=value,
        remedy="decode it with a general viewer; this codec did not write it",
    )
