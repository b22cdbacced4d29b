"""The icon sets: which ones, fetched as npm packages, rendered to pictures.

Packages are pinned; `npm` fetches them into the work directory. Pictures are rendered by resvg in
a child process, because a few icons make the renderer abort: the child dies, the icon is skipped,
a new child goes on.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from export.nano.concepts import Concept, plain_code

RENDER_SIZE = 256
"""Side in pixels of a rendered icon before its empty margin is cut."""


@dataclass(frozen=True)
class IconSet:
    """One drawing style: an iconify collection.

    Attributes:
        style: Its name, also the package's name after `@iconify-json/`.
        version: Pinned package version.
        licence: SPDX identifier.
        author: Whom the licence asks to name.
    """

    style: str
    version: str
    licence: str
    author: str

    @property
    def package(self) -> str:
        """The npm package."""
        return f"@iconify-json/{self.style}"


TRAINING_SETS = (
    IconSet("noto", "1.2.9", "Apache-2.0", "Google"),
    IconSet("fluent-emoji-flat", "1.2.6", "MIT", "Microsoft"),
    IconSet("fluent-emoji", "1.2.7", "MIT", "Microsoft"),
    IconSet("twemoji", "1.2.5", "CC-BY-4.0", "Twitter"),
    IconSet("emojione", "1.2.3", "CC-BY-4.0", "Emoji One"),
    IconSet("fxemoji", "1.2.2", "Apache-2.0", "Mozilla"),
    IconSet("noto-v1", "1.2.5", "Apache-2.0", "Google"),
    IconSet("streamline-emojis", "1.2.4", "CC-BY-4.0", "Streamline"),
)
"""The styles that are trained on: permissive and attribution licences only."""

HELD_OUT_SET = IconSet("openmoji", "1.2.29", "CC-BY-SA-4.0", "OpenMoji")
"""The style that is only ever tested on."""

NAMES_PACKAGE, NAMES_VERSION, NAMES_LICENCE = "emojibase-data", "17.0.0", "MIT"


class FetchError(Exception):
    """The icon packages could not be fetched."""


def fetch(work: Path) -> Path:
    """Install the pinned packages under `work/npm`; returns its `node_modules`.

    Raises:
        FetchError: `npm` is missing or failed; its last lines are in the message.
    """
    home = work / "npm"
    home.mkdir(parents=True, exist_ok=True)
    wanted = [f"{one.package}@{one.version}" for one in (*TRAINING_SETS, HELD_OUT_SET)]
    wanted.append(f"{NAMES_PACKAGE}@{NAMES_VERSION}")
    command = ["npm", "install", "--prefix", str(home), "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            [*command, "--ignore-scripts", "--legacy-peer-deps", *wanted],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise FetchError("npm was not found; install Node.js 18 or newer") from error
    if done.returncode:
        raise FetchError(f"npm install failed: {done.stderr[-600:]}")
    return home / "node_modules"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


class Collection:
    """One iconify package: finds a concept's icons and gives them as SVG."""

    def __init__(self, modules: Path, icon_set: IconSet) -> None:
        package = modules / icon_set.package
        self._data = json.loads((package / "icons.json").read_text(encoding="utf-8"))
        chars = json.loads((package / "chars.json").read_text(encoding="utf-8"))
        self.style = icon_set.style
        self.names_by_code: dict[str, str] = {
            plain_code(code): name for code, name in chars.items()
        }

    def find(self, code: str, other_names: frozenset[str]) -> list[str]:
        """The icons of one Unicode sequence, by name.

        Found by its code or, where the package has no table of codes, by the names that other
        packages give it.
        """
        if code in self.names_by_code:
            return [self.names_by_code[code]]
        icons, aliases = self._data["icons"], self._data.get("aliases", {})
        found: dict[str, None] = {}
        for name in sorted(other_names):
            for spelling in (name, name.replace("-", ""), f"{name}-1", f"{name}-2", f"{name}-3"):
                if spelling in icons:
                    found[spelling] = None
                elif spelling in aliases:
                    found[aliases[spelling]["parent"]] = None
        return list(found)

    def svg(self, name: str) -> str:
        """One icon as a complete SVG document."""
        icon = self._data["icons"][name]
        width = icon.get("width", self._data.get("width", 16))
        height = icon.get("height", self._data.get("height", 16))
        left, top = icon.get("left", 0), icon.get("top", 0)
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{left} {top} {width} {height}">{icon["body"]}</svg>'
        )


def _render_child(pipe: Connection) -> None:
    import resvg_py  # noqa: PLC0415 - only the child may load what may abort

    while True:
        svg = pipe.recv()
        if svg is None:
            return
        try:
            pipe.send(bytes(resvg_py.svg_to_bytes(svg_string=svg, width=RENDER_SIZE)))
        except ValueError:
            pipe.send(b"")


def render_all(svgs: list[str]) -> Iterator[bytes]:
    """PNG bytes for each SVG, in order; empty where the renderer failed or aborted."""
    context = get_context("spawn")
    child, pipe = None, None
    for svg in svgs:
        if child is None or pipe is None:
            pipe, far = context.Pipe()
            child = context.Process(target=_render_child, args=(far,), daemon=True)
            child.start()
            far.close()
        try:
            pipe.send(svg)
            yield pipe.recv()
        except (EOFError, OSError):
            child.join()
            child, pipe = None, None
            yield b""
    if child is not None and pipe is not None:
        pipe.send(None)
        child.join()


def _render_set(collection: Collection, jobs: list[tuple[str, str]], folder: Path) -> None:
    """Render (file stem, icon name) jobs into `folder`; a marker file says that it is complete."""
    marker = folder / "complete"
    if marker.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    pictures = render_all([collection.svg(name) for _, name in jobs])
    for (stem, _), png in zip(jobs, pictures, strict=True):
        if png:
            (folder / f"{stem}.png").write_bytes(png)
    marker.touch()


def render(work: Path, modules: Path, concepts: list[Concept]) -> Path:
    """Render every icon of every set to `work/icons/STYLE/CODE.N.png` (`RENDER_SIZE` wide).

    What is there already is not rendered again. Returns `work/icons`.
    """
    collections = [Collection(modules, one) for one in (*TRAINING_SETS, HELD_OUT_SET)]
    labels = {code: concept.name for concept in concepts for code in concept.codes}
    spellings = {
        code: frozenset(
            {_slug(label)}
            | {one.names_by_code[code] for one in collections if code in one.names_by_code}
        )
        for code, label in labels.items()
    }

    def work_on(collection: Collection) -> None:
        jobs = [
            (f"{code}.{number}", name)
            for code, names in spellings.items()
            for number, name in enumerate(collection.find(code, names))
        ]
        _render_set(collection, jobs, work / "icons" / collection.style)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work_on, collections))
    return work / "icons"
