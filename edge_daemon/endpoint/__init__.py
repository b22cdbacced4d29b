"""HTTP endpoints that speak as OpenAI's does, whoever runs them, and what may go wrong there.

Nothing that a peer does holds a caller longer, or makes it read more, than was agreed; whatever
happens is one of four errors; and the key shows in none of them.
"""

from edge_daemon.endpoint.client import Endpoint
from edge_daemon.endpoint.errors import (
    EndpointDownError,
    EndpointError,
    EndpointRefusedError,
    EndpointSlowError,
    MalformedAnswerError,
)

__all__ = [
    "Endpoint",
    "EndpointDownError",
    "EndpointError",
    "EndpointRefusedError",
    "EndpointSlowError",
    "MalformedAnswerError",
]
