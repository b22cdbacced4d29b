"""What a described picture takes: texts, thumbnails and sketches, beside other ways to code them.

The captions are what people wrote of photographs; the model that packs texts has seen none of them.
What can be given a dictionary is given the same primer as that model. `zstandard` and `brotli` are
no dependencies; what is not installed is left out, and named.
"""

from __future__ import annotations

import functools
import importlib
import io
import json
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image
from rich import box
from rich.console import Console
from rich.table import Table

from edge_daemon.bench.codecs import timed
from edge_daemon.codecs import Codec, get_codec
from edge_daemon.errors import NotAnImageError
from edge_daemon.pictures import open_picture
from edge_daemon.semantic.coding import TextCoding, encode_payload, side_of
from edge_daemon.semantic.coding.packing import pack
from edge_daemon.semantic.coding.reduction import reduced
from edge_daemon.semantic.coding.text_model import PRIMER
from edge_daemon.semantic.coding.thumbnail import SHORT_SIDE

WIDTH, HEIGHT = 640, 480
"""The source size for which rates are told."""

_FILES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "PNG, 1 bit": ("PNG", "1", {"optimize": True}),
    "WebP, lossless": ("WEBP", "RGB", {"lossless": True, "quality": 100, "method": 6}),
    "TIFF, group 4 fax": ("TIFF", "1", {"compression": "group4"}),
}
"""Files of black and white: Pillow's format, mode and options."""

Pack = Callable[[bytes], bytes]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Photo:
    """A photograph and what people wrote of it."""

    pixels: Pixels
    captions: tuple[str, ...]


def main(
    folder: Annotated[Path, typer.Argument(help="Photographs with captions and a coco.json.")],
) -> None:
    """Code captions, thumbnails and sketches in several ways; print bytes."""
    console = Console()
    photos = list(_photos(folder))
    captions = [caption.encode() for photo in photos for caption in photo.captions]
    joined = [" ".join(photo.captions).encode() for photo in photos]
    console.print(_texts(console, captions, joined))
    console.print(_thumbnails([photo.pixels for photo in photos]))
    console.print(_sketches([photo.pixels for photo in photos]))
    console.print(_rates(photos))


def _photos(folder: Path) -> Iterator[Photo]:
    index = folder / "coco.json"
    if not index.exists():
        raise NotAnImageError(
            "no photographs with captions there",
            value=str(folder),
            remedy="name a folder with a coco.json: a list of objects with `file` and `captions`",
        )
    for entry in json.loads(index.read_text(encoding="utf-8")):
        pixels = open_picture((folder / entry["file"]).read_bytes()).pixels
        yield Photo(pixels, tuple(entry["captions"]))


def _texts(console: Console, captions: list[bytes], joined: list[bytes]) -> Table:
    table = _table(
        f"{len(captions)} captions, and all of a picture's as one text ({len(joined)})",
        "packing",
        ("bytes a caption", "bits a character", "bytes a text", "bits a character", "ms a text"),
    )
    for name, packed in _packings(PRIMER.read_bytes()):
        if packed is None:
            console.print(f"left out, not installed: {name}")
            continue
        cells: list[str] = []
        for texts in (captions, joined):
            total = sum(len(packed(text)) for text in texts)
            characters = sum(len(text.decode()) for text in texts)
            cells += [f"{total / len(texts):.1f}", f"{8 * total / characters:.2f}"]
        spent_ms, _ = timed(lambda packed=packed: [packed(text) for text in joined], 3)
        table.add_row(name, *cells, f"{spent_ms / len(joined):.2f}")
    return table


def _packings(primer: bytes) -> Iterator[tuple[str, Pack | None]]:
    yield "UTF-8", lambda text: text
    yield "zlib, primer as dictionary", functools.partial(_deflated, primer)
    yield "zstandard, dictionary trained on the primer", _zstandard(primer)
    yield "brotli, its own dictionary", _brotli()
    yield "packed", pack


def _deflated(primer: bytes, text: bytes) -> bytes:
    coder = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=primer)
    return coder.compress(text) + coder.flush()


def _zstandard(primer: bytes) -> Pack | None:
    library = _library("zstandard")
    if library is None:
        return None
    dictionary = library.train_dictionary(len(primer), primer.splitlines(), level=19)
    parameters = library.ZstdCompressionParameters.from_level(
        19,
        format=library.FORMAT_ZSTD1_MAGICLESS,
        write_content_size=0,
        write_checksum=0,
        write_dict_id=0,
    )
    coder = library.ZstdCompressor(dict_data=dictionary, compression_params=parameters)
    return coder.compress


def _brotli() -> Pack | None:
    library = _library("brotli")
    if library is None:
        return None
    return functools.partial(library.compress, quality=11, mode=library.MODE_TEXT)


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _thumbnails(pictures: list[Pixels]) -> Table:
    table = _table(
        f"thumbnails of {len(pictures)} pictures, short side {SHORT_SIDE} pixels; other codecs "
        "in the least quality that comes as near",
        "thumbnail",
        ("bytes, mean", "least", "most", "PSNR, dB"),
    )
    small = [reduced(pixels, SHORT_SIDE) for pixels in pictures]
    ours = [side_of(pixels, "thumbnail") for pixels in pictures]
    goals = [_psnr(side.pixels, pixels) for (_, side), pixels in zip(ours, small, strict=True)]
    table.add_row("VP8 frame", *_sizes([len(coded) for coded, _ in ours]), f"{np.mean(goals):.1f}")
    for codec_id in ("webp", "avif", "jpeg"):
        found = [_as_near(codec_id, *one) for one in zip(small, goals, strict=True)]
        sizes, fidelities = zip(*found, strict=True)
        table.add_row(codec_id, *_sizes(list(sizes)), f"{np.mean(fidelities):.1f}")
    return table


def _as_near(codec_id: str, pixels: Pixels, goal: float) -> tuple[int, float]:
    """Bytes and PSNR of the lowest quality, in steps of 2, that reaches a PSNR."""
    height, width = pixels.shape[:2]
    size, fidelity = 0, 0.0
    for quality in range(2, 101, 2):
        codec: Codec = get_codec({"id": codec_id, "quality": quality})
        bitstream = codec.encode(pixels)
        size = len(bitstream)
        fidelity = _psnr(codec.decode(bitstream, width=width, height=height), pixels)
        if fidelity >= goal:
            break
    return size, fidelity


def _sketches(pictures: list[Pixels]) -> Table:
    table = _table(
        f"sketches of {len(pictures)} pictures, without loss",
        "coding",
        ("bytes, mean", "least", "most"),
    )
    ours = [side_of(pixels, "sketch") for pixels in pictures]
    table.add_row("ours", *_sizes([len(coded) for coded, _ in ours]))
    for name, (file_format, mode, options) in _FILES.items():
        sizes: list[int] = []
        for _, side in ours:
            file = io.BytesIO()
            Image.fromarray(side.pixels).convert(mode).save(file, file_format, **options)
            sizes.append(len(file.getvalue()))
        table.add_row(name, *_sizes(sizes))
    return table


def _rates(photos: list[Photo]) -> Table:
    table = _table(
        f"{len(photos)} pictures, all captions of each; bits per pixel of {WIDTH}x{HEIGHT}",
        "bitstream",
        ("bytes, mean", "bits per pixel"),
    )
    for name, coding in (
        ("text, UTF-8", TextCoding("none", "none")),
        ("text, packed", TextCoding("packed", "none")),
        ("text, packed, and sketch", TextCoding("packed", "sketch")),
        ("text, packed, and thumbnail", TextCoding("packed", "thumbnail")),
    ):
        coded = [encode_payload(" ".join(one.captions), one.pixels, coding)[0] for one in photos]
        mean = sum(map(len, coded)) / len(coded)
        table.add_row(name, f"{mean:.0f}", f"{8 * mean / (WIDTH * HEIGHT):.4f}")
    return table


def _table(title: str, first: str, others: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _sizes(sizes: list[int]) -> tuple[str, str, str]:
    return f"{np.mean(sizes):.0f}", str(min(sizes)), str(max(sizes))


def _psnr(pixels: Pixels, reference: Pixels) -> float:
    error = float(np.mean((pixels.astype(np.float64) - reference) ** 2))
    return 10 * math.log10(255**2 / max(error, 1e-3))


if __name__ == "__main__":
    typer.run(main)
