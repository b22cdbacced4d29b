"""What may come of a request to an endpoint instead of an answer."""

from __future__ import annotations

from edge_daemon.errors import EdgeError


class EndpointError(EdgeError):
    """An endpoint gave no usable answer.

    Args:
        problem: What was wrong, without the key.
        value: The offending value, without the key.
        remedy: What the operator can do about it.
        retry_after_s: Seconds after which the peer asked to be tried again.
        transient: The same request may succeed later.
        perhaps_charged: The peer may have done the work, and may charge for it.
    """

    code = "endpoint"

    def __init__(
        self,
        problem: str,
        *,
        value: object = None,
        remedy: str,
        retry_after_s: float | None = None,
        transient: bool = False,
        perhaps_charged: bool = False,
    ) -> None:
        super().__init__(problem, value=value, remedy=remedy, retry_after_s=retry_after_s)
        self.transient = transient
        self.perhaps_charged = perhaps_charged


class EndpointDownError(EndpointError):
    """There is no connection, or it broke before an answer began."""

    code = "endpoint_down"


class EndpointSlowError(EndpointError):
    """There was no whole answer in time."""

    code = "endpoint_slow"


class EndpointRefusedError(EndpointError):
    """The answer has an error status."""

    code = "endpoint_refused"


class MalformedAnswerError(EndpointError):
    """The answer is not what it says, not what was asked for, or too long."""

    code = "malformed_answer"
