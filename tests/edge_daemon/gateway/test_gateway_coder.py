"""A picture comes out as a cloud would have decoded it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.codecs import get_codec
from edge_daemon.errors import DamagedImageError, PromptError, TooManyPixelsError
from edge_daemon.gateway.coder import Coder
from edge_daemon.pictures import PictureLimits, to_png
from edge_daemon.prefilter import Prefilter
from edge_daemon.settings import PrefilterSettings
from support.gateway_rig import pixels_of

JPEG = {"id": "jpeg", "quality": 50}


def coder_of(prefilter: Prefilter | None, **config: object) -> Coder:
    return Coder(get_codec(config or JPEG), prefilter, PictureLimits())


def error(sent: NDArray[np.uint8], source: NDArray[np.uint8]) -> float:
    return float(np.mean((sent.astype(float) - source) ** 2))


def test_jpeg_goes_as_it_was_encoded(halves: NDArray[np.uint8], prefilter: Prefilter) -> None:
    file = to_png(halves)
    coded = coder_of(prefilter).code(file, ["the red car"])
    filtered, report = prefilter(halves, "the red car", quantiser=get_codec(JPEG).quantiser)
    assert coded.content == get_codec(JPEG).encode(filtered, report.offsets)
    assert coded.media_type == "image/jpeg"
    assert (coded.bytes_in, coded.bytes_out) == (len(file), len(coded.content))
    assert coded.pixels == coded.sent_pixels == 301 * 601


def test_what_is_asked_about_is_kept_and_bytes_are_saved(
    halves: NDArray[np.uint8], prefilter: Prefilter
) -> None:
    plain = coder_of(None).code(to_png(halves), ["the red car"])
    coded = coder_of(prefilter).code(to_png(halves), ["the red car"])
    sent = pixels_of(coded.content)
    assert error(sent[:, :200], halves[:, :200]) < 0.7 * error(sent[:, 400:], halves[:, 400:])
    assert coded.bytes_out < 0.9 * plain.bytes_out


def test_without_a_question_or_a_prefilter_the_codec_alone_works(
    halves: NDArray[np.uint8], prefilter: Prefilter
) -> None:
    bare = get_codec(JPEG).encode(halves)
    assert coder_of(prefilter).code(to_png(halves), ()).content == bare
    assert coder_of(None).code(to_png(halves), ["the red car"]).content == bare


def test_other_codecs_are_decoded_again_and_go_as_png(
    halves: NDArray[np.uint8], prefilter: Prefilter
) -> None:
    codec = get_codec({"id": "hevc", "quality": 36})
    coded = coder_of(prefilter, id="hevc", quality=36).code(to_png(halves), ["the red car"])
    filtered, report = prefilter(halves, "the red car", quantiser=codec.quantiser)
    bitstream = codec.encode(filtered, report.offsets)
    assert coded.bytes_out == len(bitstream) < len(coded.content)
    assert coded.media_type == "image/png"
    decoded = codec.decode(bitstream, width=601, height=301)
    np.testing.assert_array_equal(pixels_of(coded.content), decoded)


def test_webp_goes_as_it_was_encoded(halves: NDArray[np.uint8]) -> None:
    coded = coder_of(None, id="webp", quality=40).code(to_png(halves), ())
    assert coded.media_type == "image/webp"
    assert coded.bytes_out == len(coded.content)
    assert pixels_of(coded.content).shape == halves.shape


def test_reference_mode_sends_another_size_and_both_are_told(
    halves: NDArray[np.uint8], prefilter: Prefilter
) -> None:
    reference = Prefilter(prefilter.bundle, PrefilterSettings(mode="reference"))
    coded = coder_of(reference).code(to_png(halves), ["the red car"])
    sent = pixels_of(coded.content)
    assert coded.pixels == 301 * 601
    assert coded.sent_pixels == sent.shape[0] * sent.shape[1] != coded.pixels


def test_bad_pictures_and_prompts_are_named(
    halves: NDArray[np.uint8], prefilter: Prefilter
) -> None:
    file = to_png(halves)
    with pytest.raises(DamagedImageError):
        coder_of(prefilter).code(file[:500], ["red"])
    with pytest.raises(TooManyPixelsError, match="601x301"):
        Coder(get_codec(JPEG), None, PictureLimits(max_pixels=1000)).code(file, ["red"])
    with pytest.raises(PromptError):
        coder_of(prefilter).code(file, ["red " * 10_000])
