"""The quantised coefficients in a sequential JPEG, read bit by bit as the standard says.

Slow and simple on purpose: what a codec wrote is judged by it, so it shares nothing with libjpeg.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Codes = dict[tuple[int, int], int]
"""Symbol by length and value of its code."""


def _zigzag() -> list[tuple[int, int]]:
    """Row and column of each coefficient, along the diagonals, turning at each end."""
    places = [(row, column) for row in range(8) for column in range(8)]
    return sorted(places, key=lambda at: (sum(at), at[0] if sum(at) % 2 else at[1]))


ZIGZAG = _zigzag()


@dataclass
class _Component:
    across: int
    down: int
    blocks: NDArray[np.int16]


def coefficients(bitstream: bytes) -> list[NDArray[np.int16]]:
    """Per component, int16 (rows of blocks, columns of blocks, 8, 8).

    Only blocks that hold pixels are given, not those that complete a row or column of MCUs.
    """
    codes: dict[int, Codes] = {}
    components: dict[int, _Component] = {}
    at = 2
    while True:
        assert bitstream[at] == 0xFF, "no marker where one should be"
        kind, size = bitstream[at + 1], int.from_bytes(bitstream[at + 2 : at + 4], "big")
        body = bitstream[at + 4 : at + 2 + size]
        at += 2 + size
        if kind == 0xC4:
            codes |= dict(_code_tables(body))
        elif kind in {0xC0, 0xC1}:
            components = _frame(body)
        elif kind == 0xDA:
            _read_scan(body, bitstream[at:-2], components, codes)
            return [component.blocks for component in components.values()]


def _code_tables(body: bytes) -> Iterator[tuple[int, Codes]]:
    while body:
        counts, symbols = body[1:17], body[17:]
        codes: Codes = {}
        code = used = 0
        for length, count in enumerate(counts, 1):
            for symbol in symbols[used : used + count]:
                codes[length, code] = symbol
                code += 1
            used += count
            assert code < 1 << length, "the code of ones only is used"
            code *= 2
        yield body[0], codes
        body = symbols[used:]


def _frame(body: bytes) -> dict[int, _Component]:
    height, width = (int.from_bytes(body[k : k + 2], "big") for k in (1, 3))
    entries = [body[6 + 3 * k : 9 + 3 * k] for k in range(body[5])]
    factors = {entry[0]: (entry[1] >> 4, entry[1] & 15) for entry in entries}
    most = max(across for across, _ in factors.values())
    return {
        name: _Component(
            across,
            down,
            np.zeros(
                (-(-height * down // (8 * most)), -(-width * across // (8 * most)), 8, 8), np.int16
            ),
        )
        for name, (across, down) in factors.items()
    }


def _read_scan(
    body: bytes, data: bytes, components: dict[int, _Component], codes: dict[int, Codes]
) -> None:
    bits = "".join(f"{byte:08b}" for byte in data.replace(b"\xff\x00", b"\xff"))
    position = 0

    def number(count: int) -> int:
        nonlocal position
        position += count
        assert position <= len(bits), "the data ends early"
        return int(bits[position - count : position] or "0", 2)

    def symbol(table: Codes) -> int:
        code = 0
        for length in range(1, 17):
            code = 2 * code + number(1)
            if (length, code) in table:
                return table[length, code]
        raise AssertionError("no such code")

    def signed(count: int) -> int:
        value = number(count)
        return value if not count or value >> (count - 1) else value - (1 << count) + 1

    def block(dc: Codes, ac: Codes, before: int) -> NDArray[np.int16]:
        found = np.zeros((8, 8), np.int16)
        found[0, 0] = before + signed(symbol(dc))
        k = 1
        while k < 64:
            zeros, size = divmod(symbol(ac), 16)
            if size == 0 and zeros != 15:
                break
            k += zeros
            found[ZIGZAG[k]] = signed(size)
            k += 1
        return found

    chosen = [(components[body[1 + 2 * k]], body[2 + 2 * k]) for k in range(body[0])]
    first = components[body[1]]
    rows, columns = first.blocks.shape[:2]
    before = [0] * len(chosen)
    mcus = product(range(-(-rows // first.down)), range(-(-columns // first.across)))
    for mcu_row, mcu_column in mcus:
        for k, (component, tables) in enumerate(chosen):
            for y, x in product(range(component.down), range(component.across)):
                found = block(codes[tables >> 4], codes[16 + (tables & 15)], before[k])
                before[k] = int(found[0, 0])
                row, column = mcu_row * component.down + y, mcu_column * component.across + x
                if row < component.blocks.shape[0] and column < component.blocks.shape[1]:
                    component.blocks[row, column] = found
    assert len(bits) - position < 8, "data is left over"
    assert "0" not in bits[position:], "the last byte is not filled with ones"
