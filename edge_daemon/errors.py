"""What can go wrong with a request, as types.

Every error that a client can cause is an `EdgeError`. It carries a stable code for programs, and
for people three things: what was wrong, with which value, and what to do about it. One error costs
one request; the daemon answers it and serves the next one.
"""

from __future__ import annotations

from typing import ClassVar

_LONGEST_VALUE = 120


class Verbatim(str):
    """A value that is already worded, e.g. "100000000 bytes", and is shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _shown(value: object) -> str:
    """The offending value, short enough for a log line and safe to send back."""
    text = repr(value)
    if len(text) <= _LONGEST_VALUE:
        return text
    return f"{text[:_LONGEST_VALUE]}... ({len(text)} characters)"


class EdgeError(Exception):
    """A request that cannot be served, and why.

    Args:
        problem: What was wrong, as a clause without a full stop.
        value: The offending value; shortened to 120 characters when shown. `None` if there is none.
        remedy: What the caller can do about it, as an imperative clause.
        retry_after_s: For transient errors, seconds after which the same request may succeed.
    """

    code: ClassVar[str] = "internal"

    def __init__(
        self,
        problem: str,
        *,
        value: object = None,
        remedy: str,
        retry_after_s: float | None = None,
    ) -> None:
        self.problem = problem
        self.value = None if value is None else _shown(value)
        self.remedy = remedy
        self.retry_after_s = retry_after_s
        got = "" if self.value is None else f" (got {self.value})"
        super().__init__(f"{self.code}: {problem}{got}; {remedy}")

    def to_dict(self) -> dict[str, object]:
        """The fields of the wire's `error` message."""
        return {
            "code": self.code,
            "problem": self.problem,
            "value": self.value,
            "remedy": self.remedy,
            "retry_after_s": self.retry_after_s,
        }


class MessageError(EdgeError):
    """The message itself is malformed: header, frames or fields."""

    code = "bad_message"


class VersionError(EdgeError):
    """The message speaks another version of the protocol."""

    code = "bad_version"


class SequenceError(EdgeError):
    """The client already used this sequence number for another frame."""

    code = "sequence_reused"


class PayloadTooLargeError(EdgeError):
    """The payload exceeds the limit in bytes."""

    code = "payload_too_large"


class NotAnImageError(EdgeError):
    """The bytes are no picture in any supported format, or in one that is refused by name."""

    code = "not_an_image"


class DamagedImageError(EdgeError):
    """The header is that of a picture, but the data behind it is truncated or corrupt."""

    code = "damaged_image"


class TooManyPixelsError(EdgeError):
    """The header announces more pixels than the limit; nothing was decoded."""

    code = "too_many_pixels"


class BadPixelsError(EdgeError):
    """Raw pixels with a wrong shape, dtype, length or values."""

    code = "bad_pixels"


class PromptError(EdgeError):
    """The prompt is too long or not text."""

    code = "bad_prompt"


class UnknownCodecError(EdgeError):
    """No codec of that id is registered."""

    code = "unknown_codec"


class BadQualityError(EdgeError):
    """A codec option is outside its range."""

    code = "bad_quality"


class EncodeError(EdgeError):
    """The codec failed on this picture."""

    code = "encode_failed"


class DecodeError(EdgeError):
    """A bitstream or envelope is damaged, or does not match its announced size."""

    code = "decode_failed"


class NoEncoderError(EdgeError):
    """The codec is known, but what encodes is not installed or not set up here."""

    code = "no_encoder"


class LatentsError(DecodeError):
    """A learned codec's decoder arrived at other latents than its encoder: send another codec."""

    code = "latents_differ"


class EscalateError(EdgeError):
    """The text's score is too low for the cloud: it wants the picture instead."""

    code = "escalate"


class OverBudgetError(EdgeError):
    """Within the operator's bounds the frame does not fit the bytes that it may take."""

    code = "over_budget"


class BusyError(EdgeError):
    """A bounded queue is full; nothing was accepted."""

    code = "busy"


class SpoolFullError(BusyError):
    """The spool is full, and nothing in it may give way; nothing was accepted."""

    code = "spool_full"


class DroppedError(EdgeError):
    """An envelope was dropped before the cloud had it, as its camera's rules say."""

    code = "dropped"


class ForbiddenError(EdgeError):
    """The key that the peer showed does not allow this client id."""

    code = "forbidden"


class KeysError(EdgeError):
    """A key or a directory of keys is missing, malformed or open to other users."""

    code = "bad_keys"


class DeadlineError(EdgeError):
    """The frame's deadline passed, or can no longer be met."""

    code = "deadline"


class UnsupportedError(EdgeError):
    """Well-formed, but not something this daemon does."""

    code = "unsupported"


class StorageError(EdgeError):
    """The receiver could not write, e.g. because its disk is full."""

    code = "storage"


class BindError(EdgeError):
    """An endpoint cannot be listened on, e.g. because another process does."""

    code = "bind"


class SettingsError(EdgeError):
    """A settings file with a bad or unknown key."""

    code = "bad_settings"


class LinkError(EdgeError):
    """The peer did not answer in time."""

    code = "link"


class InternalError(EdgeError):
    """Our fault: a defect. The daemon logs the traceback and goes on."""

    code = "internal"


def error_from_fields(
    code: str,
    problem: str,
    *,
    value: str | None,
    remedy: str,
    retry_after_s: float | None,
) -> EdgeError:
    """The error that a peer described, as the type that its code names.

    A code that this version does not know becomes a plain `EdgeError` whose problem begins with it.
    """
    kind = next((kind for kind in _kinds(EdgeError) if kind.code == code), None)
    if kind is None:
        kind, problem = EdgeError, f"{code}: {problem}"
    shown = None if value is None else Verbatim(value)
    return kind(problem, value=shown, remedy=remedy, retry_after_s=retry_after_s)


def _kinds(base: type[EdgeError]) -> list[type[EdgeError]]:
    """All descendants of a type of error."""
    return [kind for child in base.__subclasses__() for kind in (child, *_kinds(child))]
