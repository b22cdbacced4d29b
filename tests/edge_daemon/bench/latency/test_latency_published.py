"""The published pipeline's pixels, against those of mode "reference": other code, same picture."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.bench.latency.published import WAYS, PublishedPipeline, Way, published_encoder
from edge_daemon.bench.process import FFmpegHevc, FFmpegVvc, ffmpegs
from edge_daemon.codecs import get_codec
from edge_daemon.errors import NoEncoderError
from edge_daemon.prefilter import Prefilter
from edge_daemon.settings import PrefilterSettings
from support.pictures import busy_picture, psnr
from support.pixels import scene
from support.tiny_bundle import make_tiny_bundle

PROMPT = "Where is the red car?"


@pytest.fixture(scope="module")
def prefilter(tmp_path_factory: pytest.TempPathFactory) -> Prefilter:
    bundle = make_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")
    return Prefilter.from_bundle(bundle, PrefilterSettings(mode="reference"), threads=1)


@pytest.mark.parametrize(
    ("width", "height", "tiles"),
    [(700, 500, 35), (448, 448, 25), (1200, 300, 33), (200, 150, 1)],
)
@pytest.mark.parametrize("way", WAYS)
def test_the_pixels_are_those_of_reference_mode(
    prefilter: Prefilter, width: int, height: int, tiles: int, way: Way
) -> None:
    pixels = scene(height, width)
    expected, report = prefilter(pixels, PROMPT)
    published = PublishedPipeline(prefilter.bundle, report.prompts[0].text, lambda _: b"", way)
    found = published.filtered(pixels)
    assert len(report.tiles) == tiles
    assert found.shape == expected.shape
    assert np.abs(found.astype(np.int16) - expected).max() <= 1


def test_what_the_prompt_names_stays_sharp_and_the_rest_does_not(prefilter: Prefilter) -> None:
    pixels = scene(672, 896)  # whole tiles, so that nothing is stretched
    filtered = PublishedPipeline(prefilter.bundle, "red car", lambda _: b"").filtered(pixels)
    red, grey = np.s_[230:330, 230:440], np.s_[450:670, 600:890]
    assert psnr(filtered[red], pixels[red]) > psnr(filtered[grey], pixels[grey]) + 10.0


def test_the_canvas_is_what_is_encoded(prefilter: Prefilter) -> None:
    seen: list[tuple[int, ...]] = []

    def encode(pixels: NDArray[np.uint8]) -> bytes:
        seen.append(pixels.shape)
        return b"bitstream"

    assert PublishedPipeline(prefilter.bundle, "red car", encode)(scene(200, 300)) == b"bitstream"
    assert seen == [(224, 448, 3)]


@pytest.mark.parametrize(
    ("codec_id", "container"),
    [
        ("jpeg", "jpeg_pipe"),
        pytest.param(
            "hevc",
            "hevc",
            marks=pytest.mark.skipif(
                not ffmpegs(FFmpegHevc.library), reason="no ffmpeg program with libx265"
            ),
        ),
        pytest.param(
            "vvc",
            "vvc",
            marks=pytest.mark.skipif(
                not ffmpegs(FFmpegVvc.library), reason="no ffmpeg program with libvvenc"
            ),
        ),
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_its_encoders_obey_the_quality(codec_id: str, container: str, way: Way) -> None:
    pixels = busy_picture(448, 224)
    worse, better = {"jpeg": (30, 90), "hevc": (40, 24), "vvc": (40, 24)}[codec_id]
    sizes: list[int] = []
    for quality in (worse, better):
        encode = published_encoder(get_codec({"id": codec_id, "quality": quality}), way)
        bitstream = encode(pixels)
        sizes.append(len(bitstream))
        (frame,) = av.open(io.BytesIO(bitstream), "r", format=container).decode(video=0)
        decoded = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    assert decoded.shape == pixels.shape
    assert psnr(decoded, pixels) > 28.0
    assert sizes[1] > 1.5 * sizes[0]


@pytest.mark.skipif(not ffmpegs(FFmpegHevc.library), reason="no ffmpeg program with libx265")
def test_in_a_hurry_the_same_quality_takes_more_bytes() -> None:
    pixels, codec = busy_picture(448, 224), get_codec({"id": "hevc", "quality": 32})
    described, hurried = (len(published_encoder(codec, way)(pixels)) for way in WAYS)
    assert hurried > described


def test_a_codec_that_was_not_published_is_refused() -> None:
    with pytest.raises(NoEncoderError, match="in a process per frame"):
        published_encoder(get_codec({"id": "webp"}))
