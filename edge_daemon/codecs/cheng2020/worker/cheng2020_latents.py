"""What passes between CompressAI's models and its entropy coder, its check, and its padding."""

from __future__ import annotations

import hashlib
import importlib
from typing import Any, ClassVar


class Taps:
    """Stand between CompressAI's models and its entropy coder, and see the integers that pass.

    The models make their coders by name, so the names are what is replaced. A decoder reads on
    behind the end of a stream that is not its own, so streams get zeros appended; and it copies all
    tables it is handed, for every position of the picture, so it is handed those that are used.
    """

    _LEAST_PADDING: ClassVar[int] = 1 << 16
    _PADDING_PER_SYMBOL: ClassVar[int] = 4

    def __init__(self, ans: Any) -> None:
        self._ans = ans
        self._z: list[int] = []
        self._y: list[int] = []
        self.symbols = 0

    def reset(self, symbols: int) -> None:
        """Before a picture of so many integers."""
        self._z, self._y, self.symbols = [], [], symbols

    def check(self) -> str:
        """SHA-256, its first 16 bytes, of z then y as int32, little endian, in coding order.

        z is ordered by channel, row, column; y, which is coded position by position, by row,
        column, channel. z is taken as decoded, on both sides.
        """
        numpy: Any = importlib.import_module("numpy")
        integers = numpy.asarray(self._z + self._y, "<i4")
        return hashlib.sha256(integers.tobytes()).hexdigest()[:32]

    def install(self, google: Any, model: Any) -> None:
        """Puts the taps into CompressAI's module of models, and into one model."""
        google.BufferedRansEncoder = lambda: TappedEncoder(self, self._ans.BufferedRansEncoder())
        google.RansDecoder = lambda: TappedDecoder(self, self._ans.RansDecoder())
        model.entropy_bottleneck.entropy_coder = TappedHyperCoder(
            self, self._ans.RansEncoder(), self._ans.RansDecoder()
        )

    def saw_z(self, integers: list[int]) -> None:
        """The z of the picture at hand."""
        self._z = integers

    def saw_y(self, integers: list[int]) -> None:
        """The next integers of y."""
        self._y += integers

    def padded(self, stream: bytes) -> bytes:
        """The stream and the zeros that a decoder may run into."""
        return stream + bytes(self._LEAST_PADDING + self._PADDING_PER_SYMBOL * self.symbols)


class TappedHyperCoder:
    """The entropy coder of z."""

    def __init__(self, taps: Taps, encoder: Any, decoder: Any) -> None:
        self._taps, self._encoder, self._decoder = taps, encoder, decoder

    def encode_with_indexes(self, *args: Any) -> bytes:
        """As CompressAI's."""
        return self._encoder.encode_with_indexes(*args)

    def decode_with_indexes(self, stream: bytes, *args: Any) -> list[int]:
        """As CompressAI's; the encoder calls it too, to go on from what the decoder will see."""
        integers = self._decoder.decode_with_indexes(self._taps.padded(stream), *args)
        self._taps.saw_z(integers)
        return integers


class TappedEncoder:
    """The entropy encoder of y."""

    def __init__(self, taps: Taps, encoder: Any) -> None:
        self._taps, self._encoder = taps, encoder

    def encode_with_indexes(self, symbols: list[int], *tables: Any) -> None:
        """As CompressAI's."""
        self._taps.saw_y(symbols)
        self._encoder.encode_with_indexes(symbols, *tables)

    def flush(self) -> bytes:
        """As CompressAI's."""
        return self._encoder.flush()


class TappedDecoder:
    """The entropy decoder of y."""

    def __init__(self, taps: Taps, decoder: Any) -> None:
        self._taps, self._decoder = taps, decoder

    def set_stream(self, stream: bytes) -> None:
        """As CompressAI's."""
        self._decoder.set_stream(self._taps.padded(stream))

    def decode_stream(
        self,
        indexes: list[int],
        cdfs: list[list[int]],
        lengths: list[int],
        offsets: list[int],
    ) -> list[int]:
        """As CompressAI's, with the tables in use and without the zeros behind them."""
        used = sorted(set(indexes))
        place = {index: at for at, index in enumerate(used)}
        integers = self._decoder.decode_stream(
            [place[index] for index in indexes],
            [cdfs[index][: lengths[index]] for index in used],
            [lengths[index] for index in used],
            [offsets[index] for index in used],
        )
        self._taps.saw_y(integers)
        return integers
