"""Builds the shared libraries; everything else is in pyproject.toml.

They are plain C that is loaded through ctypes, so a compiler is all it takes: no Python headers,
and one file for every Python version. The JPEG library is linked against the system's
libjpeg-turbo, which stays a dependency at run time. Without a compiler or libjpeg's headers the
installation goes through.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# Without contraction to fused multiply-adds, every processor rounds alike.
FLAGS = ["-std=gnu11", "-O3", "-ffp-contract=off", "-fvisibility=hidden", "-Wall", "-Wextra"]

NOT_BUILT = {
    "kernels._smooth": """
    The smoothing kernel's C library was NOT built:
        {reason}
    edge-daemon will work, but smooth with its slower OpenCV backend.
    For the fast one, install a C compiler (Debian: apt install gcc libc6-dev), then reinstall.
    `python -m kernels` says at any time which backends there are.
""",
    "edge_daemon.codecs._jpeg": """
    The JPEG library was NOT built:
        {reason}
    edge-daemon will work, but its JPEG codec takes no quantiser map and is slower.
    For the whole of it, install a C compiler and libjpeg-turbo's headers
    (Debian: apt install gcc libc6-dev libjpeg-dev), then reinstall.
    `edge-daemon codecs` says at any time what there is.
""",
}


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
            sys.stderr.write(NOT_BUILT[ext.name].format(reason=error))


def library(name: str, folder: str, libraries: Sequence[str] = ()) -> Extension:
    """A shared library made of all sources in a folder."""
    return Extension(
        name,
        sources=sorted(str(path) for path in Path(folder).glob("*.c")),
        depends=sorted(str(path) for path in Path(folder).glob("*.h")),
        libraries=list(libraries),
        extra_compile_args=FLAGS,
        optional=True,  # do not insist on copying a library that was not built
    )


setup(
    ext_modules=[
        library("kernels._smooth", "kernels/csrc"),
        library("edge_daemon.codecs._jpeg", "edge_daemon/codecs/csrc", libraries=["jpeg"]),
    ],
    cmdclass={"build_ext": BuildLibrary},
)
