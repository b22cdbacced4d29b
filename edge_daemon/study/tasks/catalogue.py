"""Tasks by name, as the command line writes them: `name` or `name:FOLDER`."""

from __future__ import annotations

from typing import Final

from edge_daemon.errors import SettingsError
from edge_daemon.study.tasks.photographs import Photographs
from edge_daemon.study.tasks.reading import Reading
from edge_daemon.study.tasks.recognition import Recognition
from edge_daemon.study.tasks.task import Task

DESCRIPTIONS: Final[dict[str, str]] = {
    "reading": "what a sign of a generated street scene says, read by Tesseract",
    "recognition": "what an icon of a generated scene shows, named by the bundle",
    "photographs": "fidelity inside the boxes of what is asked about, and what a detector still "
    "finds there; `photographs:FOLDER`",
}
"""Every name, and what it stands for."""


def task_of(text: str, *, seed: int, count: int, bundle: str, detector: str | None = None) -> Task:
    """A task by its name.

    Args:
        text: One of `DESCRIPTIONS`; photographs with their folder.
        seed: Decides the questions.
        count: Questions, at most.
        bundle: Name or path; answers where the bundle is the machine.
        detector: An ONNX file; answers about photographs.

    Raises:
        SettingsError: There is no such task, or it lacks its folder.
    """
    name, _, folder = text.strip().partition(":")
    if name not in DESCRIPTIONS:
        raise SettingsError(
            "unknown task", value=name, remedy=f"use one of {', '.join(DESCRIPTIONS)}"
        )
    if (name == "photographs") != bool(folder):
        raise SettingsError(
            "photographs need a folder, and no other task has one",
            value=text,
            remedy="write reading, recognition, or photographs:FOLDER",
        )
    if name == "reading":
        return Reading(seed, count)
    if name == "recognition":
        return Recognition(seed, count, bundle)
    return Photographs(folder, seed, count, detector)
