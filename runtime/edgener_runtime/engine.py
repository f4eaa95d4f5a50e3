"""A variant's graph, run on batches: one after the other or several at once, and checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from .errors import BundleError, EdgenerError, ParityError
from .session import Model, Session, open_session
from .shapes import Shapes
from .tuning import Tuning

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Feeds = dict[str, NDArray[np.int64]]
    Logits = NDArray[np.float32]


class Engine:
    """A session of a variant with `labels` labels. Any number of threads may run it at once.

    A process forked from the one that made it may not: the threads that run the model do not live on in it.
    """

    def __init__(self, model: Model, labels: int, device: str, tuning: Tuning) -> None:
        self.variant = model.variant
        self._labels = labels
        self._process = os.getpid()
        self._session: Session | None = open_session(model, device, tuning)
        self.shapes: Shapes = self._session.shapes
        self._workers = ThreadPoolExecutor(tuning.workers, "edgener-run") if tuning.workers > 1 else None

    @property
    def session(self) -> Session:
        """The session. Raises EdgenerError after `close`, and in a forked process, where no run would end."""
        if self._session is None:
            raise EdgenerError("the classifier was closed", "Load the bundle again: TokenClassifier.load(bundle)")
        if self._process != os.getpid():
            raise EdgenerError(
                f"the classifier was loaded in process {self._process}, before the fork of {os.getpid()}",
                "Load the bundle in the forked process, or start it with the spawn method.",
            )
        return self._session

    def run(self, inputs: Feeds) -> Logits:
        """The graph's logits (rows, subwords, labels) for its own inputs, each (rows, subwords).

        Raises BundleError where the labels are not as many as they should be, ParityError where one is not finite.
        """
        import numpy as np

        logits = _run_in_parts(self.session, inputs)
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

    def start(self, batches: Iterable[Feeds]) -> list[Callable[[], Logits]]:
        """What gives each batch's logits when called; with several workers, the batches run from now on."""
        waiting = list(batches)
        if self._workers and len(waiting) > 1:
            _ = self.session  # refused here and not in a worker, which a forked process has none of
            return [self._workers.submit(self.run, inputs).result for inputs in waiting]
        return [partial(self.run, inputs) for inputs in waiting]

    def close(self) -> None:
        """Free the model's memory and threads; the engine cannot be used afterwards."""
        session, self._session = self._session, None
        if self._workers:
            self._workers.shutdown(cancel_futures=True)
        if session and self._process == os.getpid():
            session.close()


def _run_in_parts(session: Session, inputs: Feeds) -> Logits:
    """A batch with more rows than the session takes runs in several parts."""
    import numpy as np

    if not session.shapes.batches:
        return session.run(inputs)
    rows, subwords = next(iter(inputs.values())).shape
    most = session.shapes.most_rows(subwords, rows)
    if most == rows:
        return session.run(inputs)
    parts = [{name: array[at : at + most] for name, array in inputs.items()} for at in range(0, rows, most)]
    return np.concatenate([session.run(part) for part in parts])
