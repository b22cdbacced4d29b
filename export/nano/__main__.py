"""`python -m export.nano WORK -o CHECKPOINT`: trains nano-icons, from nothing to a checkpoint."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

_DESCRIPTION = """\
Train nano-icons, the embedded default bundle: fetch the icon sets (npm), render
them, train the image tower on composites of them, fit the text tower to it, and
measure the result through the export door on new pictures.

WORK holds the packages (some 300 MB), the rendered icons and the image tower's
weights; what is there already is used again. An hour on two CPU cores is enough.
"""

_EPILOG = """\
example:
  python -m export.nano nano-work -o nano-work/checkpoint
  python -m export nano-work/checkpoint -o models/nano-icons --force
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m export.nano",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("work", type=Path, metavar="WORK", help="directory for data and intermediate results")
    add("-o", "--output", type=Path, required=True, metavar="CHECKPOINT", help="directory to write")
    add("--minutes", type=float, default=54.0, help="time for the image tower (default: 54)")
    add("--processes", type=int, default=2, help="of one thread each (default: 2)")
    add("--seed", type=int, default=0, help="of weights and pictures (default: 0)")
    add(
        "--keep-image",
        action="store_true",
        help="use the image tower that WORK holds from an earlier run",
    )
    add(
        "--continue-image",
        action="store_true",
        help="go on training the image tower that WORK holds, for --minutes more",
    )
    add("--tiles", type=int, default=1500, help="tiles per figure measured (default: 1500)")
    add("--scenes", type=int, default=60, help="scenes per figure measured (default: 60)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True, highlight=False)

    def say(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    try:
        import cv2  # noqa: PLC0415  (--help should not wait for torch)
        import torch  # noqa: PLC0415

        from export.errors import ExportError  # noqa: PLC0415
        from export.nano import pipeline  # noqa: PLC0415
        from export.nano.evaluate import Counts  # noqa: PLC0415
        from export.nano.icons import FetchError  # noqa: PLC0415
    except ImportError as error:
        say(f"export.nano: {error.name} is not installed; pip install 'edge-daemon[export]'")
        return 1
    # The training processes are forked: no thread pool may exist before.
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        pipeline.run(
            pipeline.Options(
                work=options.work,
                output=options.output,
                minutes=options.minutes,
                processes=options.processes,
                seed=options.seed,
                keep_image=options.keep_image,
                continue_image=options.continue_image,
                counts=Counts(options.tiles, options.scenes),
            ),
            say,
        )
    except (FetchError, ExportError) as error:
        say(f"export.nano: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
