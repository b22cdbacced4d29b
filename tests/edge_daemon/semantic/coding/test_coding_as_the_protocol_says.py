"""Packed texts and sketches read by PROTOCOL.md alone, without a line of ours."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np

from edge_daemon.semantic.coding import TextCoding, encode_payload, side_of

PRIMER = Path(__file__).parents[4] / "edge_daemon" / "semantic" / "coding" / "primer.txt"


class Fraction:
    """The message as a binary fraction, read symbol by symbol; whole numbers of any length."""

    def __init__(self, message: bytes) -> None:
        self.message = message + bytes(5)
        self.n = 5
        self.value = int.from_bytes(self.message[:5], "big")
        self.low: int = 0
        self.width: int = 2**40

    def slot(self, total: int) -> int:
        return (self.value - self.low) // (self.width // total)

    def take(self, start: int, size: int, total: int) -> None:
        part = self.width // total
        self.low += start * part
        self.width = size * part
        while self.width < 2**32:
            self.low, self.width, self.n = self.low * 256, self.width * 256, self.n + 1
            follows = self.message[self.n - 1] if self.n <= len(self.message) else 0
            self.value = self.value * 256 + follows


class Lists:
    def __init__(self) -> None:
        self.followers: defaultdict[bytes, list[int]] = defaultdict(list)
        self.history = b"\xff"

    def contexts(self) -> list[bytes]:
        last = self.history[-6:]
        return [last[len(last) - n :] for n in range(len(last) + 1)]

    def sizes(self) -> list[int]:
        shares = [65536] * 256
        for context in self.contexts():
            seen = self.followers.get(context, [])
            if not seen:
                break
            n, m = len(seen), len(set(seen))
            shares = [
                (max(16 * seen.count(b) - 13, 0) * 2**24 + 13 * m * shares[b]) // (16 * n)
                for b in range(256)
            ]
        return [share + 1 for share in shares]

    def learn(self, byte: int, times: int) -> None:
        for context in reversed(self.contexts()):
            had = byte in self.followers[context]
            self.followers[context] = (self.followers[context] + [byte] * times)[-255:]
            if had:
                break
        self.history += bytes([byte])


def read_text(packed: bytes) -> str:
    lists = Lists()
    for line in PRIMER.read_bytes().splitlines():
        lists.history = b"\xff"
        for byte in line + b"\xff":
            lists.learn(byte, 1)
    lists.history = b"\xff"
    fraction, text = Fraction(packed), bytearray()
    while True:
        sizes = lists.sizes()
        slot, start, byte = fraction.slot(sum(sizes)), 0, 0
        while start + sizes[byte] <= slot:
            start += sizes[byte]
            byte += 1
        fraction.take(start, sizes[byte], sum(sizes))
        if byte == 0xFF:
            return text.decode("utf-8")
        text.append(byte)
        lists.learn(byte, 2)


def read_sketch(coded: bytes) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    width, height = coded[0] + 1, coded[1] + 1
    fraction = Fraction(coded[2:])
    black: dict[tuple[int, int], int] = {}
    seen: defaultdict[tuple[int, ...], list[int]] = defaultdict(lambda: [0, 0])
    for y in range(height):
        for x in range(width):
            places = [(-1, 0), (0, -1), (1, -1), (-1, -1)]
            places += [(-2, 0), (-2, -1), (2, -1), (-1, -2), (0, -2), (1, -2)]
            around = tuple(black.get((x + dx, y + dy), 0) for dx, dy in places)
            near, far = seen[around[:4]], seen[around]
            g = (65536 * near[1] + 2 * 6554) // (sum(near) + 2)
            b = min(65520, max(16, (65536 * far[1] + 4 * g) // (sum(far) + 4)))
            level = int(fraction.slot(65536) >= 65536 - b)
            fraction.take(65536 - b if level else 0, b if level else 65536 - b, 65536)
            black[x, y] = level
            near[level] += 1
            far[level] += 1
    return np.array([[black[x, y] == 1 for x in range(width)] for y in range(height)])


def test_packed_texts() -> None:
    for text in ("A dog.", "Two red cars at the left, a sign that reads “Zürich 漢字”."):
        packed, config = encode_payload(text, None, TextCoding())
        assert (config["packing"], config["model"]) == ("packed", 1)
        assert read_text(packed) == text


def test_sketches() -> None:
    pixels = np.full((90, 130, 3), 200, np.uint8)
    pixels[20:60, 30:100] = (30, 60, 90)
    pixels[70:80, 5:40] = (250, 10, 10)
    coded, side = side_of(pixels, "sketch")
    assert (read_sketch(coded) == (side.pixels[..., 0] == 0)).all()
    assert read_sketch(coded).any()
