"""The published pipeline, built anew from its description, to be timed beside ours.

Prompt and picture to bitstream, step by step as published: the picture is stretched to a canvas of
whole tiles; every tile is cropped and resized by Pillow, one after the other; the encoder scores
them; softmax; a map of the whole canvas takes the mean relevance of the tiles over each pixel;
every block of the canvas is blurred on its own, 11 taps, by OpenCV; and the *canvas* is encoded,
HEVC and VVC by a program that is started for each frame, JPEG by Pillow.

There are two of it. As *described*, programs run at their own effort: no preset was published.
*Hurried*, they run at ours ("ultrafast" and "faster", which code the same picture in more bytes),
and relevance is averaged once per block and not per pixel.

Where the description leaves room otherwise, both take the faster way: the bundle is loaded once and
not per frame; the prompt is read and embedded once; all tiles are one batch; the graph normalises
them, not Python; and pictures reach the program by a pipe, not by a file. FFmpeg makes
limited-range YCbCr where our codecs make full-range, so at the same quantiser it has a seventh less
to code.

`edge_daemon.prefilter` reproduces the same pixels (mode "reference"), by other code; tests hold the
two together.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_daemon.bench.process import FFmpegHevc, FFmpegVvc, ffmpegs
from edge_daemon.codecs import Codec
from edge_daemon.errors import NoEncoderError
from edge_daemon.prefilter.reference import blur_blocks
from edge_daemon.prefilter.tiling import TileGrid, reference_grid, stretched_canvas
from models import Bundle

Encode = Callable[[NDArray[np.uint8]], bytes]
"""From uint8 (H, W, 3) to a bitstream."""

Way = Literal["described", "hurried"]
WAYS: Final[tuple[Way, ...]] = ("described", "hurried")

CODECS: Final = ("jpeg", "hevc", "vvc")
"""Those that were published and need no GPU."""


class PublishedPipeline:
    """From pixels to a bitstream, for one prompt.

    Args:
        bundle: Encodes; lambda and the sigmas are those that it recommends.
        text: What the prompt was distilled to.
        encode: What encodes the filtered canvas.
        way: See the module.
    """

    def __init__(self, bundle: Bundle, text: str, encode: Encode, way: Way = "described") -> None:
        self._bundle = bundle
        self._text = bundle.encode_text(text)
        self._encode = encode
        self._averaged = _block_means if way == "hurried" else _means_of_map

    def __call__(self, pixels: NDArray[np.uint8]) -> bytes:
        """The bitstream of a picture, uint8 (H, W, 3)."""
        return self._encode(self.filtered(pixels))

    def filtered(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The blurred canvas, uint8; its sides are the picture's, up to the next whole tiles."""
        height, width = pixels.shape[:2]
        grid = reference_grid(width, height, tile_size=self._bundle.tile_size)
        canvas = stretched_canvas(pixels, grid)
        embeddings = self._bundle.encode_tiles(_tiles(canvas, grid))
        scale = self._bundle.manifest.recommended
        logits = scale.lambda_ * (embeddings @ self._text).astype(np.float64)
        shares = np.exp(logits - logits.max())
        relevance = self._averaged(grid.count * shares / shares.sum(), grid)
        sigma = scale.sigma_min * (scale.sigma_max / scale.sigma_min) ** (1.0 - relevance)
        return blur_blocks(canvas, sigma)


def _tiles(canvas: NDArray[np.uint8], grid: TileGrid) -> NDArray[np.uint8]:
    picture, side = Image.fromarray(canvas), grid.tile_size
    tiles: list[NDArray[np.uint8]] = []
    for top in grid.tops:
        for left in grid.lefts:
            tile = picture.crop((left, top, left + side, top + side))
            tiles.append(np.asarray(tile.resize((side, side), Image.Resampling.BICUBIC)))
    return np.stack(tiles)


def _means_of_map(relevance: NDArray[np.float64], grid: TileGrid) -> NDArray[np.float64]:
    """(block rows, block columns): each block's mean of the map of the whole canvas."""
    total = np.zeros((grid.canvas_height, grid.canvas_width))
    covering = np.zeros_like(total)
    corners = [(top, left) for top in grid.tops for left in grid.lefts]
    for value, (top, left) in zip(relevance, corners, strict=True):
        total[top : top + grid.tile_size, left : left + grid.tile_size] += value
        covering[top : top + grid.tile_size, left : left + grid.tile_size] += 1
    stride = grid.canvas_width // grid.block_columns
    blocks = (total / covering).reshape(grid.block_rows, stride, grid.block_columns, stride)
    return blocks.mean(axis=(1, 3))


def _block_means(relevance: NDArray[np.float64], grid: TileGrid) -> NDArray[np.float64]:
    """The same, of the tiles that cover each block."""
    total = np.zeros((grid.block_rows, grid.block_columns))
    covering = np.zeros_like(total)
    stride = grid.canvas_width // grid.block_columns
    across = grid.tile_size // stride
    corners = [(top // stride, left // stride) for top in grid.tops for left in grid.lefts]
    for value, (row, column) in zip(relevance, corners, strict=True):
        total[row : row + across, column : column + across] += value
        covering[row : row + across, column : column + across] += 1
    return total / covering


def published_encoder(codec: Codec, way: Way = "described") -> Encode:
    """What encodes in the published way at the quality of one of our codecs.

    Args:
        codec: Ours.
        way: See the module.

    Raises:
        NoEncoderError: It needs an FFmpeg program that is not here, or the codec is none of
            `CODECS`.
    """
    quality = int(codec.get_config()["quality"])
    if codec.codec_id == "jpeg":
        return lambda pixels: _pillow_jpeg(pixels, quality)
    programs = {"hevc": FFmpegHevc, "vvc": FFmpegVvc}
    make = programs.get(codec.codec_id)
    found = ffmpegs(make.library) if make else []
    if make is None or not found:
        raise NoEncoderError(
            f"nothing here encodes {codec.codec_id} in a process per frame",
            value=codec.codec_id,
            remedy="install an FFmpeg program: pip install 'edge-daemon[vvc]'",
        )
    return make(found[0], quality, way == "hurried").encode


def _pillow_jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()
