"""Drift: how far recent texts are from those that the bundle was judged on, by the population stability index."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgener_runtime.bundle.manifest import ReferenceCounts
from edgener_runtime.decoding.schemes import LabelSet

from .counts import TextCounter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

WINDOW = 1000  # texts: neighbours in a stream are alike, so that the index of fewer moves without a drift
FEWEST = 500  # texts: with fewer there is no index
THRESHOLD = 0.25
"""From here on the index says drift; docs/how-to/monitor.md has the measurement that it rests on."""
_HALF = 0.5  # of a text or subword, added to each bin, so that an empty one gives no infinite index


@dataclass(frozen=True)
class DriftReport:
    """The counters of all texts since the bundle was loaded, and the index of the latest ones.

    `counts` are those of all texts. `psi` compares the latest `window` texts with the reference: the index of each
    thing that is counted; it is empty for the `reason` given. `drifted` says whether the index of the certainties is
    over the threshold, None where there is no index.
    """

    counts: ReferenceCounts
    window: int
    psi: dict[str, float]
    reason: str | None
    drifted: bool | None
    threshold: float = THRESHOLD

    def __str__(self) -> str:
        if self.reason:
            return f"{self.counts.texts} texts; no index: {self.reason}"
        found = ", ".join(f"{name} {value:.3f}" for name, value in self.psi.items())
        verdict = "drift" if self.drifted else "no drift"
        return f"{verdict}: index of the latest {self.window} of {self.counts.texts} texts: {found}"


class DriftMonitor:
    """Counts texts, and compares the latest `window` of them with a reference; any number of threads may use it.

    It holds a row of counters for each of these texts, and no text.
    """

    def __init__(
        self, label_set: LabelSet, unknown: int | None, reference: ReferenceCounts | None, window: int = WINDOW
    ) -> None:
        import numpy as np

        self.counter = TextCounter(label_set, unknown)
        columns = self.counter.columns
        self._reference = columns.row_of(reference) if reference else None
        self._no_reference = (
            "the bundle's reference was counted by another version: export it again"
            if reference
            else "the bundle has no reference: export it again"
        )
        self._total = np.zeros(columns.count, dtype=np.int64)
        self._recent = np.zeros((window, columns.count), dtype=np.int64)
        self._sum = np.zeros(columns.count, dtype=np.int64)  # of the recent ones
        self._seen = 0
        self._lock = threading.Lock()

    def add(self, rows: Ints) -> None:
        """Count texts by their rows of counters."""
        window = len(self._recent)
        with self._lock:
            self._total += rows.sum(axis=0)
            for row in rows[-window:]:
                place = self._seen % window
                self._sum += row - self._recent[place]
                self._recent[place] = row
                self._seen += 1

    def report(self) -> DriftReport:
        """The counters and the index now."""
        with self._lock:
            total, latest, seen = self._total.copy(), self._sum.copy(), self._seen
        counts, window = self.counter.columns.reference_of(total), min(seen, len(self._recent))
        if self._reference is None:
            return DriftReport(counts, window, {}, self._no_reference, None)
        if window < min(FEWEST, len(self._recent)):
            return DriftReport(counts, window, {}, f"it needs {FEWEST} texts", None)
        parts = self.counter.columns.parts.items()
        index = {name: population_stability(self._reference[columns], latest[columns]) for name, columns in parts}
        return DriftReport(counts, window, index, None, index["certainty"] > THRESHOLD)


def population_stability(expected: Ints, found: Ints) -> float:
    """The population stability index of two histograms with the same bins: 0 where their shares are the same."""
    import numpy as np

    shares = [(counts + _HALF) / (counts + _HALF).sum() for counts in (expected, found)]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
