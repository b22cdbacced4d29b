"""What holds for every codec."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.codecs import Codec, codec_class, codec_ids, codec_status, get_codec
from edge_daemon.errors import DecodeError
from support import codec_checks
from support.pictures import busy_picture, psnr, smooth_picture

GOLDEN = Path(__file__).parent / "golden"
APART = {"cheng2020"}
"""Tested in files of their own: a learned codec meets other bounds."""
CODECS = [one for one in codec_ids() if one not in APART and not codec_status(one).problem]
BEST = {one: codec_class(one).qualities[1] for one in CODECS}


def at_best(codec_id: str) -> Codec:
    """The best quality, with full colour resolution where the codec has it."""
    options = {field.name for field in dataclasses.fields(codec_class(codec_id))}
    colour = {"subsampling": "444"} if "subsampling" in options else {}
    return get_codec({"id": codec_id, "quality": BEST[codec_id], **colour})


@pytest.fixture(params=CODECS)
def best(request: pytest.FixtureRequest) -> Codec:
    return at_best(request.param)


@pytest.fixture(params=CODECS)
def usual(request: pytest.FixtureRequest) -> Codec:
    return get_codec({"id": request.param})


def test_whatever_cannot_encode_here_says_why() -> None:
    for codec_id in codec_ids():
        status = codec_status(codec_id)
        assert bool(status.problem) == (codec_id not in CODECS) or codec_id in APART
        assert status.problem or (status.encoder and status.version)


def test_round_trip(best: Codec) -> None:
    # WebP is limited range, where a step of Cb is two levels of blue, and its finest quantiser has
    # a step of 4: up to 6 levels over soft gradients, measured over 60 of them.
    smooth_error = 6 if best.codec_id == "webp" else 4
    codec_checks.check_round_trip(best, smooth_error=smooth_error, busy_psnr=42)


def test_saturated_colours(best: Codec) -> None:
    codec_checks.check_saturated_colours(best, error=3)


def test_config(usual: Codec) -> None:
    codec_checks.check_config(usual)


@pytest.mark.parametrize("codec_id", CODECS)
def test_quality_bounds(codec_id: str) -> None:
    codec_checks.check_quality_bounds(codec_id, *sorted(codec_class(codec_id).qualities))


def test_bad_pixels(usual: Codec) -> None:
    codec_checks.check_bad_pixels(usual)


def test_bad_bitstreams(usual: Codec) -> None:
    codec_checks.check_bad_bitstreams(usual, mutations=500)


def test_a_bitstream_of_another_codec_is_refused(usual: Codec) -> None:
    for other in CODECS:
        if other != usual.codec_id:
            bitstream = get_codec({"id": other}).encode(smooth_picture(48, 40))
            with pytest.raises(DecodeError):
                usual.decode(bitstream, width=48, height=40)


@pytest.mark.parametrize("golden", sorted(path.stem for path in GOLDEN.glob("*.json")))
def test_golden_bitstreams_still_decode(golden: str) -> None:
    codec_checks.check_golden(GOLDEN, golden)


def test_every_codec_has_a_golden_bitstream() -> None:
    assert {path.stem.split("-")[0] for path in GOLDEN.glob("*.json")} >= set(CODECS)


def test_better_quality_costs_bytes_and_gains_fidelity() -> None:
    pixels = busy_picture(160, 120)
    for codec_id in CODECS:
        worst, best = codec_class(codec_id).qualities
        qualities = [worst + round(share * (best - worst)) for share in (0.1, 0.8)]
        sizes: list[int] = []
        fidelities: list[float] = []
        for quality in qualities:
            codec = get_codec({"id": codec_id, "quality": quality})
            bitstream = codec.encode(pixels)
            sizes.append(len(bitstream))
            fidelities.append(psnr(codec.decode(bitstream, width=160, height=120), pixels))
        assert sizes[0] * 1.5 < sizes[1]
        coarse, fine = (get_codec({"id": codec_id, "quality": q}).coarseness for q in qualities)
        assert coarse > fine
        assert fidelities[0] + 3 < fidelities[1]


@pytest.mark.parametrize(
    ("codec_id", "quality"),
    [("jpeg", 60), ("hevc", 22), ("vvc", 22), ("heif", 70), ("webp", 80), ("avif", 75)],
)
def test_the_step_is_the_one_that_the_error_tells_of(codec_id: str, quality: int) -> None:
    """A uniform quantiser of step D leaves an error of D / sqrt(12), where there is much detail."""
    problem = codec_status(codec_id).problem
    if problem:
        pytest.skip(problem)
    rng = np.random.default_rng(0)
    detail = cv2.GaussianBlur(rng.normal(0.0, 1.0, (256, 256)), (0, 0), 1.5)
    grey = np.clip(128 + 45 * detail / detail.std(), 0, 255).astype(np.uint8)
    pixels = np.repeat(grey[..., None], 3, axis=2)
    codec = get_codec({"id": codec_id, "quality": quality})
    decoded = codec.decode(codec.encode(pixels), width=256, height=256)
    error = float(np.sqrt(np.mean((decoded.astype(float) - pixels) ** 2)))
    assert 2.0**-0.75 < error * 12**0.5 / codec.quantiser.step < 2.0**0.75


def test_threads_do_not_disturb_each_other(usual: Codec) -> None:
    pictures = [busy_picture(40 + 8 * (n % 3), 40, seed=n) for n in range(12)]
    expected = [usual.encode(pixels) for pixels in pictures]

    def both(pixels: np.ndarray) -> tuple[bytes, np.ndarray]:
        bitstream = usual.encode(pixels)
        height, width = pixels.shape[:2]
        return bitstream, usual.decode(bitstream, width=width, height=height)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(both, pictures * 2))
    assert [bitstream for bitstream, _ in found] == expected * 2
    for pixels, (_, decoded) in zip(pictures * 2, found, strict=True):
        assert psnr(decoded, pixels) > 20


@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    codec_id=st.sampled_from(CODECS),
    seed=st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=40)
def test_any_size_survives(width: int, height: int, codec_id: str, seed: int) -> None:
    """Luma is not subsampled: grey noise comes back close, pixel by pixel, at any size."""
    grey = np.random.default_rng(seed).integers(0, 256, (height, width, 1), dtype=np.uint8)
    pixels = np.repeat(grey, 3, axis=2)
    codec = at_best(codec_id)
    decoded = codec_checks.encoded_decoded(codec, pixels)
    assert np.abs(decoded.astype(int) - pixels).max() <= 12


@given(data=st.binary(max_size=300), codec_id=st.sampled_from(CODECS))
@settings(deadline=None, max_examples=100)
def test_arbitrary_bytes_are_refused(data: bytes, codec_id: str) -> None:
    with pytest.raises(DecodeError):
        get_codec({"id": codec_id}).decode(data, width=16, height=16)
