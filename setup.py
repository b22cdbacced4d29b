"""Builds the smoothing kernel's shared library; everything else is in pyproject.toml.

The library is plain C that is loaded through ctypes, so a compiler is all it takes: no Python
headers, and one file for every Python version. Without a compiler the installation goes through.
"""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# Without contraction to fused multiply-adds, every processor rounds alike.
FLAGS = ["-std=gnu11", "-O3", "-ffp-contract=off", "-fvisibility=hidden", "-Wall", "-Wextra"]

NOT_BUILT = """
    The smoothing kernel's C library was NOT built:
        {reason}
    edge-daemon will work, but smooth with its slower OpenCV backend.
    For the fast one, install a C compiler (Debian: apt install gcc libc6-dev), then reinstall.
    `python -m kernels` says at any time which backends there are.
"""


class BuildLibrary(build_ext):
    """Builds a library without Python's name suffix, and forgives a failure, aloud."""

    def get_ext_filename(self, fullname: str) -> str:
        """No version suffix in the name, as nothing in the library depends on Python's."""
        return fullname.replace(".", "/") + ".so"

    def build_extension(self, ext: Extension) -> None:
        """Compile, or say what is missing without it."""
        try:
            super().build_extension(ext)
        except Exception as error:  # whatever a compiler can do wrong, the package works without
            sys.stderr.write(NOT_BUILT.format(reason=error))


setup(
    ext_modules=[
        Extension(
            "kernels._smooth",
            sources=sorted(str(path) for path in Path("kernels/csrc").glob("*.c")),
            depends=sorted(str(path) for path in Path("kernels/csrc").glob("*.h")),
            extra_compile_args=FLAGS,
            optional=True,  # do not insist on copying a library that was not built
        )
    ],
    cmdclass={"build_ext": BuildLibrary},
)
