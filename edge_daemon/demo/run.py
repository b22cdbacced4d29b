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
from edge_daemon.codecs import Codec, codec_class, codec_status, get_codec
from edge_daemon.demo.artist import IconArtist
from edge_daemon.demo.page import Cost, Pair, Words, write_page
from edge_daemon.demo.processes import Running, daemon_and_cloud
from edge_daemon.demo.scenes import Scene, make_scene
from edge_daemon.errors import InternalError
from edge_daemon.pictures import save_picture
from edge_daemon.prefilter import Prefilter, Report
from edge_daemon.prefilter.heatmap import draw_heatmap
from edge_daemon.semantic.generators.abc import Order
from edge_daemon.settings import Allocation, PrefilterSettings

CODECS: dict[str, dict[str, Any]] = {
    "JPEG q 80": {"id": "jpeg", "quality": 80},
    "WebP q 75": {"id": "webp", "quality": 75},
    "AVIF q 60": {"id": "avif", "quality": 60},
    "HEVC QP 32": {"id": "hevc", "quality": 32},
    "HEIF q 50": {"id": "heif", "quality": 50},
    "VVC QP 32": {"id": "vvc", "quality": 32},
}
SHOWN = "HEVC QP 32"
"""The codec whose pictures are shown as the cloud decoded them."""
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


def codecs_here() -> dict[str, dict[str, Any]]:
    """The demo's codecs that can encode on this machine, by their shown names."""
    return {name: one for name, one in CODECS.items() if not codec_status(one["id"]).problem}


def frames_of_run(scenes: int) -> int:
    """How many frames a run with so many scenes sends."""
    codecs = codecs_here().values()
    mapped = sum(codec_class(one["id"]).takes_map() for one in codecs)
    in_words = 1
    return scenes * (len(codecs) + 2 * (len(codecs) + mapped + in_words))


@dataclass(frozen=True)
class _Camera:
    client: Client
    running: Running
    on_frame: Callable[[], None]

    def send(
        self, file: Path, prompt: str, codec: dict[str, Any], allocation: Allocation | None
    ) -> Result:
        """Send a frame, unfiltered without an allocation, and wait until the cloud has it."""
        result = self.client.send(
            file,
            prompt,
            codec=codec,
            mode="plain" if allocation is None else "prefilter",
            allocation=allocation,
            ack="delivered",
        )
        self.on_frame()
        return result

    def send_words(self, file: Path, prompt: str) -> tuple[Result, str]:
        """Send a frame as a text; what the cloud has of it."""
        result = self.client.send(file, prompt, mode="semantic", ack="delivered")
        self.on_frame()
        received = self.running.received / result.client / f"{result.sequence}.txt"
        return result, received.read_text(encoding="utf-8")

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
        name: camera.send(source, "", codec, None).bitstream_bytes
        for name, codec in codecs_here().items()
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
    smooth: dict[str, Result] = {}
    mapped: dict[str, Result] = {}
    for name, codec in codecs_here().items():
        smooth[name] = camera.send(source, prompt, codec, "smooth")
        if codec_class(codec["id"]).takes_map():
            mapped[name] = camera.send(source, prompt, codec, "quantiser")
    told, text = camera.send_words(source, prompt)
    # The maps do not travel, so the same work is done here once more to draw them.
    filtered, report = _done_here(prefilter, scene, prompt, "smooth", smooth)
    _done_here(prefilter, scene, prompt, "quantiser", mapped)
    images = {
        "source": source,
        "relevance": stem.with_name(f"{stem.name}-relevance.png"),
        "smoothed": stem.with_name(f"{stem.name}-filtered.png"),
        f"smoothed, as the cloud decoded it ({SHOWN})": stem.with_name(
            f"{stem.name}-decoded-smooth.png"
        ),
        f"by the quantiser, as the cloud decoded it ({SHOWN})": stem.with_name(
            f"{stem.name}-decoded-quantiser.png"
        ),
        "the words, drawn by a stand-in for a text-to-image model that knows icons": (
            stem.with_name(f"{stem.name}-words.png")
        ),
    }
    files = list(images.values())
    save_picture(draw_heatmap(scene.pixels, report), files[1])
    save_picture(filtered, files[2])
    camera.take_decoded(smooth[SHOWN], files[3])
    camera.take_decoded(mapped[SHOWN], files[4])
    drawn = IconArtist().draw(Order(text, 1, told.width, told.height))
    save_picture(drawn.pictures[0], files[5])
    first = next(iter(smooth.values()))
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
            Cost(
                name,
                plain[name],
                result.bitstream_bytes,
                mapped[name].bitstream_bytes if name in mapped else None,
            )
            for name, result in smooth.items()
        ),
        words=Words(text, told.bitstream_bytes, told.envelope_bytes),
        stages_ms=first.timings_ms,
        images={caption: str(file.relative_to(page_folder)) for caption, file in images.items()},
    )


def _done_here(
    prefilter: Prefilter,
    scene: Scene,
    prompt: str,
    allocation: Allocation,
    results: dict[str, Result],
) -> tuple[NDArray[np.uint8], Report]:
    """What is shown, for the codec `SHOWN`; every picture must be the one that was sent."""
    settings = PrefilterSettings(allocation=allocation)
    plan = prefilter.plan(scene.pixels, prompt, settings)
    (scores,) = prefilter.score([plan])

    def smoothed(codec: Codec) -> tuple[NDArray[np.uint8], Report]:
        return prefilter.smooth(scene.pixels, plan, scores, quantiser=codec.quantiser)

    for result in results.values():
        codec = get_codec(result.codec)
        if codec.expected_encode_s(result.width, result.height):
            continue  # too slow to do again for this
        filtered, report = smoothed(codec)
        bitstream = codec.encode(filtered, report.offsets)
        if hashlib.sha256(bitstream).hexdigest() != result.bitstream_sha256:
            raise InternalError(
                "the daemon sent another picture than this process would",
                value=result.codec,
                remedy="run both from the same installation, and report it if they were",
            )
    return smoothed(get_codec(results[SHOWN].codec))
