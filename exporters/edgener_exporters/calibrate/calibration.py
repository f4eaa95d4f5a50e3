"""Calibration text: the inputs for activation ranges, as the runtime makes them."""

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
"""Start a named stage with a number of steps, and return the function to call after each."""

Threshold = Callable[["NDArray[np.int64]"], float]
METHODS: dict[str, Threshold | None] = {
    "minmax": None,
    "entropy": entropy_threshold,
    "percentile": percentile_threshold,
}

FEWEST = 16  # texts; ranges from fewer depend on single words
_TEXTS_AT_ONCE = 256  # texts tokenised and sorted by length together, as the runtime does


class Calibration:
    """Texts in the runtime's inputs: its tokenizer, case channel, windows, batches and padding.

    Nothing is read or run before the first measurement. `method` finds the ranges; `cache` is the folder of the cache,
    or None for no cache; `track` draws progress bars.
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
        """A copy with other texts."""
        return Calibration(texts, self._tokenizer, self.method, self.cache, self.track)

    def check(self) -> None:
        """Raises UserInputError where the text is too short for a measurement."""
        if len(self.texts) < FEWEST:
            raise UserInputError(
                f"the calibration text has {len(self.texts)} different sentences, expected at least {FEWEST}",
                "Name more text: --calibration SOURCE",
            )

    @cached_property
    def sha256(self) -> str:
        """Hash of the model's inputs."""
        digest = hashlib.sha256()
        for arrays in self._feeds(lambda: None):
            for name, array in arrays.items():
                digest.update(f"{name} {array.shape}".encode() + array.tobytes())
        return digest.hexdigest()

    def ranges(self, model: Any, tensors: Sequence[str], method: str | None = None) -> dict[str, Range]:
        """The range of each tensor of a graph on this text, cached after the first measurement.

        Raises UserInputError where the text is too short, ExportError where a value is not finite.
        """
        method = method or self.method

        def measure() -> dict[str, Any]:
            seen = self._measure(model, tensors, METHODS[method])
            return {name: dataclasses.astuple(found) for name, found in seen.items()}

        found = self._cached("ranges", [model, list(tensors), method], measure)
        return {name: Range(*values) for name, values in found.items()}

    def channel_sizes(self, model: Any, tensors: Sequence[str]) -> dict[str, list[float]]:
        """The largest absolute value in each channel of tensors (batch, sequence, channels) on this text, cached.

        Raises UserInputError where the text is too short.
        """

        def measure() -> dict[str, Any]:
            return channel_sizes(model, tensors, self.feeds("channels of activations"))

        return self._cached("channels", [model, list(tensors)], measure)

    def _cached(self, kind: str, key: list[Any], measure: Callable[[], dict[str, Any]]) -> dict[str, list[float]]:
        """The measurement by tensor, from the cache or new."""
        file = self.cache and self.cache / kind / f"{self._key(*key)}.json"
        if file and (found := read_measurements(file)):
            return found
        found = measure()
        if file:
            write_measurements(file, found)
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
        """The graph's inputs, int64 (rows, longest), batch by batch; one chunk of texts is in memory at a time."""
        yield from self._feeds(self.track(stage, len(self.texts)))

    def _feeds(self, step: Callable[[], None]) -> Iterator[dict[str, NDArray[np.int64]]]:
        self.check()
        for start in range(0, len(self.texts), _TEXTS_AT_ONCE):
            chunk = self.texts[start : start + _TEXTS_AT_ONCE]
            for batch in batches(rows_of(self._tokenizer, self._tokenizer.encode(chunk))):
                yield feeds(batch, self._tokenizer.settings)
            for _ in chunk:
                step()
