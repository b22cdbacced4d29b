"""One run of the demo: scenes and prompts through camera, daemon and cloud, and what it cost."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_daemon.client import Client, Result
from edge_daemon.codecs import get_codec
from edge_daemon.demo.page import Cost, Pair, write_page
from edge_daemon.demo.processes import Running, daemon_and_cloud
from edge_daemon.demo.scenes import Scene, make_scene
from edge_daemon.errors import InternalError
from edge_daemon.pictures import save_picture
from edge_daemon.prefilter import Prefilter
from edge_daemon.prefilter.heatmap import draw_heatmap

CODECS: dict[str, dict[str, Any]] = {
    "JPEG q 80": {"id": "jpeg", "quality": 80},
    "HEVC QP 32": {"id": "hevc", "quality": 32},
    "HEIF q 50": {"id": "heif", "quality": 50},
}
QUESTIONS = ("Where is the {}?", "Is there a {} in the picture?", "What colour is the {}?")


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Attributes:
        pairs: One for each picture and prompt.
        notice: The bundle's warning.
        page: The HTML page.
    """

    pairs: list[Pair]
    notice: str
    page: Path


def run_demo(
    output: Path,
    *,
    bundle: str = "nano-icons",
    scenes: int = 3,
    seed: int = 1,
    on_frame: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run the demo.

    Args:
        output: Folder for the page and the pictures; replaced if an earlier demo made it.
        bundle: Name or path of the model bundle.
        scenes: How many pictures; each is sent with two prompts.
        seed: Decides the scenes.
        on_frame: Called after each frame, `frames_of_run(scenes)` times.

    Raises:
        EdgeError: A process did not start, or a frame was refused.
    """
    output.mkdir(parents=True, exist_ok=True)
    pairs: list[Pair] = []
    prefilter = Prefilter.from_bundle(bundle)
    with (
        daemon_and_cloud(output, bundle=bundle) as running,
        Client(running.endpoint, client_id="demo-camera") as client,
    ):
        camera = _Camera(client, running, on_frame)
        for number in range(1, scenes + 1):
            pairs += _scene_pairs(camera, prefilter, output, number, make_scene(seed + number))
    page = output / "index.html"
    write_page(pairs, prefilter.bundle.manifest.notice, page)
    return Outcome(pairs, prefilter.bundle.manifest.notice, page)


def frames_of_run(scenes: int) -> int:
    """How many frames a run with so many scenes sends."""
    return scenes * (len(CODECS) + 2 * len(CODECS))


@dataclass(frozen=True)
class _Camera:
    client: Client
    running: Running
    on_frame: Callable[[], None]

    def send(
        self, file: Path, prompt: str, codec: dict[str, Any], *, plain: bool = False
    ) -> Result:
        """Send a frame and wait until the cloud has it."""
        mode = "plain" if plain else "prefilter"
        result = self.client.send(file, prompt, codec=codec, mode=mode, ack="delivered")
        self.on_frame()
        return result

    def take_decoded(self, result: Result, target: Path) -> None:
        """Move the picture that the cloud decoded."""
        shutil.move(self.running.received / result.client / f"{result.sequence}.png", target)


def _scene_pairs(
    camera: _Camera, prefilter: Prefilter, output: Path, number: int, scene: Scene
) -> Iterable[Pair]:
    folder = output / f"scene-{number}"
    folder.mkdir(exist_ok=True)
    source = folder / "source.png"
    save_picture(scene.pixels, source)
    plain = {
        name: camera.send(source, "", codec, plain=True).bitstream_bytes
        for name, codec in CODECS.items()
    }
    rng = np.random.default_rng(number)
    asked = rng.choice([thing.name for thing in scene.things], size=2, replace=False)
    for index, name in enumerate(asked, start=1):
        prompt = str(rng.choice(QUESTIONS)).format(name)
        yield _pair(camera, prefilter, scene, source, folder / f"prompt-{index}", prompt, plain)


def _pair(
    camera: _Camera,
    prefilter: Prefilter,
    scene: Scene,
    source: Path,
    stem: Path,
    prompt: str,
    plain: dict[str, int],
) -> Pair:
    results = {name: camera.send(source, prompt, codec) for name, codec in CODECS.items()}
    # The maps do not travel, so the same work is done here once more to draw them.
    filtered, report = prefilter(scene.pixels, prompt)
    _check_same(filtered, results)
    images = {
        "source": source,
        "relevance": stem.with_name(f"{stem.name}-relevance.png"),
        "filtered": stem.with_name(f"{stem.name}-filtered.png"),
        "decoded by the cloud, HEVC": stem.with_name(f"{stem.name}-decoded.png"),
    }
    save_picture(draw_heatmap(scene.pixels, report), images["relevance"])
    save_picture(filtered, images["filtered"])
    camera.take_decoded(results["HEVC QP 32"], images["decoded by the cloud, HEVC"])
    first = next(iter(results.values()))
    page_folder = stem.parent.parent
    return Pair(
        title=stem.parent.name.replace("-", " ").capitalize(),
        prompt=prompt,
        distilled="; ".join(one.text for one in report.prompts),
        width=first.width,
        height=first.height,
        source_bytes=first.source_bytes,
        kept_percent=100.0 * report.sigma.kept_share,
        costs=tuple(
            Cost(name, plain[name], result.bitstream_bytes) for name, result in results.items()
        ),
        stages_ms=first.timings_ms,
        images={caption: str(file.relative_to(page_folder)) for caption, file in images.items()},
    )


def _check_same(filtered: NDArray[np.uint8], results: dict[str, Result]) -> None:
    """The picture that is shown must be the one that was sent."""
    for result in results.values():
        bitstream = get_codec(result.codec).encode(filtered)
        if hashlib.sha256(bitstream).hexdigest() != result.bitstream_sha256:
            raise InternalError(
                "the daemon sent another picture than this process would",
                value=result.codec,
                remedy="run both from the same installation, and report it if they were",
            )
