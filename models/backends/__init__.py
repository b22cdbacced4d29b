"""What runs the image encoder: one file per backend, and the choice among them."""

from models.backends.choice import AUTO, BACKENDS, Choice, choose
from models.backends.contract import Backend, ImageGraph, Resources

__all__ = ["AUTO", "BACKENDS", "Backend", "Choice", "ImageGraph", "Resources", "choose"]
