"""F1, churn, agreement and batch effect of a variant, over all labels and by label, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgener.parity.measures.counts import Count, Counts
from edgener.parity.measures.masks import MaskDeviation

from .bootstrap import RESAMPLES, SEED, Bootstrap, Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LEAST_DOCUMENTS = 30


@dataclass(frozen=True)
class LabelFigures:
    """The figures of one label or of all: gold entities, PyTorch's entities, and the variant's scores.

    `f1_kept` is the variant's F1 over PyTorch's. A figure is None where the text has nothing to measure it on.
    """

    gold: int
    entities: int
    f1: float | None
    f1_pytorch: float | None
    f1_difference: Estimate | None
    f1_kept: Estimate | None
    churn: Estimate | None


@dataclass(frozen=True)
class VariantFigures:
    """The figures of all labels and of each; `equal_labels` is a share of tokens, `batch_effect` one of entities.

    `masks` has the distance of the logits from PyTorch's under each kind of mask, relative to their norm.
    Intervals are at 95 %, from resamples of `units` units (sentences or documents).
    """

    overall: LabelFigures
    labels: dict[str, LabelFigures]
    equal_labels: Estimate | None
    batch_effect: Estimate | None
    masks: dict[str, MaskDeviation]
    unit: str
    units: int
    resamples: int = RESAMPLES
    seed: int = SEED

    def of(self, label: str | None) -> LabelFigures:
        """The figures of a label, or of all for None."""
        return self.overall if label is None else self.labels[label]


def measure(counts: Counts, masks: dict[str, MaskDeviation]) -> VariantFigures:
    """Figures with intervals, from counts by sentence."""
    import numpy as np

    blocks = [*counts.entities.transpose(1, 0, 2), counts.entities.sum(axis=1)]  # by label, then all
    unit, units = _units(counts.documents)
    bootstrap = Bootstrap(_sums(np.concatenate([*blocks, counts.tokens, counts.batch], axis=1), units))
    figures = [_of_label(bootstrap, number * len(Count), block.sum(axis=0)) for number, block in enumerate(blocks)]
    first = len(blocks) * len(Count)  # the columns after those of labels
    changed = bootstrap.share(first, first + 1)
    return VariantFigures(
        overall=figures[-1],
        labels=dict(zip(counts.labels, figures[:-1], strict=True)),
        equal_labels=None if changed is None else 1 - changed,
        batch_effect=bootstrap.share(first + 2, first + 3),
        masks=masks,
        unit=unit,
        units=max(units, default=-1) + 1,
    )


def _units(documents: Sequence[int]) -> tuple[str, list[int]]:
    """The unit of resampling and the unit number of each sentence; few documents are too few to resample."""
    numbers = {document: number for number, document in enumerate(dict.fromkeys(documents))}
    if len(numbers) < _LEAST_DOCUMENTS:
        return "sentence", list(range(len(documents)))
    return "document", [numbers[document] for document in documents]


def _sums(counts: Floats, units: Sequence[int]) -> Floats:
    import numpy as np

    sums = np.zeros((max(units, default=-1) + 1, counts.shape[1]))
    np.add.at(sums, list(units), counts)
    return sums


def _of_label(bootstrap: Bootstrap, first: int, total: Floats) -> LabelFigures:
    """The figures of the label whose counts begin at column `first` and add up to `total`."""
    columns, pseudo = slice(first, first + len(Count)), _gain_and_loss()
    gold, found = int(total[Count.GOLD]), int(total[Count.ENTITIES])
    f1, f1_pytorch = (float(score) for score in _f1_scores(total)) if gold else (None, None)
    return LabelFigures(
        gold,
        found,
        f1,
        f1_pytorch,
        bootstrap.estimate(_f1_difference, columns, pseudo) if gold else None,
        bootstrap.estimate(_f1_kept, columns, pseudo) if f1_pytorch else None,
        bootstrap.share(first + Count.CHANGED, first + Count.ENTITIES),
    )


def _f1_scores(counts: Floats) -> tuple[Floats, Floats]:
    """F1 of the variant and of PyTorch."""
    gold = counts[..., Count.GOLD]
    return (
        2 * counts[..., Count.HITS] / (counts[..., Count.GUESSED] + gold),
        2 * counts[..., Count.HITS_PYTORCH] / (counts[..., Count.GUESSED_PYTORCH] + gold),
    )


def _f1_difference(counts: Floats) -> Floats:
    variant, pytorch = _f1_scores(counts)
    return variant - pytorch


def _f1_kept(counts: Floats) -> Floats:
    variant, pytorch = _f1_scores(counts)
    return variant / pytorch


def _gain_and_loss() -> Floats:
    """A gold entity that only the variant finds, and one that only PyTorch finds."""
    import numpy as np

    units = np.zeros((2, len(Count)))
    units[:, [Count.GUESSED, Count.GUESSED_PYTORCH, Count.GOLD]] = 1
    units[[0, 1], [Count.HITS, Count.HITS_PYTORCH]] = 1
    return units
