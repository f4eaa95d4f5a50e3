"""Ragged batches: sequences laid end to end with their offsets, without padding and mask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain
from typing import TYPE_CHECKING

from edgener_runtime.bundle.graph import IDS, MASK, OFFSETS, POSITIONS, TYPES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Feeds = dict[str, NDArray[np.int64]]
    Logits = NDArray[np.float32]


def ragged_feeds(ids: Sequence[Sequence[int]], types: Iterable[Sequence[int]] | None, unnumbered: int | None) -> Feeds:
    """The inputs of a ragged batch: ids, positions and, unless None, types (subwords,), offsets (sequences + 1,).

    Positions count the subwords of a sequence from 0; a subword with the id `unnumbered` has -1 and is not counted.
    """
    import numpy as np

    lengths = [len(row) for row in ids]
    feeds = {IDS: _laid_out(ids, sum(lengths))}
    positions = [np.arange(length, dtype=np.int64) for length in lengths]
    if unnumbered is not None and unnumbered in feeds[IDS]:
        positions = [numbered(np.array(row, dtype=np.int64), unnumbered) for row in ids]
    feeds[POSITIONS] = np.concatenate(positions)
    if types is not None:
        feeds[TYPES] = _laid_out(types, sum(lengths))
    feeds[OFFSETS] = np.array([0, *accumulate(lengths)], dtype=np.int64)
    return feeds


def by_sequence(logits: Logits, lengths: Iterable[int]) -> Iterator[Logits]:
    """The logits of each sequence (its subwords, labels)."""
    start = 0
    for length in lengths:
        yield logits[start : start + length]
        start += length


def unpadded(inputs: Feeds, unnumbered: int | None) -> Feeds:
    """The inputs of a ragged batch with the subwords that a padded batch does not mask, at their positions in it."""
    import numpy as np

    seen = inputs[MASK] != 0
    columns = np.broadcast_to(np.arange(seen.shape[1]), seen.shape)
    positions = columns if unnumbered is None else numbered(inputs[IDS], unnumbered)
    feeds = {IDS: inputs[IDS][seen], POSITIONS: positions[seen]}
    if TYPES in inputs:
        feeds[TYPES] = inputs[TYPES][seen]
    feeds[OFFSETS] = np.append(0, seen.sum(axis=1).cumsum())
    return feeds


def padded(logits: Logits, mask: NDArray[np.int64]) -> Logits:
    """The logits (rows, subwords, labels) of a padded batch, 0 where it is masked."""
    import numpy as np

    found = np.zeros((*mask.shape, logits.shape[-1]), dtype=logits.dtype)
    found[mask != 0] = logits
    return found


def numbered(ids: NDArray[np.int64], unnumbered: int) -> NDArray[np.int64]:
    """The position of each subword along the last axis, counted without those of the id `unnumbered`; theirs is -1."""
    counted = ids != unnumbered
    positions: NDArray[np.int64] = counted.cumsum(axis=-1) * counted - 1
    return positions


def _laid_out(rows: Iterable[Sequence[int]], total: int) -> NDArray[np.int64]:
    import numpy as np

    return np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=total)
