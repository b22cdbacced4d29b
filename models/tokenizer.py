"""Text to rows of token ids, as a bundle's text tower wants them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.errors import BundleError
from models.manifest import Manifest


class PromptTokenizer:
    """A bundle's `tokenizer.json` with its padding and cutting.

    The file's post-processor adds the start and end tokens. Rows shorter than the context are
    filled with the padding token; longer ones are cut so that the end token, from which the text
    tower reads its embedding, is kept in the last place.

    Args:
        content: The bytes of `tokenizer.json`.
        manifest: Gives the context length and the padding and end tokens.
        file: Named in errors.

    Raises:
        BundleError: The content is no tokenizer, or it contradicts the manifest.
    """

    def __init__(self, content: bytes, manifest: Manifest, *, file: Path) -> None:
        try:
            self._tokenizer = Tokenizer.from_str(content.decode("utf-8"))
        # The library raises bare Exception for anything that it cannot parse.
        except Exception as error:
            raise BundleError(
                f"not a tokenizer that the `tokenizers` library can read ({error})",
                file=file,
                remedy="copy or export the bundle again",
            ) from error
        # Padding and truncation saved in the file would apply before ours and lose the end token.
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._context_length = manifest.context_length
        self._pad = manifest.pad_token_id
        self._end = manifest.end_token_id
        self.token_budget = self._context_length - self._tokenizer.num_special_tokens_to_add(False)
        self.highest_id = max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
        self._check(file)

    def _check(self, file: Path) -> None:
        empty = self._tokenizer.encode("").ids
        if not empty or empty[-1] != self._end:
            raise BundleError(
                f"the tokenizer ends a text with {empty[-1:]}, but the manifest's end_token_id is "
                f"{self._end}",
                file=file,
                remedy="export the bundle again; its tokenizer and manifest do not belong together",
            )
        if self.token_budget < 1:
            raise BundleError(
                f"context_length {self._context_length} leaves no room for a word beside the "
                "start and end tokens",
                file=file,
                remedy="export the bundle again with its true context length",
            )

    def token_count(self, text: str) -> int:
        """Tokens of the text itself, without the start and end tokens."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def rows(self, texts: list[str]) -> NDArray[np.int64]:
        """Token ids, int64 (N, context_length), one row per text."""
        rows = np.full((len(texts), self._context_length), self._pad, dtype=np.int64)
        for row, text in zip(rows, texts, strict=True):
            ids = self._tokenizer.encode(text).ids
            if len(ids) > self._context_length:
                ids = [*ids[: self._context_length - 1], self._end]
            row[: len(ids)] = ids
        return rows
