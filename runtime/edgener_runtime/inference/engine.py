"""Runs of a variant's graph on batches, one after the other or several at once, with checks of the logits."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from edgener_runtime.backends.base import BatchShapes, Model, Session, Tuning
from edgener_runtime.backends.open import open_session
from edgener_runtime.bundle.graph import MASK
from edgener_runtime.errors import BundleError, DeviceError, EdgenerError, ParityError

from .fair_queue import FairQueue
from .ragged import padded, unpadded
from .threads_by_length import ThreadsByLength

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Feeds = dict[str, NDArray[np.int64]]
    Logits = NDArray[np.float32]


class Engine:
    """A variant with `labels` labels: one session for single batches and, if the tuning has workers, one for several.

    Any number of threads may run it. A process that was forked from the one that made it may not: it does not have the
    threads that run the model.
    """

    def __init__(self, model: Model, labels: int, device: str, tuning: Tuning) -> None:
        self.variant = model.variant
        self._labels = labels
        self._process = os.getpid()
        few = replace(tuning, threads=tuning.threads_each)
        by_length = tuning.by_length and few != tuning
        self._session: Session | None = open_session(model, device, few if by_length else tuning)
        self.shapes: BatchShapes = self._session.shapes
        self._notes: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._each: Session | None = self._session if by_length or few == tuning else None
        again = replace(model, graph=None)  # the bytes are not kept
        self._open_each = partial(open_session, again, device, few)
        self._by_length = ThreadsByLength(partial(open_session, again, device, tuning)) if by_length else None
        self._workers = ThreadPoolExecutor(tuning.workers, "edgener-run") if tuning.workers > 1 else None
        self._waiting: FairQueue[tuple[Session, Feeds, Future[Logits]]] = FairQueue(  # one for each task of _workers
            lambda job: next(iter(job[1].values())).size
        )

    @property
    def session(self) -> Session:
        """The session. Raises EdgenerError after `close`, and in a forked process, where a run would never end."""
        if self._session is None:
            raise EdgenerError("the classifier was closed", "Load the bundle again: TokenClassifier.load(bundle)")
        if self._process != os.getpid():
            raise EdgenerError(
                f"the classifier was loaded in process {self._process}, before the fork of {os.getpid()}",
                "Load the bundle in the forked process, or start it with the spawn method.",
            )
        return self._session

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about how it runs."""
        return (*self.session.notes, *self._notes, *(self._by_length.notes if self._by_length else ()))

    def run(self, inputs: Feeds) -> Logits:
        """The graph's logits for its inputs: (rows, subwords, labels) for a padded batch, each (rows, subwords).

        Raises BundleError where the number of labels is not the manifest's, ParityError where a logit is not finite.
        """
        session = self.session
        if self._by_length is None:
            return self._run_on(session, inputs)
        with self._by_length.session(session, next(iter(inputs.values())).size) as chosen:
            return self._run_on(chosen, inputs)

    def start(self, batches: Iterable[Feeds]) -> list[Callable[[], Logits]]:
        """A call per batch that returns its logits; with several workers, the batches start at once.

        Workers run the batches of several calls by equal shares of subwords.
        """
        waiting = list(batches)
        if self._workers and len(waiting) > 1 and (session := self._session_for_each()):
            jobs: list[tuple[Session, Feeds, Future[Logits]]] = [(session, inputs, Future()) for inputs in waiting]
            with self._lock:
                self._waiting.add(jobs)
            for _ in jobs:
                self._workers.submit(self._run_next)
            return [future.result for _, _, future in jobs]
        return [partial(self.run, inputs) for inputs in waiting]

    def _session_for_each(self) -> Session | None:
        """A session with fewer threads for several runs at once, opened when it is first needed.

        None where there is too little memory for another copy of the model: batches then run one by one, and `notes`
        say so.
        """
        _ = self.session  # raises here and not in a worker, which a forked process does not have
        with self._lock:
            if self._each is None and not self._notes:
                try:
                    self._each = self._open_each()
                except DeviceError as error:
                    self._notes = (f"one run at a time: {error.message}",)
            return self._each

    def _run_next(self) -> None:
        with self._lock:
            session, inputs, future = self._waiting.pop()
        try:
            future.set_result(self._run_on(session, inputs))
        except Exception as error:  # noqa: BLE001 - whoever waits for the logits gets it
            future.set_exception(error)

    def _run_on(self, session: Session, inputs: Feeds) -> Logits:
        if session.shapes.ragged and MASK in inputs:
            logits = self._checked(session.run(unpadded(inputs, session.shapes.unnumbered)))
            return padded(logits, inputs[MASK])
        return self._checked(_run_in_parts(session, inputs))

    def _checked(self, logits: Logits) -> Logits:
        import numpy as np

        if logits.shape[-1] != self._labels:
            raise BundleError(
                f"variant {self.variant.name} scores {logits.shape[-1]} labels, the manifest has {self._labels}",
                "Export the bundle again.",
            )
        if not np.isfinite(logits).all():
            raise ParityError(
                f"variant {self.variant.name} answered with a number that is not finite", "Export the bundle again."
            )
        return logits

    def close(self) -> None:
        """Free the model's memory and threads; the engine cannot be used afterwards."""
        opened = {id(session): session for session in (self._session, self._each) if session}
        self._session = self._each = None
        if self._workers:
            self._workers.shutdown(cancel_futures=True)
            while self._waiting:
                self._waiting.pop()[2].cancel()
        if self._process == os.getpid():
            if self._by_length:
                self._by_length.close()
            for session in opened.values():
                session.close()


def _run_in_parts(session: Session, inputs: Feeds) -> Logits:
    """The logits of a batch, run in several parts where it has more rows than the session takes."""
    import numpy as np

    if not session.shapes.batches:
        return session.run(inputs)
    rows, subwords = next(iter(inputs.values())).shape
    most = session.shapes.most_rows(subwords, rows)
    if most == rows:
        return session.run(inputs)
    parts = [{name: array[at : at + most] for name, array in inputs.items()} for at in range(0, rows, most)]
    return np.concatenate([session.run(part) for part in parts])
