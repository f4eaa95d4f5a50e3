"""What is counted of a text, without the text: certainty, length, labels of subwords, and subwords that are unknown.

The certainty of a text is the margin of its least certain subword: the probability of its best label minus that of the
second best (margin sampling, Scheffer et al. 2001). It needs no entity, so it is low also where one was missed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

from edgener_runtime.bundle.manifest import ReferenceCounts
from edgener_runtime.decoding.decode import Scored, softmax
from edgener_runtime.decoding.schemes import OUTSIDE, LabelSet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float32]

MEASURE = 1  # the version of what is counted: references of another are not compared
CERTAINTIES = (0.25, 0.5, 0.75, 0.9, 0.99)
"""Upper ends of the bins of certainties; the last bin ends at 1."""
LENGTHS = (4, 8, 12, 16, 24, 32, 48, 64, 128, 256)
"""Upper ends of the bins of lengths in subwords; the last bin has no end."""


@dataclass(frozen=True)
class Columns:
    """The counters of one set of labels in one row: bins of certainties and lengths, types, known and unknown subwords.

    `types` are those of entities, after that of no entity.
    """

    types: tuple[str, ...]

    @cached_property
    def parts(self) -> dict[str, slice]:
        """The columns of each thing that is counted."""
        sizes = {
            "certainty": len(CERTAINTIES) + 1, "length": len(LENGTHS) + 1, "labels": len(self.types), "unknown": 2,
        }  # fmt: skip
        ends = list(accumulate(sizes.values()))
        return {name: slice(end - size, end) for (name, size), end in zip(sizes.items(), ends, strict=True)}

    @cached_property
    def count(self) -> int:
        """The number of columns."""
        return int(self.parts["unknown"].stop)

    def row_of(self, reference: ReferenceCounts) -> Ints | None:
        """A reference as one row; None where it was counted otherwise."""
        import numpy as np

        fits = len(reference.certainty) == len(CERTAINTIES) + 1 and len(reference.length) == len(LENGTHS) + 1
        if reference.measure != MEASURE or not fits or reference.labels.keys() != set(self.types):
            return None
        labels = [reference.labels[name] for name in self.types]
        known = sum(labels) - reference.unknown
        return np.array([*reference.certainty, *reference.length, *labels, known, reference.unknown], dtype=np.int64)

    def reference_of(self, row: Ints) -> ReferenceCounts:
        """The sum of rows as a reference."""
        part = {name: row[columns].tolist() for name, columns in self.parts.items()}
        labels = dict(zip(self.types, part["labels"], strict=True))
        certainty, length = tuple(part["certainty"]), tuple(part["length"])
        return ReferenceCounts(MEASURE, sum(certainty), certainty, length, labels, part["unknown"][1])


class TextCounter:
    """Counts texts for one set of labels and a tokenizer, whose subword `unknown` stands for what it does not know."""

    def __init__(self, label_set: LabelSet, unknown: int | None) -> None:
        self.columns = Columns((OUTSIDE, *label_set.types))
        numbers = {name: number for number, name in enumerate(self.columns.types)}
        self._types = [numbers[tag[2:] or OUTSIDE] for tag in label_set.tags]
        self._unknown = unknown
        self._length, self._labels = self.columns.parts["length"].start, self.columns.parts["labels"].start

    def rows(self, ids: Sequence[Sequence[int]], scored: Scored, certainty: Floats) -> Ints:
        """A row of counters for each text: (texts, columns).

        Most calls have one text. Python counts the few things of each text: numpy's functions take longer for so few,
        and are not in the CPU's cache after a run of the model.
        """
        import numpy as np

        rows, best, at = [], scored.logits.argmax(axis=-1).tolist(), 0
        for own, count, sure in zip(ids, scored.counts, certainty.tolist(), strict=True):
            row = [0] * self.columns.count
            row[bisect_left(CERTAINTIES, sure)] = 1
            row[self._length + bisect_left(LENGTHS, count)] = 1
            for label in best[at : at + count]:
                row[self._labels + self._types[label]] += 1
            row[-1] = 0 if self._unknown is None else own.count(self._unknown)
            row[-2] = count - row[-1]
            rows.append(row)
            at += count
        return np.array(rows, dtype=np.int64).reshape(-1, self.columns.count)


def count_reference(
    label_set: LabelSet, unknown: int | None, texts: Iterable[tuple[Sequence[int], Floats]]
) -> ReferenceCounts:
    """The counters of texts, each with the ids (n,) and logits (n, labels) of its subwords."""
    import numpy as np

    counter = TextCounter(label_set, unknown)
    total = np.zeros(counter.columns.count, dtype=np.int64)
    for ids, logits in texts:
        scored = Scored(logits, (), list, [len(ids)])
        total += counter.rows([ids], scored, certainties(scored))[0]
    return counter.columns.reference_of(total)


def certainties(scored: Scored) -> Floats:
    """The certainty of each text, 0 to 1: the smallest margin of its subwords; 1 for a text without any."""
    import numpy as np

    counts = np.array(scored.counts)
    found = np.ones(len(counts), dtype=np.float32)
    if scored.logits.shape[-1] < 2 or not len(scored.logits):
        return found
    best = np.partition(softmax(scored.logits), -2, axis=-1)
    margins: Floats = best[:, -1] - best[:, -2]
    if len(counts) == 1:
        found[0] = margins.min()
        return found
    with_subwords = counts > 0
    firsts = (counts.cumsum() - counts)[with_subwords]
    found[with_subwords] = np.minimum.reduceat(margins, firsts)
    return found
