"""The learned codec without its models: a stand-in worker keeps the pixels as they are."""

from __future__ import annotations

import dataclasses
import struct
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.codecs import Codec, codec_class, codec_status, get_codec
from edge_daemon.codecs.cheng2020 import Cheng2020, close, configure
from edge_daemon.codecs.cheng2020.bitstream import LearnedBitstream, pack, unpack
from edge_daemon.codecs.cheng2020.codec import pad_aligned
from edge_daemon.codecs.cheng2020.resources import Resources
from edge_daemon.codecs.cheng2020.weights import METRICS, MODELS, Variant, weights_files
from edge_daemon.errors import (
    BadQualityError,
    DecodeError,
    EncodeError,
    LatentsError,
    NoEncoderError,
    UnsupportedError,
)
from edge_daemon.quantiser import QuantiserMap
from support import codec_checks
from support.learned_worker import DIGEST, OTHER_DIGEST, SLOW_S, StandIn
from support.pictures import busy_picture

PUBLISHED = {
    "cheng2020-anchor-3-e49be189.pth.tar": Variant("anchor", "mse", 3),
    "cheng2020_anchor-ms-ssim-1-20f521db.pth.tar": Variant("anchor", "ms-ssim", 1),
    "cheng2020_attn-mse-6-730501f2.pth.tar": Variant("attention", "mse", 6),
    "cheng2020_attn-ms-ssim-2-5dad201d.pth.tar": Variant("attention", "ms-ssim", 2),
    "cheng2020-attention-4.safetensors": Variant("attention", "mse", 4),
    "cheng2020-anchor-5.pth": Variant("anchor", "mse", 5),
}


@pytest.fixture
def stand_in(tmp_path: Path) -> Generator[StandIn]:
    """What is configured is a stand-in for the worker and its environment."""
    stand_in = StandIn(tmp_path)
    configure(python=stand_in.python, timeout_s=60.0, untrained_seed=0)
    yield stand_in
    close()
    configure()


@pytest.fixture
def unconfigured() -> Generator[None]:
    yield
    close()
    configure()


def streams() -> st.SearchStrategy[LearnedBitstream]:
    sides = st.integers(1, 2**32 - 1)
    return st.builds(
        LearnedBitstream,
        variant=st.builds(
            Variant, st.sampled_from(MODELS), st.sampled_from(METRICS), st.integers(1, 6)
        ),
        width=sides,
        height=sides,
        digest=st.binary(min_size=8, max_size=8),
        check=st.binary(min_size=16, max_size=16),
        z=st.binary(max_size=50),
        y=st.binary(max_size=200),
    )


# The container


@given(stream=streams())
@settings(deadline=None)
def test_the_container_keeps_everything(stream: LearnedBitstream) -> None:
    assert unpack(pack(stream)) == stream


@given(stream=streams(), data=st.data())
@settings(deadline=None)
def test_any_damage_to_the_container_is_refused(
    stream: LearnedBitstream, data: st.DataObject
) -> None:
    packed = pack(stream)
    at = data.draw(st.integers(0, 8 * len(packed) - 1))
    flipped = bytearray(packed)
    flipped[at // 8] ^= 1 << at % 8
    cut = data.draw(st.integers(0, len(packed) - 1))
    for bad in (bytes(flipped), packed[:cut], packed + b"\0", packed[1:]):
        with pytest.raises(DecodeError):
            unpack(bad)


@given(data=st.binary(max_size=300))
@settings(deadline=None)
def test_bytes_that_are_no_container_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        unpack(data)


@given(stream=streams(), at=st.integers(0, 47), value=st.integers(0, 255))
@settings(deadline=None)
def test_a_forged_header_is_refused_or_well_formed(
    stream: LearnedBitstream, at: int, value: int
) -> None:
    """With a CRC that matches, every field is still checked."""
    body = bytearray(pack(stream)[:-4])
    body[at] = value
    forged = bytes(body) + struct.pack("<I", zlib.crc32(body))
    try:
        found = unpack(forged)
    except DecodeError:
        return
    assert pack(found) == forged
    assert found.variant.quality in range(1, 7)
    assert min(found.width, found.height) > 0


def small_stream() -> LearnedBitstream:
    variant = Variant("attention", "ms-ssim", 5)
    return LearnedBitstream(variant, 640, 481, b"weights!", b"check of latents", b"zz", b"yyy")


def test_the_container_is_as_documented() -> None:
    expected = b"EC20" + bytes([1, 1, 1, 5]) + struct.pack("<II", 640, 481)
    expected += b"weights!" + b"check of latents" + struct.pack("<II", 2, 3) + b"zz" + b"yyy"
    assert pack(small_stream()) == expected + struct.pack("<I", zlib.crc32(expected))


def test_another_version_is_named() -> None:
    body = bytearray(pack(small_stream())[:-4])
    body[4] = 2
    with pytest.raises(DecodeError, match=r"another version than 1 \(got 2\)"):
        unpack(bytes(body) + struct.pack("<I", zlib.crc32(body)))


# The configuration


def test_config() -> None:
    codec_checks.check_config(Cheng2020())
    codec_checks.check_config(Cheng2020(quality=6, model="attention", metric="ms-ssim"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quality": 0}, "1 to 6"),
        ({"quality": 7}, "1 to 6"),
        ({"quality": True}, "1 to 6"),
        ({"quality": 3.0}, "1 to 6"),
        ({"model": "attn"}, "anchor, attention"),
        ({"metric": "psnr"}, "mse, ms-ssim"),
        ({"untrained_seed": 1}, "no such option"),
        ({"weights": "x"}, "no such option"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadQualityError, match=message):
        get_codec({"id": "cheng2020", **options})


def test_better_quality_is_less_coarse() -> None:
    found = [Cheng2020(quality).coarseness for quality in range(1, 7)]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 6


def test_the_codec_says_that_other_machines_may_fail_to_decode() -> None:
    assert not codec_class("cheng2020").exact_everywhere


def test_a_quantiser_map_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="takes no quantiser map"):
        Cheng2020().encode(busy_picture(8, 8), QuantiserMap(np.ones((1, 1), np.float32)))


@pytest.mark.parametrize("bad", [{"threads": 0}, {"timeout_s": 0.0}, {"timeout_s": float("inf")}])
def test_resources_out_of_range_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        configure(**bad)
    with pytest.raises(ValueError, match="untrained_seed"):
        configure(untrained_seed=-1)


# The status


@pytest.mark.usefixtures("unconfigured")
def test_status_without_an_environment(tmp_path: Path) -> None:
    configure(python=tmp_path / "bin" / "python")
    status = codec_status("cheng2020")
    assert (status.encoder, status.version) == ("", "")
    assert status.problem.startswith("no environment")
    assert "make cheng2020" in status.problem
    assert "per megapixel" in status.note


def test_status_of_an_environment_without_compressai(stand_in: StandIn) -> None:
    (stand_in.python.parents[1] / "lib/python3.11/site-packages/compressai-1.2.8.dist-info").rmdir()
    assert codec_status("cheng2020").problem.startswith("no environment")


def test_status_without_weights(stand_in: StandIn, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "readme.txt").write_text("none yet")
    for weights in (None, tmp_path / "absent", tmp_path / "weights"):
        configure(python=stand_in.python, weights=weights)
        status = codec_status("cheng2020")
        assert (status.encoder, status.version) == ("CompressAI (worker process)", "1.2.8")
        assert status.problem.startswith("no weights")
        assert "cheng2020-anchor-mse-3.pth.tar" in status.problem
    assert stand_in.pids() == [], "looking started the worker"


def test_status_with_weights(stand_in: StandIn, tmp_path: Path) -> None:
    (tmp_path / "cheng2020_attn-mse-6-730501f2.pth.tar").touch()
    for weights in (tmp_path, tmp_path / "cheng2020_attn-mse-6-730501f2.pth.tar"):
        configure(python=stand_in.python, weights=weights)
        assert codec_status("cheng2020").problem == ""
        assert "untrained" not in codec_status("cheng2020").note


def test_status_of_an_untrained_model_says_so(stand_in: StandIn) -> None:
    assert codec_status("cheng2020").problem == ""
    assert "untrained" in codec_status("cheng2020").note
    assert stand_in.pids() == []


def test_a_relative_interpreter_is_found_from_the_current_directory(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(stand_in.python.parents[1])
    assert Resources(python=Path("bin/python")).interpreter == stand_in.python
    assert Resources(python=Path("bin/absent")).interpreter is None


# Weights


def test_published_names_are_understood(tmp_path: Path) -> None:
    for name in [*PUBLISHED, "mbt2018-3-e522738d.pth.tar", "cheng2020-anchor-7.pth", "notes.txt"]:
        (tmp_path / name).touch()
    assert weights_files(tmp_path) == {one: tmp_path / name for name, one in PUBLISHED.items()}
    for name, variant in PUBLISHED.items():
        assert weights_files(tmp_path / name) == {variant: tmp_path / name}
        assert weights_files(tmp_path / variant.file_name) == {}
        (tmp_path / variant.file_name).touch()
        assert list(weights_files(tmp_path / variant.file_name)) == [variant]


def test_of_two_files_the_one_without_a_pickle_is_taken(tmp_path: Path) -> None:
    (tmp_path / "cheng2020-anchor-1-dad2ebff.pth.tar").touch()
    (tmp_path / "cheng2020-anchor-1.safetensors").touch()
    assert weights_files(tmp_path)[Variant("anchor", "mse", 1)].suffix == ".safetensors"


def test_channels_grow_with_quality() -> None:
    channels = [Variant("anchor", "mse", quality).channels for quality in range(1, 7)]
    assert channels == [128, 128, 128, 192, 192, 192]


def test_without_an_environment_both_ways_say_what_to_run(
    tmp_path: Path, stand_in: StandIn
) -> None:
    bitstream = Cheng2020().encode(busy_picture(8, 8))
    configure(python=tmp_path / "absent")
    for attempt in (
        lambda: Cheng2020().encode(busy_picture(8, 8)),
        lambda: Cheng2020().decode(bitstream, width=8, height=8),
    ):
        with pytest.raises(NoEncoderError, match="make cheng2020"):
            attempt()
    assert len(stand_in.pids()) == 1


def test_without_its_weights_a_variant_says_which_file_to_put_where(
    stand_in: StandIn, tmp_path: Path
) -> None:
    (tmp_path / "cheng2020-anchor-3-e49be189.pth.tar").touch()
    configure(python=stand_in.python, weights=tmp_path)
    assert Cheng2020(3).encode(busy_picture(8, 8))
    with pytest.raises(
        NoEncoderError, match=r"attention, ms-ssim, quality 4.*cheng2020-attn-ms-ssim-4"
    ):
        Cheng2020(4, model="attention", metric="ms-ssim").encode(busy_picture(8, 8))


# Pictures


def test_every_size_comes_back_exactly(stand_in: StandIn) -> None:
    codec_checks.check_round_trip(Cheng2020(), smooth_error=0, busy_psnr=90)
    assert len(stand_in.pids()) == 1


@given(width=st.integers(1, 200), height=st.integers(1, 200))
@settings(deadline=None)
def test_padding_repeats_the_last_row_and_column(width: int, height: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    padded = pad_aligned(pixels)
    assert (padded.shape[0] % 64, padded.shape[1] % 64) == (0, 0)
    assert padded.shape[0] - height < 64
    assert padded.shape[1] - width < 64
    rows = [min(row, height - 1) for row in range(padded.shape[0])]
    columns = [min(column, width - 1) for column in range(padded.shape[1])]
    assert np.array_equal(padded, pixels[rows][:, columns])


@pytest.mark.usefixtures("stand_in")
def test_bad_pixels() -> None:
    codec_checks.check_bad_pixels(Cheng2020())


@pytest.mark.usefixtures("stand_in")
def test_bad_bitstreams() -> None:
    codec_checks.check_bad_bitstreams(Cheng2020(), mutations=500)


@pytest.mark.usefixtures("stand_in")
def test_the_bitstream_says_itself_which_model_made_it() -> None:
    """The receiver's configuration need not repeat it, as with other codecs."""
    pixels = busy_picture(70, 50)
    codec = Cheng2020(5, model="attention", metric="ms-ssim")
    bitstream = codec.encode(pixels)
    assert unpack(bitstream).variant == Variant("attention", "ms-ssim", 5)
    assert np.array_equal(Cheng2020().decode(bitstream, width=70, height=50), pixels)


def test_damage_is_refused_before_the_worker_is_asked(stand_in: StandIn) -> None:
    bitstream = bytearray(Cheng2020().encode(busy_picture(8, 8)))
    bitstream[-10] ^= 1
    stand_in.behave("exit")
    with pytest.raises(DecodeError, match="CRC"):
        Cheng2020().decode(bytes(bitstream), width=8, height=8)


# What the worker answers


@pytest.mark.usefixtures("stand_in")
def test_latents_that_differ_ask_for_a_classical_codec() -> None:
    stream = unpack(Cheng2020().encode(busy_picture(8, 8)))
    other = dataclasses.replace(stream, check=bytes(16))
    with pytest.raises(LatentsError, match=r"latents_differ.*classical codec") as caught:
        Cheng2020().decode(pack(other), width=8, height=8)
    assert isinstance(caught.value, DecodeError)


@pytest.mark.usefixtures("stand_in")
def test_other_weights_are_named_with_both_digests() -> None:
    stream = unpack(Cheng2020().encode(busy_picture(8, 8)))
    assert stream.digest.hex() == DIGEST
    other = dataclasses.replace(stream, digest=bytes.fromhex(OTHER_DIGEST))
    with pytest.raises(DecodeError, match=f"{OTHER_DIGEST}.*{DIGEST}") as caught:
        Cheng2020().decode(pack(other), width=8, height=8)
    assert not isinstance(caught.value, LatentsError)


@pytest.mark.parametrize(
    "mode",
    [
        "exit",
        "segfault",
        "garbage",
        'answer {"error": "failed", "message": "out of memory"}',
        'answer {"error": "request", "message": "no such request"}',
        "answer {}",
        'answer {"digest": "00", "check": "00", "z": 0, "seconds": 1}',
        f'answer {{"digest": "{DIGEST}", "check": "{DIGEST * 2}", "z": 1000, "seconds": 1}}',
        f'answer {{"digest": 7, "check": "{DIGEST * 2}", "z": 0, "seconds": 1}}',
    ],
)
def test_a_failing_worker_is_a_typed_error_and_costs_one_picture(
    stand_in: StandIn, mode: str
) -> None:
    pixels = busy_picture(8, 8)
    bitstream = Cheng2020().encode(pixels)
    stand_in.behave(mode)
    with pytest.raises(EncodeError):
        Cheng2020().encode(pixels)
    stand_in.behave()
    assert Cheng2020().encode(pixels) == bitstream
    stand_in.behave(mode)
    with pytest.raises(DecodeError):
        Cheng2020().decode(bitstream, width=8, height=8)
    stand_in.behave()
    assert np.array_equal(Cheng2020().decode(bitstream, width=8, height=8), pixels)


def test_weights_that_cannot_be_used_are_the_operators_affair(stand_in: StandIn) -> None:
    stand_in.behave('answer {"error": "weights", "message": "it does not fit"}')
    with pytest.raises(NoEncoderError, match=r"does not fit.*replace the file"):
        Cheng2020().encode(busy_picture(8, 8))


def test_a_picture_that_takes_too_long_names_the_time_out(stand_in: StandIn) -> None:
    configure(python=stand_in.python, timeout_s=2.0, untrained_seed=0)
    stand_in.behave("hang")
    with pytest.raises(EncodeError, match=r"longer than 2 s.*classical codec"):
        Cheng2020().encode(busy_picture(8, 8))


def test_a_new_configuration_gets_a_new_worker(stand_in: StandIn) -> None:
    pixels = busy_picture(8, 8)
    Cheng2020().encode(pixels)
    configure(python=stand_in.python, untrained_seed=0, threads=1)
    Cheng2020().encode(pixels)
    close()
    Cheng2020().encode(pixels)
    assert len(set(stand_in.pids())) == 3


# How long it will take


def test_the_expected_time_grows_with_the_padded_picture(stand_in: StandIn) -> None:
    expected = Cheng2020().expected_encode_s
    assert 0 < expected(64, 64) < expected(65, 64) == expected(128, 64) < expected(1920, 1080)
    assert Cheng2020(6).expected_encode_s(640, 480) > expected(640, 480)
    assert stand_in.pids() == []


def test_the_expected_time_is_learned(stand_in: StandIn) -> None:
    codecs: list[Codec] = [Cheng2020(), Cheng2020(4)]
    guesses = [codec.expected_encode_s(64, 64) for codec in codecs]
    stand_in.behave("slow")
    codecs[0].encode(busy_picture(64, 64))
    learned = codecs[0].expected_encode_s(64, 64)
    assert learned == pytest.approx(SLOW_S)
    assert codecs[0].expected_encode_s(128, 64) == pytest.approx(2 * SLOW_S)
    assert codecs[1].expected_encode_s(64, 64) < guesses[1], "the worker runs already"
    stand_in.behave()
    codecs[0].encode(busy_picture(64, 64))
    assert guesses[0] < codecs[0].expected_encode_s(64, 64) < learned
