"""Arithmetic coding in integers, so that every machine decodes the same.

A message is one number: each symbol narrows an interval to the symbol's share of it, and what is
sent is the shortest binary fraction within the last interval (Witten, Neal and Cleary, "Arithmetic
coding for data compression", 1987; byte by byte as in Martin, "Range encoding", 1979). Messages are
some hundred bytes, so the interval's lower end is kept whole, as one integer of any length, and no
carry needs care.

A symbol is given as `start`, `size` and `total`: of `total` equal parts it owns those from `start`
to `start + size`. What is sent is canonical: the decoder refuses bytes that no encoder would have
written, trailing ones among them.
"""

from __future__ import annotations

from typing import Final

from edge_daemon.errors import DecodeError

TOTAL_MAX: Final = 1 << 32
"""Most parts that symbols may divide an interval into."""

_WIDTH_BYTES: Final = 5
_FULL: Final = 1 << 8 * _WIDTH_BYTES
"""Width of the interval at first."""
_NARROW: Final = TOTAL_MAX
"""An interval less wide than this is made 256 times as fine."""


class ArithmeticEncoder:
    """Symbols in, one fraction out."""

    def __init__(self) -> None:
        self._low = 0
        self._width = _FULL
        self._bytes = _WIDTH_BYTES

    def encode(self, start: int, size: int, total: int) -> None:
        """Take the next symbol; `size` is at least 1, `total` at most `TOTAL_MAX`."""
        part = self._width // total
        self._low += start * part
        self._width = size * part
        while self._width < _NARROW:
            self._low <<= 8
            self._width <<= 8
            self._bytes += 1

    def finish(self) -> bytes:
        """The bitstream of all symbols."""
        return _shortest(self._low, self._width, self._bytes)


class ArithmeticDecoder:
    """One fraction in, symbols out.

    Per symbol, `point` says where in the interval the fraction lies, the caller finds the symbol
    that owns this part, and `narrow` goes on to the next one. Bytes beyond the last count as zero.

    Args:
        data: From `ArithmeticEncoder.finish`.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._width = _FULL
        self._part = 0
        self._bytes = _WIDTH_BYTES
        # The fraction, counted from the lower end of the interval.
        self._offset = int.from_bytes(data[:_WIDTH_BYTES].ljust(_WIDTH_BYTES, b"\0"), "big")

    def point(self, total: int) -> int:
        """The part of `total` in which the fraction lies.

        Raises:
            DecodeError: It lies in none.
        """
        self._part = self._width // total
        point = self._offset // self._part
        if point >= total:
            raise _damaged("its fraction belongs to no symbol", self._data)
        return point

    def narrow(self, start: int, size: int) -> None:
        """Go on behind the symbol that owns the part which `point` told.

        Raises:
            DecodeError: The bitstream is over.
        """
        self._offset -= start * self._part
        self._width = size * self._part
        while self._width < _NARROW:
            if self._bytes >= len(self._data) + _WIDTH_BYTES:
                raise _damaged("it ends too early", self._data)
            byte = self._data[self._bytes] if self._bytes < len(self._data) else 0
            self._offset = self._offset << 8 | byte
            self._width <<= 8
            self._bytes += 1

    def finish(self) -> None:
        """Check that the symbols so far are all.

        Raises:
            DecodeError: An encoder would have written other bytes for them.
        """
        fraction = int.from_bytes(self._data.ljust(self._bytes, b"\0"), "big")
        low = fraction - self._offset
        if len(self._data) > self._bytes or _shortest(low, self._width, self._bytes) != self._data:
            raise _damaged("bytes are left over, or the last ones are wrong", self._data)


def _shortest(low: int, width: int, size: int) -> bytes:
    """Of the fractions within an interval, one in the fewest bytes: the lowest of those.

    Args:
        low: Lower end, in `size` bytes.
        width: Of the interval.
        size: Bytes that `low` stands for; up to `_WIDTH_BYTES` of them may be left out.
    """
    left_out = _WIDTH_BYTES
    while -low % (1 << 8 * left_out) >= width:
        left_out -= 1
    unit = 8 * left_out
    return (low + -low % (1 << unit) >> unit).to_bytes(size - left_out, "big")


def _damaged(why: str, data: bytes) -> DecodeError:
    return DecodeError(
        f"the arithmetic-coded bitstream is damaged: {why}",
        value=f"{len(data)} bytes",
        remedy="send it again",
    )
