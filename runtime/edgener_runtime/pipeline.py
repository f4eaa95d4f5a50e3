"""Text in, entities out: the classifier that a device embeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .batches import batches, feeds, rows_of
from .decode import Decoder, Entity
from .errors import BundleError, EdgenerError, ParityError, ProviderError
from .manifest import Manifest, VariantEntry
from .session import PROVIDERS, open_session, pick_device, run_session
from .tokenize import Subwords, TextTokenizer
from .verify import verify_bundle

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TEXTS_AT_ONCE = 256  # texts tokenised and sorted by length together


@dataclass(frozen=True)
class TokenLogits:
    """A text's subwords: ids (n,), character offsets (n, 2) and logits (n, labels), special tokens left out."""

    input_ids: NDArray[np.int64]
    offsets: NDArray[np.int64]
    logits: NDArray[np.float32]


class TokenClassifier:
    """Finds entities in texts with a variant of a bundle; a context manager that frees the model when left."""

    def __init__(
        self,
        bundle: Path,
        manifest: Manifest,
        variant: VariantEntry,
        device: str,
        threads: int | None,
        alone: bool = False,
    ) -> None:
        self.manifest = manifest
        self.variant = variant
        self.labels = manifest.labels
        self.provider = PROVIDERS[device]
        self._alone = alone
        self._tokenizer = TextTokenizer(bundle / manifest.tokenizer.file, manifest.tokenizer)
        self._decoder = Decoder(manifest.labels)
        self._session: Any = open_session(bundle / variant.file.path, variant, device, threads)

    @classmethod
    def load(
        cls,
        bundle: str | PathLike[str],
        device: str = "auto",
        variant: str = "auto",
        threads: int | None = None,
        reproducible: bool = False,
    ) -> TokenClassifier:
        """Load a bundle folder after checking every file's SHA-256.

        `variant="auto"` takes the first of the manifest that may run on the device: bundles list the fastest first.
        `reproducible` answers do not depend on the texts beside them: of several variants one without a batch effect is
        taken, else each text runs alone.
        Raises BundleError (damaged), ProviderError (the device asked for is not there), UserInputError.
        """
        folder = Path(bundle)
        manifest = verify_bundle(folder)
        chosen = pick_device(device)
        entry = _first_for(manifest, chosen, reproducible) if variant == "auto" else manifest.variant(variant)
        return cls(folder, manifest, entry, chosen, threads, alone=reproducible and not _is_steady(entry))

    def __enter__(self) -> TokenClassifier:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the model's memory; the classifier cannot be used afterwards."""
        self._session = None

    def predict(self, text: str, aggregation: str = "simple") -> list[Entity]:
        """The entities of one text, in order; `aggregation` as in transformers: none, simple, first, average, max."""
        return self.predict_batch([text], aggregation)[0]

    def predict_batch(self, texts: Sequence[str], aggregation: str = "simple") -> list[list[Entity]]:
        """The entities of each text, in the texts' order; texts of like length run together."""
        return [
            self._decoder.entities(text, scored.logits, scored.offsets, subwords.continues, aggregation)
            for text, (subwords, scored) in zip(texts, self._scored(texts), strict=True)
        ]

    def logits(self, texts: Iterable[str], padding: int = 0) -> Iterator[TokenLogits]:
        """What the model says of each subword of each text, in the texts' order, long ones merged from windows.

        `padding` more positions than batches need show what padding does to a variant.
        """
        for _, scored in self._scored(texts, padding):
            yield scored

    def run(self, inputs: dict[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        """The graph's logits (rows, subwords, labels) for its own inputs, each (rows, subwords).

        Raises BundleError where the labels are not as many as the manifest's, ParityError where one is not finite.
        """
        import numpy as np

        if self._session is None:
            raise EdgenerError("the classifier was closed", "Load the bundle again: TokenClassifier.load(bundle)")
        logits = run_session(self._session, inputs)
        if logits.shape[-1] != len(self.labels):
            raise BundleError(
                f"variant {self.variant.name} scores {logits.shape[-1]} labels, the manifest has {len(self.labels)}",
                "Export the bundle again.",
            )
        if not np.isfinite(logits).all():
            raise ParityError(
                f"variant {self.variant.name} answered with a number that is not finite", "Export the bundle again."
            )
        return logits

    def _scored(self, texts: Iterable[str], padding: int = 0) -> Iterator[tuple[Subwords, TokenLogits]]:
        remaining = iter(texts)
        while chunk := list(islice(remaining, _TEXTS_AT_ONCE)):
            encoded = self._tokenizer.encode(chunk)
            yield from zip(encoded, self._run_chunk(encoded, padding), strict=True)

    def _run_chunk(self, encoded: list[Subwords], padding: int) -> list[TokenLogits]:
        import numpy as np

        scored = [
            TokenLogits(
                np.array(subwords.ids, dtype=np.int64),
                np.array(subwords.offsets, dtype=np.int64).reshape(-1, 2),
                np.empty((len(subwords.ids), len(self.labels)), dtype=np.float32),
            )
            for subwords in encoded
        ]
        ahead = len(self._tokenizer.prefix)
        rows = rows_of(self._tokenizer, encoded)
        for batch in ([row] for row in rows) if self._alone else batches(rows):
            for row, logits in zip(batch, self.run(feeds(batch, self.manifest.tokenizer, padding)), strict=True):
                kept = slice(row.window.keep_start, row.window.keep_end)
                shift = ahead - row.window.start
                scored[row.text].logits[kept] = logits[kept.start + shift : kept.stop + shift]
        return scored


def _is_steady(entry: VariantEntry) -> bool:
    """Whether no entity changed with the batch where the variant was judged."""
    return entry.parity is not None and entry.parity.batch_effect == 0


def _first_for(manifest: Manifest, device: str, reproducible: bool) -> VariantEntry:
    runnable = [entry for entry in manifest.variants if PROVIDERS[device] in entry.needs.providers]
    if runnable:
        steady = [entry for entry in runnable if _is_steady(entry)]
        return (steady if reproducible and steady else runnable)[0]
    names = ", ".join(entry.name for entry in manifest.variants)
    raise ProviderError(
        f"no variant of bundle {manifest.name} runs on {device}; it has {names}", "Choose another device."
    )
