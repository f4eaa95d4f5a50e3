"""The classifier: text in, entities out."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, overload

from edgener_runtime.backends.base import Model, Tuning
from edgener_runtime.backends.choose import choose_variant, is_reproducible, pick_device
from edgener_runtime.backends.requirements import RunRequest, prepared
from edgener_runtime.bundle.manifest import FileEntry, Manifest, VariantEntry
from edgener_runtime.bundle.signatures import required_policy
from edgener_runtime.bundle.verify import Verification
from edgener_runtime.decoding.decode import Decoder
from edgener_runtime.decoding.entity import AS_TRAINED, PLAIN, Decoding, Entity
from edgener_runtime.inference.batches import PendingBatch, batches, feeds, rows_of
from edgener_runtime.inference.engine import Engine
from edgener_runtime.inference.tuning import tuning_for
from edgener_runtime.inference.words import Words, join, labels_of
from edgener_runtime.machine.cpu import isa
from edgener_runtime.machine.devices import DEVICES, NOT_RUN
from edgener_runtime.monitoring.drift import WINDOW, DriftMonitor
from edgener_runtime.monitoring.label_queue import LabelQueue
from edgener_runtime.monitoring.observer import Observer
from edgener_runtime.text.chunks import chunks
from edgener_runtime.text.tokenize import TextTokenizer

from .errors import BundleError, DeviceError, EdgenerError, ParityError, TextError, UserInputError
from .explain import Explanation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LOOK_AHEAD = 512  # texts; half of them are tokenised and sorted by length at once
_LOOK_AHEAD_OF_A_BATCH = 2048  # more texts of similar length mean less padding
OF_WORDS = Decoding("first")
OF_ONE_TEXT = (TextError, DeviceError, ParityError)  # errors of a run that other texts may not have
Answer: TypeAlias = "list[Entity] | EdgenerError"
"""The entities of a text, or the error of a text without an answer."""


@dataclass(frozen=True)
class TokenLogits:
    """A text's subwords: ids (n,), character offsets (n, 2) and logits (n, labels), special tokens left out."""

    input_ids: NDArray[np.int64]
    offsets: NDArray[np.int64]
    logits: NDArray[np.float32]


class TokenClassifier:
    """Finds entities in texts with a variant of a bundle; a context manager that frees the model at its end.

    Any number of threads may call it at once. A process that was forked from the one that loaded it may not: it does
    not have the threads that run the model, and every call there raises EdgenerError.
    """

    def __init__(
        self,
        bundle: Path,
        manifest: Manifest,
        variant: VariantEntry,
        device: str,
        tuning: Tuning,
        why: Sequence[str] = (),
        alone: bool = False,
        read: Callable[[FileEntry], bytes] | None = None,
    ) -> None:
        self.manifest = manifest
        self.variant = variant
        self.label_set = manifest.label_set
        self.tuning = tuning
        self._why = tuple(why)
        self._alone = alone
        settings = manifest.tokenizer
        tokenizer, graph = (read(manifest.tokenizer_entry), read(variant.file)) if read else (None, None)
        self._tokenizer = TextTokenizer(bundle / settings.file, settings, tokenizer)
        self._scores = manifest.scores or AS_TRAINED
        self._decoder = Decoder(self.label_set, self._scores)
        self._observer: Observer | None = None
        model = Model(bundle, variant, settings.inputs, settings.max_length, graph)
        self.engine = Engine(model, len(manifest.labels), device, tuning)
        self.provider = self.engine.session.provider

    @classmethod
    def load(
        cls,
        bundle: str | PathLike[str],
        device: str = "auto",
        variant: str = "auto",
        threads: int | None = None,
        reproducible: bool = False,
        require_signature: str | PathLike[str] | None = None,
    ) -> TokenClassifier:
        """Load a bundle folder; the SHA-256 of every file is checked, that of a loaded file before it is loaded.

        `variant="auto"` is the first of the manifest that runs on the device: bundles list the fastest first.
        `reproducible` answers do not depend on other texts: a variant without a batch effect is chosen, or each text
        runs alone. Threads default to those that `edgener-runtime tune` found best on this machine, or to the cores
        that this process may use. `require_signature` is a file of public keys of which one must have signed the
        bundle, or a policy; a policy of the device holds without it. Raises BundleError (damaged, or not signed so),
        DeviceError (no library that verifies signatures), ProviderError (the device is not available),
        UserInputError.
        """
        folder = Path(bundle)
        if os.path.islink(folder):  # noqa: PTH114 - raises nothing
            folder = Path(os.path.realpath(folder))
        keys = Path(require_signature) if require_signature is not None else None
        with Verification(folder, required_policy(keys), variant) as verification:
            manifest = verification.manifest
            requested = manifest.variants if variant == "auto" else (manifest.variant(variant),)
            chosen, why_device = pick_device(device, RunRequest(folder, requested))
            entry, why_variant = choose_variant(manifest, variant, chosen, reproducible, _engines(folder, chosen))
            tuning, why_tuning = tuning_for(folder, entry, threads, chosen)
            alone = reproducible and not is_reproducible(entry)
            why = [*why_variant, *why_device, *_unproven(chosen), why_tuning]
            why += ["each text runs alone, as its answer would depend on others"] * alone
            classifier = cls(folder, manifest, entry, chosen, tuning, why, alone, verification.take)
            try:
                verification.wait()
            except BundleError:
                classifier.close()
                raise
        return classifier

    @property
    def labels(self) -> tuple[str, ...]:
        """The model's labels, by number."""
        return self.label_set.names

    def explain(self) -> Explanation:
        """Which variant runs on which device, with how many threads, and why."""
        session = self.engine.session
        return Explanation(
            bundle=self.manifest.name,
            variant=self.variant.name,
            precision=self.variant.precision,
            provider=session.provider,
            tuning=self.tuning,
            isa=isa(),
            proven_isas=tuple(sorted({proof.isa for proof in self.variant.proven})),
            library=session.library,
            reasons=(*self._why, *self.engine.notes),
            temperature=self._scores.temperature,
            thresholds=self._scores.thresholds,
            aggregation=self._scores.aggregation,
            drift=self._observer.drift.report() if self._observer and self._observer.drift else None,
            label_queue=self._observer.queue.state if self._observer and self._observer.queue else None,
        )

    def monitor(self, drift: bool = True, queue: LabelQueue | None = None, window: int = WINDOW) -> None:
        """From now on count the answered texts for `drift`, and offer the least certain ones to a queue.

        The drift compares the latest `window` texts with the bundle's reference; no text is kept for it. `explain` has
        both.
        """
        unknown, reference = self._tokenizer.unknown, self.variant.drift
        counters = DriftMonitor(self.label_set, unknown, reference, window) if drift else None
        self._observer = Observer(self._decoder, self.manifest.version, counters, queue)

    @property
    def observer(self) -> Observer | None:
        """What records the answered texts, where `monitor` was called."""
        return self._observer

    def __enter__(self) -> TokenClassifier:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the model's memory and threads; the classifier cannot be used afterwards."""
        self.engine.close()
        if self._observer and self._observer.queue:
            self._observer.queue.flush()

    def predict(self, text: str, decoding: Decoding = PLAIN) -> list[Entity]:
        """The entities of one text, in order."""
        return self.predict_batch([text], decoding)[0]

    @overload
    def predict_batch(
        self, texts: Iterable[str], decoding: Decoding = PLAIN, return_errors: Literal[False] = False
    ) -> list[list[Entity]]: ...

    @overload
    def predict_batch(
        self, texts: Iterable[str], decoding: Decoding = PLAIN, *, return_errors: bool
    ) -> list[Answer]: ...

    def predict_batch(
        self, texts: Iterable[str], decoding: Decoding = PLAIN, return_errors: bool = False
    ) -> list[list[Entity]] | list[Answer]:
        """The entities of each text, in the texts' order; texts of similar length run in one batch.

        With `return_errors`, a text that fails has its error in place of entities, and the others are answered.
        Otherwise its error is raised.
        """
        return list(self.stream(texts, decoding, _LOOK_AHEAD_OF_A_BATCH, return_errors=return_errors))

    @overload
    def stream(
        self,
        texts: Iterable[str],
        decoding: Decoding = PLAIN,
        look_ahead: int = LOOK_AHEAD,
        return_errors: Literal[False] = False,
    ) -> Iterator[list[Entity]]: ...

    @overload
    def stream(
        self, texts: Iterable[str], decoding: Decoding = PLAIN, look_ahead: int = LOOK_AHEAD, *, return_errors: bool
    ) -> Iterator[Answer]: ...

    def stream(
        self,
        texts: Iterable[str],
        decoding: Decoding = PLAIN,
        look_ahead: int = LOOK_AHEAD,
        return_errors: bool = False,
    ) -> Iterator[list[Entity]] | Iterator[Answer]:
        """The entities of each text as they become available, in the texts' order.

        At most `look_ahead` texts are read before their answers are taken; with 1 each is answered before the next is
        read. `return_errors` is that of `predict_batch`. Raises UserInputError for a smaller `look_ahead`.
        """
        if look_ahead < 1:
            raise UserInputError(f"look_ahead is {look_ahead}, expected at least 1")
        at_once = max(1, look_ahead // 2)  # one half runs while the other is tokenised and decoded
        pending: deque[tuple[list[str], PendingBatch | EdgenerError]] = deque()
        for chunk in chunks(texts, at_once):
            pending.append((chunk, self._try_start(chunk)))
            if len(pending) == look_ahead // at_once:
                yield from self._answers(*pending.popleft(), decoding, return_errors)
        while pending:
            yield from self._answers(*pending.popleft(), decoding, return_errors)

    def _answers(
        self, texts: list[str], pending: PendingBatch | EdgenerError, decoding: Decoding, return_errors: bool
    ) -> list[Answer]:
        """The answers of texts that run; where the run fails, each half runs again, down to the texts that fail alone.

        Errors of the call itself, such as a threshold of an unknown label, are raised.
        """
        try:
            if isinstance(pending, EdgenerError):
                raise pending
            scored = pending.result()
        except OF_ONE_TEXT as error:
            if not return_errors:
                raise
            if len(texts) == 1:
                return [error]
            halves = texts[: len(texts) // 2], texts[len(texts) // 2 :]
            return [found for half in halves for found in self._answers(half, self._try_start(half), decoding, True)]
        found = self._decoder.entities(texts, scored, decoding)
        if self._observer and not isinstance(pending, EdgenerError):
            self._observer.observe(texts, pending.encoded, scored)
        return [*found]

    def _try_start(self, texts: list[str]) -> PendingBatch | EdgenerError:
        """Start texts; an error that stops them is raised in their place in the order, or isolated there."""
        try:
            return self._start(texts)
        except OF_ONE_TEXT as error:
            return error

    def count_subwords(self, texts: Iterable[str]) -> int:
        """The subwords of all texts, without special tokens and the overlap of windows: what their answers cost."""
        return self._tokenizer.count(list(texts))

    def tag(self, words: Sequence[str], decoding: Decoding = OF_WORDS) -> list[str]:
        """One label per word of a pre-tokenised sentence; that outside of entities where a word has no subwords."""
        return self.tag_batch([words], decoding)[0]

    def tag_batch(self, sentences: Iterable[Sequence[str]], decoding: Decoding = OF_WORDS) -> list[list[str]]:
        """One label per word of each pre-tokenised sentence; the model gets the words with spaces between them.

        The aggregation of `decoding` is first, average or max; it may be strict. Raises UserInputError for others.
        """
        return self.label_words([join(words) for words in sentences], decoding)

    def label_words(self, texts: Sequence[Words], decoding: Decoding = OF_WORDS) -> list[list[str]]:
        """One label per word of each text, whose words start at given characters; otherwise as `tag_batch`.

        Raises UserInputError for aggregations that do not label words.
        """
        labels: list[list[str]] = []
        for chunk in chunks((text.text for text in texts), LOOK_AHEAD // 2):
            sentences = texts[len(labels) : len(labels) + len(chunk)]
            pending = self._start(chunk)
            scored = pending.result()
            labels += labels_of(sentences, scored, self._decoder, decoding)
            if self._observer:
                self._observer.observe(chunk, pending.encoded, scored)
        return labels

    def logits(self, texts: Iterable[str], padding: int = 0) -> Iterator[TokenLogits]:
        """The logits of each subword of each text, in the texts' order; long texts are merged from windows.

        `padding` adds positions to each batch, to measure the effect of padding on a variant.
        """
        import numpy as np

        for chunk in chunks(texts, LOOK_AHEAD // 2):
            pending = self._start(chunk, padding)
            logits = pending.result().logits
            ends = [*accumulate(len(subwords.ids) for subwords in pending.encoded)]
            for subwords, end in zip(pending.encoded, ends, strict=True):
                ids = np.array(subwords.ids, dtype=np.int64)
                offsets = np.array(subwords.offsets, dtype=np.int64).reshape(-1, 2)
                yield TokenLogits(ids, offsets, logits[end - len(ids) : end])

    def run(self, inputs: dict[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        """The graph's logits (rows, subwords, labels) for its inputs, each (rows, subwords).

        Raises BundleError where the number of labels is not the manifest's, ParityError where a logit is not finite.
        """
        return self.engine.run(inputs)

    def _start(self, texts: Sequence[str], padding: int = 0) -> PendingBatch:
        """Tokenise texts and start their batches."""
        encoded = self._tokenizer.encode(texts)
        rows = rows_of(self._tokenizer, encoded)
        most, shapes = self.tuning.batch_subwords, self.engine.shapes
        found = [[row] for row in rows] if self._alone else list(batches(rows, most, shapes))
        answers = self.engine.start(feeds(batch, self.manifest.tokenizer, padding, shapes) for batch in found)
        return PendingBatch(encoded, found, answers, len(self._tokenizer.prefix), len(self.labels))


def _unproven(device: str) -> tuple[str, ...]:
    if DEVICES[device].proven:
        return ()
    return (f"{device}: {NOT_RUN} by the makers of this release; check it here: edgener-runtime selftest",)


def _engines(bundle: Path, device: str) -> Sequence[str]:
    """The variants with an engine beside the bundle, where the device runs engines."""
    return prepared(bundle) if DEVICES[device].opener == "engine" else ()
