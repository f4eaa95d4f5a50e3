"""Real text that shows a quantiser what the model's activations look like."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from edgener_runtime.batches import batches, feeds, rows_of
from edgener_runtime.errors import UserInputError
from edgener_runtime.tokenize import TextTokenizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Track = Callable[[str, int], Callable[[], None]]
"""Begin a named stage of so many steps; the answer is called after each step."""

FEWEST = 16  # texts; the ranges of fewer are those of single words
_TEXTS_AT_ONCE = 256  # texts tokenised and sorted by length together, as the runtime does


class Calibration:
    """Texts as the runtime feeds them to the model: its tokenizer, case channel, windows, batches and padding.

    Nothing is read or run until a builder asks. `cache` is a folder for what was measured, None to keep nothing;
    `track` draws progress bars.
    """

    def __init__(
        self, texts: Sequence[str], tokenizer: TextTokenizer, cache: Path | None = None, track: Track | None = None
    ) -> None:
        self.texts = list(dict.fromkeys(text for text in texts if text.strip()))
        self.cache = cache
        self.track = track or (lambda stage, steps: lambda: None)
        self._tokenizer = tokenizer

    def check(self) -> None:
        """Raises UserInputError where there is too little text to measure anything on."""
        if len(self.texts) < FEWEST:
            raise UserInputError(
                f"the calibration text has {len(self.texts)} different sentences, expected at least {FEWEST}",
                "Name more text: --calibration SOURCE",
            )

    @cached_property
    def sha256(self) -> str:
        """Hash of what the model is fed."""
        digest = hashlib.sha256()
        for arrays in self._feeds(lambda: None):
            for name, array in arrays.items():
                digest.update(f"{name} {array.shape}".encode() + array.tobytes())
        return digest.hexdigest()

    def feeds(self, stage: str = "calibration") -> Iterator[dict[str, NDArray[np.int64]]]:
        """The graph's inputs, int64 (rows, longest), batch by batch; one chunk of texts is held at a time."""
        yield from self._feeds(self.track(stage, len(self.texts)))

    def _feeds(self, step: Callable[[], None]) -> Iterator[dict[str, NDArray[np.int64]]]:
        self.check()
        for start in range(0, len(self.texts), _TEXTS_AT_ONCE):
            chunk = self.texts[start : start + _TEXTS_AT_ONCE]
            for batch in batches(rows_of(self._tokenizer, self._tokenizer.encode(chunk))):
                yield feeds(batch, self._tokenizer.settings)
            for _ in chunk:
                step()
