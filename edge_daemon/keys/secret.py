"""Something that must not be shown."""

from __future__ import annotations


class Secret:
    """Bytes that no log, repr or error message shows. Take them out with `reveal`, late."""

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    def reveal(self) -> bytes:
        """The bytes; do not keep them in a variable."""
        return self._content

    def __repr__(self) -> str:
        return "Secret(hidden)"
