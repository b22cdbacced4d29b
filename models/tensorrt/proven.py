"""From the store into service: an engine is used only if it agrees with another backend."""

from __future__ import annotations

from models.manifest import Manifest
from models.proof import Likeness, likeness_of_graphs
from models.session import EncoderSession, GraphSpec
from models.tensorrt.driver import Gpu
from models.tensorrt.engines import EngineStore
from models.tensorrt.errors import BrokenEngineError
from models.tensorrt.key import EngineKey
from models.tensorrt.session import TensorRTSession


def open_proven(
    store: EngineStore,
    key: EngineKey,
    spec: GraphSpec,
    manifest: Manifest,
    gpu: Gpu,
    reference: EncoderSession,
) -> tuple[TensorRTSession, Likeness] | None:
    """Load the store's engine for a key and compare it with `reference` on fixed tiles.

    Returns:
        The session and how well it agrees; None if the store has no engine.

    Raises:
        BrokenEngineError: It cannot be loaded, or disagrees, and was put aside.
        TensorRTError: It cannot be run; building it anew would not help. Out of memory, say.
    """
    found = store.find(key)
    if found is None:
        return None
    try:
        session = TensorRTSession(found[1], spec, gpu)
        proof = likeness_of_graphs(session, reference, spec, manifest)
        _require(proof, manifest.precision)
    except BrokenEngineError as error:
        store.quarantine(key, str(error))
        raise
    return session, proof


def _require(proof: Likeness, precision: str) -> None:
    if not proof.good(precision):
        raise BrokenEngineError(f"the engine and the CPU disagree: {proof}")
