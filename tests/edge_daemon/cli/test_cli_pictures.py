"""The one-picture commands, through the command line's own front door."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.pictures import PictureLimits, open_picture

Edge = Callable[..., str]


def pixels_of(file: Path) -> NDArray[np.uint8]:
    return open_picture(file.read_bytes(), PictureLimits()).pixels


def detail(pixels: NDArray[np.uint8]) -> float:
    """Mean absolute Laplacian: how much fine detail is left."""
    return float(np.abs(cv2.Laplacian(pixels, cv2.CV_32F)).mean())


def test_filter_keeps_what_the_prompt_names(
    edge: Edge, bundle: Path, photo: Path, tmp_path: Path
) -> None:
    source = pixels_of(photo)
    for prompt, kept, blurred in (
        ("the red thing", slice(0, 150), slice(450, 601)),
        ("the blue thing", slice(450, 601), slice(0, 150)),
    ):
        output = tmp_path / f"{prompt[4:8]}.png"
        said = edge("filter", photo, "--prompt", prompt, "-o", output, "--bundle", bundle)
        filtered = pixels_of(output)
        assert filtered.shape == source.shape
        assert detail(filtered[:, kept]) > 3 * detail(filtered[:, blurred])
        assert "bits per source pixel" in said
        assert "knows colours, not things" in said


@pytest.mark.parametrize("suffix", [".jpg", ".heic"])
def test_filter_writes_ordinary_files(
    edge: Edge, bundle: Path, photo: Path, tmp_path: Path, suffix: str
) -> None:
    output = tmp_path / f"out{suffix}"
    edge("filter", photo, "--prompt", "red", "-o", output, "--bundle", bundle)
    assert pixels_of(output).shape == (301, 601, 3)


def test_explain_writes_the_map_and_says_why(
    edge: Edge, bundle: Path, photo: Path, tmp_path: Path
) -> None:
    output = tmp_path / "map.png"
    said = edge(
        "explain", photo, "--prompt", "Where is the red thing?", "-o", output, "--bundle", bundle
    )
    assert "red thing" in said
    assert "Tiles, most relevant first" in said
    assert pixels_of(output).shape[1] >= 601


def test_keep_and_mask_hold_whatever_the_prompt_says(
    edge: Edge, bundle: Path, photo: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.png"
    arguments = ("filter", photo, "--prompt", "red", "-o", output, "--bundle", bundle)
    edge(*arguments, "--keep", "0.75,0,0.25,1", "--mask", "0,0,0.25,1")
    source, filtered = pixels_of(photo), pixels_of(output)
    np.testing.assert_array_equal(filtered[:, 460:], source[:, 460:])
    assert detail(filtered[:, :140]) < 0.2 * detail(source[:, :140])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--codec", "jpeg", "-o", "x.heic"], "a .heic file holds heif"),
        (["-o", "x.gif"], "no codec with such options"),
        (["--quality", "101", "-o", "x.jpg"], "1 to 100"),
        (["--codec", "nope", "-o", "x.edge"], "no such codec"),
        (["--keep", "1,2,3", "-o", "x.jpg"], "a region is four fractions"),
        (["--keep", "0,0,2,1", "-o", "x.jpg"], "prefilter.keep.0.width"),
        (["--sigma-max", "-1", "-o", "x.jpg"], "prefilter.sigma_max"),
        (["--bundle", "none-such", "-o", "x.jpg"], "none-such"),
    ],
)
def test_mistakes_end_in_a_message(
    edge: Edge, photo: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    options = [str(tmp_path / part) if part.startswith("x.") else part for part in options]
    said = edge("filter", photo, "--prompt", "red", *options, fails=1)
    assert message in said


def test_not_a_picture(edge: Edge, bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "notes.jpg"
    file.write_text("hello")
    arguments = ("--prompt", "red", "--bundle", bundle, "-o", tmp_path / "x.jpg")
    assert "not_an_image" in edge("filter", file, *arguments, fails=1)


def test_check_config(edge: Edge, bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "edge.toml"
    file.write_text(f"bundle = '{bundle}'\n[prefilter]\nsigma_max = 4.0\n")
    assert "good" in edge("check-config", file)
    file.write_text("[prefilter]\nsigma_mux = 4.0\n")
    assert f"{file}:2: prefilter.sigma_mux" in edge("check-config", file, fails=1)
    file.write_text("[codec]\nid = 'gif'\n")
    assert "no such codec" in edge("check-config", file, fails=1)


def test_every_command_has_help(edge: Edge) -> None:
    listed = edge("--help")
    for command in (
        "filter", "decode", "explain", "serve", "cloud", "send", "status", "check-config", "demo",
    ):  # fmt: skip
        assert command in listed
    assert "--prompt" in edge("filter", "--help")
