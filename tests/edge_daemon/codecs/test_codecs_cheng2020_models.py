"""The learned codec with its real models, untrained: no weights come with this repository.

What an untrained model makes of a picture is noise, so nothing here looks at how good it is. What
matters is that the decoder arrives at the encoder's latents, and says so when it does not.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.codecs import codec_status, get_codec
from edge_daemon.codecs.cheng2020 import Cheng2020, close, configure
from edge_daemon.codecs.cheng2020.bitstream import LearnedBitstream, pack, unpack
from edge_daemon.codecs.cheng2020.resources import WORKER, Resources
from edge_daemon.errors import DecodeError, LatentsError, NoEncoderError
from support import codec_checks
from support.learned_worker import gone
from support.pictures import busy_picture

pytestmark = [
    pytest.mark.cheng2020,
    pytest.mark.skipif(
        not Resources().compressai_version, reason="no .venv-cheng2020: run `make cheng2020`"
    ),
]

GOLDEN = Path(__file__).parent / "golden"
SEED, OTHER_SEED = 1, 2
LATENT_BYTES = 300  # less than the entropy-coded y of any picture here


class Coded(NamedTuple):
    """A picture and its bitstream."""

    pixels: NDArray[np.uint8]
    bitstream: bytes
    stream: LearnedBitstream


@pytest.fixture(autouse=True)
def _untrained() -> Generator[None]:
    configure(threads=1, timeout_s=200.0, untrained_seed=SEED)
    yield
    configure()


@pytest.fixture(scope="module", autouse=True)
def _no_worker_stays() -> Generator[None]:
    yield
    close()


@pytest.fixture
def coded() -> Coded:
    """A picture of 64x64 pixels with the anchor model of 128 channels."""
    pixels = busy_picture(64, 64)
    bitstream = Cheng2020().encode(pixels)
    return Coded(pixels, bitstream, unpack(bitstream))


def resealed(stream: LearnedBitstream, **changes: Any) -> bytes:
    """Another bitstream whose CRC is right."""
    return pack(dataclasses.replace(stream, **changes))


@pytest.mark.parametrize("model", ["anchor", "attention"])
@pytest.mark.parametrize("quality", [1, 4])
@pytest.mark.parametrize("size", [(64, 64), (50, 70)])
def test_round_trip(model: str, quality: int, size: tuple[int, int]) -> None:
    """Decoding compares the latents; that it can fail is what the tests below show."""
    width, height = size
    pixels = busy_picture(width, height)
    codec = Cheng2020(quality, model=model)
    decoded = codec_checks.encoded_decoded(codec, pixels)
    stream = unpack(codec.encode(pixels))
    assert len(stream.y) > LATENT_BYTES
    assert stream.z
    assert decoded.std() > 0


@pytest.mark.parametrize("size", [(1, 1), (65, 1), (129, 64)])
def test_sizes_around_the_alignment(size: tuple[int, int]) -> None:
    pixels = busy_picture(*size)
    assert codec_checks.encoded_decoded(Cheng2020(), pixels).shape == pixels.shape


def test_what_is_cropped_is_the_padding(coded: Coded) -> None:
    """A picture and its padded self give the same latents, so the same pixels."""
    cut = coded.pixels[:40, :50]
    padded = np.pad(cut, ((0, 24), (0, 14), (0, 0)), mode="edge")
    small, large = Cheng2020().encode(cut), Cheng2020().encode(padded)
    assert unpack(small).y == unpack(large).y
    whole = Cheng2020().decode(large, width=64, height=64)
    assert np.array_equal(Cheng2020().decode(small, width=50, height=40), whole[:40, :50])


def test_another_process_gives_the_same_bytes(coded: Coded) -> None:
    close()
    assert Cheng2020().encode(coded.pixels) == coded.bitstream


def test_the_decoders_threads_do_not_matter() -> None:
    pixels = busy_picture(192, 128)
    bitstream = Cheng2020().encode(pixels)
    configure(threads=2, untrained_seed=SEED)
    decoded = Cheng2020().decode(bitstream, width=192, height=128)
    configure(threads=1, untrained_seed=SEED)
    again = Cheng2020().decode(bitstream, width=192, height=128)
    assert np.abs(decoded.astype(int) - again).max() <= 2


@pytest.mark.parametrize("model", ["anchor", "attention"])
def test_other_instructions_of_the_processor_arrive_at_the_same_latents(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As near as one machine comes to another: torch and oneDNN without AVX, where there is any.

    In single precision this fails for about every other picture.
    """
    pixels = busy_picture(256, 192)
    bitstream = Cheng2020(model=model).encode(pixels)
    close()
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    monkeypatch.setenv("DNNL_MAX_CPU_ISA", "SSE41")
    decoded = Cheng2020(model=model).decode(bitstream, width=256, height=192)
    close()
    assert decoded.shape == pixels.shape


def test_the_two_models_and_all_qualities_are_different_models(coded: Coded) -> None:
    others = [Cheng2020(4), Cheng2020(model="attention")]
    digests = {unpack(codec.encode(coded.pixels)).digest for codec in others}
    assert len(digests | {coded.stream.digest}) == 3


@pytest.mark.parametrize("name", ["cheng2020-anchor", "cheng2020-attention"])
def test_golden_bitstreams_still_decode(name: str) -> None:
    """To the recorded latents exactly, and to the recorded pixels nearly: those may differ."""
    facts = json.loads((GOLDEN / name / "facts.json").read_text())
    bitstream = (GOLDEN / name / "bitstream.cheng2020").read_bytes()
    stream = unpack(bitstream)
    assert stream.check.hex() == facts["latents_check"]
    assert stream.digest.hex() == facts["weights_digest"]
    configure(threads=1, untrained_seed=facts["untrained_seed"])
    size = {"width": facts["width"], "height": facts["height"]}
    decoded = get_codec(facts["config"]).decode(bitstream, **size)
    recorded = cv2.imread(str(GOLDEN / name / "pixels.png"))
    assert recorded is not None
    assert np.abs(decoded.astype(int) - recorded[..., ::-1]).max() <= 3


def test_a_check_that_differs_in_one_bit_is_seen(coded: Coded) -> None:
    check = bytearray(coded.stream.check)
    for at in range(0, 128, 13):
        check[at // 8] ^= 1 << at % 8
        with pytest.raises(LatentsError, match=coded.stream.check.hex()):
            Cheng2020().decode(resealed(coded.stream, check=bytes(check)), width=64, height=64)
        check[at // 8] ^= 1 << at % 8


def test_a_decoder_that_computes_otherwise_is_seen(coded: Coded) -> None:
    """Stands in for other hardware: other weights under a digest forged to match."""
    configure(threads=1, untrained_seed=OTHER_SEED)
    digest = unpack(Cheng2020().encode(coded.pixels)).digest
    assert digest != coded.stream.digest
    with pytest.raises(DecodeError, match=f"{coded.stream.digest.hex()}.*{digest.hex()}"):
        Cheng2020().decode(coded.bitstream, width=64, height=64)
    with pytest.raises(LatentsError):
        Cheng2020().decode(resealed(coded.stream, digest=digest), width=64, height=64)


def test_damage_under_a_right_crc_is_seen_and_the_worker_lives_on(coded: Coded) -> None:
    """Flipped, cut, foreign and repeated streams of z and y, as often as time allows."""
    rng = np.random.default_rng(0)
    stream = coded.stream
    for attempt in range(300):
        name = ("z", "y")[attempt % 2]
        damaged = bytearray(getattr(stream, name))
        kind = attempt // 2 % 4
        if kind == 0:
            # The last words of a stream may hold bits that decide nothing.
            at = int(rng.integers(len(damaged) * 3 // 4))
            damaged[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del damaged[int(rng.integers(len(damaged) // 2)) :]
        elif kind == 2:
            damaged[:] = rng.bytes(int(rng.integers(1, 400)))
        else:
            damaged[:] = bytes([255]) * len(damaged)
        with pytest.raises(LatentsError):
            Cheng2020().decode(resealed(stream, **{name: bytes(damaged)}), width=64, height=64)
    decoded = Cheng2020().decode(coded.bitstream, width=64, height=64)
    assert decoded.shape == (64, 64, 3)


def test_z_and_y_that_trade_bytes_are_seen(coded: Coded) -> None:
    z, y = coded.stream.z, coded.stream.y
    for split in (0, len(z) - 4, len(z) + 4):
        data = z + y
        moved = resealed(coded.stream, z=data[:split], y=data[split:])
        with pytest.raises(LatentsError):
            Cheng2020().decode(moved, width=64, height=64)


def test_bad_bitstreams() -> None:
    codec_checks.check_bad_bitstreams(Cheng2020(), mutations=500)


def test_the_worker_says_what_it_runs_on() -> None:
    status = codec_status("cheng2020")
    assert (status.encoder, status.problem) == ("CompressAI (worker process)", "")
    assert status.version == Resources().compressai_version


@pytest.mark.parametrize("options", [[], ["-I"]])
def test_the_program_says_whether_its_libraries_are_there(
    options: list[str], tmp_path: Path
) -> None:
    """From any directory, with -I as without: it finds its own modules by its own place."""
    python = Resources().interpreter
    assert python is not None
    checked = subprocess.run(
        [python, *options, WORKER, "--check"], cwd=tmp_path, check=True, capture_output=True
    )
    assert json.loads(checked.stdout)["compressai"] == Resources().compressai_version


# Weights from files


SAVE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from cheng2020_coder import Coder
import safetensors.torch, torch
coder, folder = Coder(1), Path(sys.argv[2])
wanted = {"architecture": "anchor", "channels": 128, "weights": None, "seed": 7}
state = coder.load(wanted).net.state_dict()
state = {name: value.float() if value.is_floating_point() else value
         for name, value in state.items()}
torch.save(state, folder / "cheng2020-anchor-1-00000000.pth.tar")
torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}},
           folder / "cheng2020-anchor-2.pth")
safetensors.torch.save_file(state, folder / "cheng2020-anchor-3.safetensors")
older = {name.replace("bottleneck.matrices.", "bottleneck._matrix"): value
         for name, value in state.items()}
torch.save(older, folder / "cheng2020-anchor-ms-ssim-1.pth.tar")
torch.save(state, folder / "cheng2020_attn-mse-1.pth.tar")
torch.save(state, folder / "cheng2020-anchor-4.pth.tar")
torch.save({"state_dict": {"g_a": [1, 2]}}, folder / "cheng2020-anchor-5.pth.tar")
torch.save(Path("/"), folder / "cheng2020-anchor-ms-ssim-2.pth.tar")
(folder / "cheng2020-anchor-6.pth.tar").write_bytes(b"no weights")
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained weights in files like the published ones, and files that are none."""
    folder = tmp_path_factory.mktemp("weights")
    python = Resources().interpreter
    assert python is not None
    subprocess.run([python, "-c", SAVE, WORKER, folder], check=True, capture_output=True)
    return folder


def test_the_same_weights_have_the_same_digest_in_every_kind_of_file(weights: Path) -> None:
    configure(threads=1, weights=weights)
    pixels = busy_picture(64, 64)
    codecs = [Cheng2020(1), Cheng2020(2), Cheng2020(3), Cheng2020(1, metric="ms-ssim")]
    streams = [unpack(codec.encode(pixels)) for codec in codecs]
    assert len({(stream.digest, stream.check, stream.z, stream.y) for stream in streams}) == 1
    decoded = Cheng2020(1).decode(pack(streams[0]), width=64, height=64)
    assert decoded.shape == (64, 64, 3)


def test_a_single_file_serves_its_variant_only(weights: Path) -> None:
    configure(threads=1, weights=weights / "cheng2020-anchor-1-00000000.pth.tar")
    assert codec_status("cheng2020").problem == ""
    assert Cheng2020(1).encode(busy_picture(64, 64))
    with pytest.raises(NoEncoderError, match="quality 2"):
        Cheng2020(2).encode(busy_picture(64, 64))


@pytest.mark.parametrize(
    ("codec", "problem"),
    [
        (Cheng2020(1, model="attention"), "does not fit attention, 128 channels"),
        (Cheng2020(4), "does not fit anchor, 192 channels"),
        (Cheng2020(5), "more than tensors"),
        (Cheng2020(6), "no file of weights"),
        (Cheng2020(2, metric="ms-ssim"), "no file of weights"),
    ],
)
def test_files_that_do_not_fit_are_refused_by_name(
    weights: Path, codec: Cheng2020, problem: str
) -> None:
    configure(threads=1, weights=weights)
    with pytest.raises(NoEncoderError, match=problem):
        codec.encode(busy_picture(64, 64))
    assert Cheng2020(1).encode(busy_picture(64, 64)), "the worker did not survive it"


PROGRAM = """
import threading
import numpy as np
from edge_daemon.codecs.cheng2020 import Cheng2020, configure
configure(threads=1, untrained_seed=1)
Cheng2020().encode(np.zeros((64, 64, 3), np.uint8))
print(open(f"/proc/self/task/{threading.get_native_id()}/children").read(), flush=True)
Cheng2020(6).encode(np.zeros((1024, 1024, 3), np.uint8))
"""


def test_a_daemon_that_is_killed_in_mid_picture_leaves_no_worker() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert not gone(pid, within_s=1.0)
        process.kill()
    assert gone(pid)
