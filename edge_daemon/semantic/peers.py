"""What an endpoint did wrong, as the search's report names it."""

from __future__ import annotations

from typing import Final

from edge_daemon.endpoint import (
    EndpointDownError,
    EndpointError,
    EndpointRefusedError,
    EndpointSlowError,
    MalformedAnswerError,
)
from edge_daemon.semantic.notes import Note, Trouble, noted

_TROUBLES: Final[dict[type[EndpointError], Trouble]] = {
    EndpointDownError: "endpoint-down",
    EndpointSlowError: "endpoint-slow",
    EndpointRefusedError: "endpoint-refused",
    MalformedAnswerError: "malformed-answer",
}


def note_of(error: EndpointError) -> Note:
    """The note for an error that a search survives; the error is without secrets already."""
    said = error.problem if error.value is None else f"{error.problem} (got {error.value})"
    return noted(_TROUBLES[type(error)], f"{said}; {error.remedy}")
