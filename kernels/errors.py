"""The one error of this package."""


class KernelError(ValueError):
    """An argument that the kernels refuse; the message names it, its value and the remedy."""
