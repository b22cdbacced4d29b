"""Model bundles: pixels or text in, unit embeddings out.

A bundle is a directory with a manifest, a tokenizer and two ONNX graphs; see `models.manifest`. It
is complete: nothing is downloaded, and torch is not needed.
"""

from models.bundle import Bundle
from models.errors import BundleError
from models.loading import load_bundle, packaged_bundles
from models.manifest import Manifest, Recommended

__all__ = [
    "Bundle",
    "BundleError",
    "Manifest",
    "Recommended",
    "load_bundle",
    "packaged_bundles",
]
