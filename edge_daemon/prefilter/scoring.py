"""How a picture is shown to the image encoder: in tiles, or as a whole.

A scorer prepares pictures and embeds what it prepared. Both give one embedding for each tile of a
`TileGrid`, in its order, so everything after them is the same: similarity to the prompts,
relevance, sigma.

    tiles   tiles, each seen by itself; unchanged ones of a camera are not seen again
    dense   the whole picture in one pass, of which windows of patches are the grid's tiles
            (research: needs a bundle with `dense.onnx`; nothing is reused between frames)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_daemon.prefilter.plan import Plan, Spending
from edge_daemon.prefilter.repeats import Embedded, TileMemory
from edge_daemon.prefilter.tiling import TileGrid, patch_grid, reference_tile, tile
from edge_daemon.settings import ScorerName, VideoSettings
from models import Bundle
from models.preprocess import resized


class Scorer(Protocol):
    """One way from a picture to embeddings of its parts. Thread-safe."""

    def prepare(
        self, image: NDArray[np.uint8], spending: Spending
    ) -> tuple[TileGrid, NDArray[np.uint8]]:
        """The grid of a picture, and what the encoder has to see: uint8 (N, H, W, 3)."""
        ...

    def embed(self, plans: Sequence[Plan]) -> list[Embedded]:
        """The embeddings of plans that are scored together, one for each tile of their grids."""
        ...


class TileScorer:
    """Tiles, those of all plans in one call of the encoder.

    Args:
        bundle: Encodes.
        memory: Of cameras' earlier tiles.
    """

    def __init__(self, bundle: Bundle, memory: TileMemory) -> None:
        self._bundle = bundle
        self._memory = memory

    def prepare(
        self, image: NDArray[np.uint8], spending: Spending
    ) -> tuple[TileGrid, NDArray[np.uint8]]:
        """See `tiling.tile`, and `tiling.reference_tile` for reference mode."""
        side = self._bundle.tile_size
        if spending.mode == "reference":
            return reference_tile(image, side)
        budget, overlap = spending.tile_budget, spending.overlap
        return tile(image, side, self._bundle.resize, budget=budget, overlap=overlap)

    def embed(self, plans: Sequence[Plan]) -> list[Embedded]:
        """See `Scorer.embed`."""
        batch = self._memory.begin(plans)
        return self._memory.finish(batch, self._bundle.encode_tiles(batch.tiles()))


class DenseScorer:
    """Whole pictures, one pass for each: they may differ in size.

    Args:
        bundle: With a dense graph.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def prepare(
        self, image: NDArray[np.uint8], spending: Spending
    ) -> tuple[TileGrid, NDArray[np.uint8]]:
        """The grid of windows, and the canvas as the only picture."""
        facts = self._bundle.manifest.dense
        assert facts is not None
        height, width = image.shape[:2]
        grid = patch_grid(
            width,
            height,
            budget=spending.tile_budget,
            tile_size=self._bundle.tile_size,
            native_side=facts.native_side,
            patch_size=facts.patch_size,
            window=facts.window,
        )
        canvas = resized(image, grid.canvas_width, grid.canvas_height, self._bundle.resize)
        return grid, canvas[None]

    def embed(self, plans: Sequence[Plan]) -> list[Embedded]:
        """See `Scorer.embed`."""
        return [self._embedded(plan) for plan in plans]

    def _embedded(self, plan: Plan) -> Embedded:
        size = self._bundle.embedding_size
        if not len(plan.tiles):
            return Embedded(np.empty((0, size), np.float32), 0)
        embeddings = self._bundle.encode_dense(plan.tiles[0]).reshape(-1, size)
        return Embedded(embeddings, len(embeddings))


class Scorers:
    """All scorers of a bundle. Thread-safe.

    Args:
        bundle: Encodes.
        video: What is remembered of cameras.

    Attributes:
        memory: Of cameras' earlier tiles.
    """

    def __init__(self, bundle: Bundle, video: VideoSettings) -> None:
        self.memory = TileMemory(video)
        self._scorers: dict[ScorerName, Scorer] = {
            "tiles": TileScorer(bundle, self.memory),
            "dense": DenseScorer(bundle),
        }

    def prepare(
        self, image: NDArray[np.uint8], spending: Spending
    ) -> tuple[TileGrid, NDArray[np.uint8]]:
        """See `Scorer.prepare`, of the scorer that the settings name."""
        return self._scorers[spending.scorer].prepare(image, spending)

    def embed(self, plans: Sequence[Plan]) -> list[Embedded]:
        """The plans' embeddings, in order, each by the scorer that prepared it."""
        found: dict[int, Embedded] = {}
        for name, scorer in self._scorers.items():
            own = [i for i, plan in enumerate(plans) if plan.spending.scorer == name]
            if own:
                found.update(zip(own, scorer.embed([plans[i] for i in own]), strict=True))
        return [found[i] for i in range(len(plans))]
