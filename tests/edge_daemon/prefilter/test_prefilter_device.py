"""Where pictures are smoothed, with a stand-in for the kernel on a GPU's stream."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon import Prefilter
from edge_daemon.prefilter import device
from kernels import CoarseSigma, default_backend, varying_gaussian
from models import Bundle, load_bundle
from support.tiny_bundle import make_tiny_bundle
from support.waiting import wait_until

WARMING_UP = (16, 16, 3)
READY = "pictures are smoothed by the GPU from now on"


@dataclass
class StreamStandIn:
    """A CUDA stream that is none."""

    address: int = 0x5010


class SmootherStandIn:
    """Plays `StreamSmoother` with the CPU's kernel; notes what it was asked."""

    made: ClassVar[list[int]]
    pictures: ClassVar[list[tuple[int, ...]]]
    fault: ClassVar[Exception | None]

    def __init__(self, stream: int) -> None:
        self.made.append(stream)

    def smooth(
        self, image: NDArray[np.uint8], sigma: NDArray[np.float32] | CoarseSigma
    ) -> NDArray[np.uint8]:
        if image.shape == WARMING_UP:
            return image
        self.pictures.append(image.shape)
        if self.fault is not None:
            raise self.fault
        return varying_gaussian(image, sigma)


@pytest.fixture
def smoother(monkeypatch: pytest.MonkeyPatch) -> type[SmootherStandIn]:
    monkeypatch.setattr(SmootherStandIn, "made", [], raising=False)
    monkeypatch.setattr(SmootherStandIn, "pictures", [], raising=False)
    monkeypatch.setattr(SmootherStandIn, "fault", None, raising=False)
    monkeypatch.setattr(device, "StreamSmoother", SmootherStandIn)
    monkeypatch.setattr(device.cuda, "status", lambda: "available")
    return SmootherStandIn


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("device") / "tiny")


@pytest.fixture
def bundle(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """Its encoder has a stream, as one on TensorRT does."""
    bundle = load_bundle(directory, threads=1)
    set_stream(bundle, StreamStandIn(), monkeypatch)
    return bundle


def set_stream(bundle: Bundle, stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle.image, "stream", stream, raising=False)


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    picture = np.random.default_rng(0).integers(0, 60, (240, 320, 3), np.uint8)
    picture[:, :160, 0] += 180
    return picture


def prefilter_of(bundle: Bundle, caplog: pytest.LogCaptureFixture) -> Prefilter:
    """A prefilter whose kernels on the GPU are ready."""
    caplog.set_level(logging.INFO)
    caplog.clear()
    prefilter = Prefilter(bundle)
    wait_until(lambda: READY in caplog.text)
    return prefilter


def test_pictures_are_smoothed_on_the_encoders_stream(
    bundle: Bundle,
    directory: Path,
    picture: NDArray[np.uint8],
    smoother: type[SmootherStandIn],
    caplog: pytest.LogCaptureFixture,
) -> None:
    prefilter = prefilter_of(bundle, caplog)
    on_device, report = prefilter(picture, "the red car")
    assert smoother.made == [StreamStandIn().address]
    assert smoother.pictures == [picture.shape]
    plain = Prefilter.from_bundle(directory, threads=1)
    assert (prefilter.smooths_on, plain.smooths_on) == ("cuda", default_backend())
    on_cpu, expected = plain(picture, "the red car")
    np.testing.assert_array_equal(on_device, on_cpu)
    assert report.sigma == expected.sigma
    prefilter(picture, "")
    assert smoother.pictures == [picture.shape], "nothing is to be smoothed without a prompt"


def test_without_a_stream_the_gpu_is_not_asked(
    directory: Path, picture: NDArray[np.uint8], smoother: type[SmootherStandIn]
) -> None:
    Prefilter.from_bundle(directory, threads=1)(picture, "the red car")
    assert smoother.made == []


def test_the_cpu_smooths_while_kernels_are_compiled(
    bundle: Bundle,
    picture: NDArray[np.uint8],
    smoother: type[SmootherStandIn],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    compiled = threading.Event()
    monkeypatch.setattr(
        device.cuda, "status", lambda: "available" if compiled.wait(30) else "too slow"
    )
    prefilter = Prefilter(bundle)
    prefilter(picture, "the red car")
    assert smoother.pictures == []
    compiled.set()
    wait_until(lambda: READY in caplog.text)
    prefilter(picture, "the red car")
    assert smoother.pictures == [picture.shape]


def test_a_stream_that_comes_later_is_used_from_then_on(
    bundle: Bundle,
    picture: NDArray[np.uint8],
    smoother: type[SmootherStandIn],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    set_stream(bundle, None, monkeypatch)
    prefilter = Prefilter(bundle)
    prefilter(picture, "the red car")
    assert smoother.made == []
    set_stream(bundle, StreamStandIn(0x5020), monkeypatch)
    prefilter(picture, "the red car")
    wait_until(lambda: READY in caplog.text)
    prefilter(picture, "the red car")
    assert smoother.made == [0x5020]
    used = len(smoother.pictures)
    assert used >= 1
    set_stream(bundle, None, monkeypatch)  # as when the GPU failed
    prefilter(picture, "the red car")
    assert len(smoother.pictures) == used


def test_a_missing_kernel_is_said_once_and_costs_no_picture(
    bundle: Bundle,
    picture: NDArray[np.uint8],
    smoother: type[SmootherStandIn],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(device.cuda, "status", lambda: "without a compiler: no libNVVM")
    prefilter = Prefilter(bundle)
    said = "smoothed by the CPU: the CUDA kernel is without a compiler"
    wait_until(lambda: said in caplog.text)
    for _ in range(2):
        prefilter(picture, "the red car")
    assert smoother.made == []
    assert caplog.text.count(said) == 1


@pytest.mark.parametrize(
    ("fault", "asked", "said"),
    [
        (MemoryError("the GPU has too little memory"), 2, "a picture is smoothed by the CPU: the"),
        (RuntimeError("illegal address"), 1, "by the CPU from now on: RuntimeError('illegal addr"),
    ],
)
def test_the_cpu_does_what_the_gpu_cannot_and_says_so(
    fault: Exception,
    asked: int,
    said: str,
    bundle: Bundle,
    directory: Path,
    picture: NDArray[np.uint8],
    smoother: type[SmootherStandIn],
    caplog: pytest.LogCaptureFixture,
) -> None:
    prefilter = prefilter_of(bundle, caplog)
    smoother.fault = fault
    expected, _ = Prefilter.from_bundle(directory, threads=1)(picture, "the red car")
    for _ in range(2):
        np.testing.assert_array_equal(prefilter(picture, "the red car")[0], expected)
    assert len(smoother.pictures) == asked
    assert caplog.text.count(said) == asked
