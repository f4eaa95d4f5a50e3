"""Second moments of activations on real text: which directions a product's input takes, and how far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .ranges import run_batches, with_outputs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Feeds = dict[str, NDArray[np.int64]]
    Matrix = NDArray[np.float64]

ENOUGH = 8192  # subwords; several times the width of a tensor


def second_moments(model: Any, tensors: Sequence[str], feeds: Iterable[Feeds]) -> dict[str, Matrix]:
    """The mean of x xᵀ (channels, channels) over the subwords of each tensor (rows, subwords, channels).

    Padding is left out. Raises ExportError where onnxruntime cannot run the graph.
    """
    import numpy as np

    used: list[Feeds] = []
    totals: dict[str, Any] = dict.fromkeys(tensors, 0.0)
    subwords = 0
    for _, outputs in run_batches(with_outputs(model, tensors), _used(feeds, used)):
        real = used.pop(0)["attention_mask"] == 1
        subwords += int(real.sum())
        for name, found in zip(tensors, outputs, strict=True):
            rows = found[real].astype(np.float64)
            totals[name] = totals[name] + rows.T @ rows
    return {name: total / max(1, subwords) for name, total in totals.items()}


def _used(feeds: Iterable[Feeds], used: list[Feeds]) -> Iterator[Feeds]:
    """The batches of the first ENOUGH subwords, each also appended to `used` before it runs."""
    subwords = 0
    for fed in feeds:
        if subwords >= ENOUGH:
            return
        subwords += int(fed["attention_mask"].sum())
        used.append(fed)
        yield fed
