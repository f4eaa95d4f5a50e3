"""Real text that shows a quantiser what the model's activations look like."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_runtime.backends.onnxruntime.library import load_onnxruntime
from edgener_runtime.errors import UserInputError
from edgener_runtime.inference.batches import batches, feeds, rows_of
from edgener_runtime.text.tokenize import TextTokenizer

from .measurement_cache import read_measurements, write_measurements
from .ranges import Range, channel_sizes, entropy_threshold, min_max, narrowed, percentile_threshold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Track = Callable[[str, int], Callable[[], None]]
"""Begin a named stage of so many steps; the answer is called after each step."""

Threshold = Callable[["NDArray[np.int64]"], float]
METHODS: dict[str, Threshold | None] = {
    "minmax": None,
    "entropy": entropy_threshold,
    "percentile": percentile_threshold,
}

FEWEST = 16  # texts; the ranges of fewer are those of single words
_TEXTS_AT_ONCE = 256  # texts tokenised and sorted by length together, as the runtime does


class Calibration:
    """Texts as the runtime feeds them to the model: its tokenizer, case channel, windows, batches and padding.

    Nothing is read or run until a builder asks. `method` finds the ranges; `cache` is a folder for what was measured,
    None to keep nothing; `track` draws progress bars.
    """

    def __init__(
        self,
        texts: Sequence[str],
        tokenizer: TextTokenizer,
        method: str = "minmax",
        cache: Path | None = None,
        track: Track | None = None,
    ) -> None:
        self.texts = list(dict.fromkeys(text for text in texts if text.strip()))
        self.method = method
        self.cache = cache
        self.track = track or (lambda stage, steps: lambda: None)
        self._tokenizer = tokenizer

    def with_texts(self, texts: Sequence[str]) -> Calibration:
        """The same with other texts."""
        return Calibration(texts, self._tokenizer, self.method, self.cache, self.track)

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

    def ranges(self, model: Any, tensors: Sequence[str], method: str | None = None) -> dict[str, Range]:
        """What each tensor of a graph lies in on this text, measured once and then kept in the cache.

        Raises UserInputError where there is too little text, ExportError where a value is not finite.
        """
        method = method or self.method

        def measure() -> dict[str, Any]:
            seen = self._measure(model, tensors, METHODS[method])
            return {name: dataclasses.astuple(found) for name, found in seen.items()}

        found = self._kept("ranges", [model, list(tensors), method], measure)
        return {name: Range(*values) for name, values in found.items()}

    def channel_sizes(self, model: Any, tensors: Sequence[str]) -> dict[str, list[float]]:
        """The largest absolute value on this text in each channel of tensors (batch, sequence, channels); kept too.

        Raises UserInputError where there is too little text.
        """

        def measure() -> dict[str, Any]:
            return channel_sizes(model, tensors, self.feeds("channels of activations"))

        return self._kept("channels", [model, list(tensors)], measure)

    def _kept(self, kind: str, key: list[Any], measure: Callable[[], dict[str, Any]]) -> dict[str, list[float]]:
        """What was measured by tensor, from the cache or anew."""
        kept = self.cache and self.cache / kind / f"{self._key(*key)}.json"
        if kept and (found := read_measurements(kept)):
            return found
        found = measure()
        if kept:
            write_measurements(kept, found)
        return found

    def _measure(self, model: Any, tensors: Sequence[str], threshold: Threshold | None) -> dict[str, Range]:
        seen = min_max(model, tensors, self.feeds("smallest and largest activations"))
        return narrowed(model, seen, self.feeds("histograms of activations"), threshold) if threshold else seen

    def _key(self, model: Any, *rest: Any) -> str:
        onnxruntime = load_onnxruntime()

        digest = hashlib.sha256(model.SerializeToString(deterministic=True))
        digest.update(json.dumps([self.sha256, *rest, onnxruntime.__version__]).encode())
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
