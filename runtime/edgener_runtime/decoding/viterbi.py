"""Viterbi decoding: the most likely labels that their scheme allows, all texts in step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .schemes import OUTSIDE, SCHEMES, LabelSet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class AllowedPaths:
    """Label sequences that a scheme allows, such as those in which an I- label of IOB2 follows a B- or I- of its type.

    No full matrix of transitions is needed: a label that is bound to its entity has at most two predecessors, and any
    other label has all that an entity may end with.
    """

    def __init__(self, label_set: LabelSet) -> None:
        import numpy as np

        scheme, tags = SCHEMES[label_set.scheme], label_set.tags
        self._bound = np.array([tag != OUTSIDE and tag[0] not in scheme.opens for tag in tags], dtype=bool)
        self._unfinished = np.array([tag != OUTSIDE and tag[0] not in scheme.ends for tag in tags], dtype=bool)
        self._always_finished = not self._unfinished.any()
        self._before = np.array([_predecessors(number, tags) for number in range(len(tags))])

    def best(
        self, scores: NDArray[np.float32], firsts: NDArray[np.int64], within: Sequence[bool] = ()
    ) -> NDArray[np.int64]:
        """The labels (pieces,) of the most likely allowed paths by probabilities (pieces, labels).

        A path begins at each of `firsts`, the number of the first piece of each text. A piece of which `within` says
        that it continues a word may repeat the label before it.
        """
        import numpy as np

        lengths = np.diff(np.append(firsts, len(scores)))
        logs = np.log(np.maximum(scores, np.finfo(np.float32).tiny))
        order = np.argsort(-lengths, kind="stable")  # texts that have ended are the last rows
        starts, lengths = firsts[order], lengths[order]
        repeats = np.array(within, dtype=bool)
        came_from = np.zeros(scores.shape, dtype=np.int64)
        best = np.where(self._bound, -np.inf, logs[starts])
        ends = np.empty_like(best)
        for step in range(1, int(lengths[0])):
            going = int(np.searchsorted(-lengths, -step))  # texts with more than `step` pieces
            ends[going : len(best)] = best[going:]
            pieces = starts[:going] + step
            best, came_from[pieces] = self._step(best[:going], logs[pieces], repeats[pieces] if within else None)
        ends[: len(best)] = best
        return self._walk_back(self._finished(ends), came_from, starts, lengths)

    def _step(
        self, best: NDArray[np.float32], logs: NDArray[np.float32], repeats: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Scores (texts, labels) of the best paths after one more piece, and the previous labels."""
        import numpy as np

        any_label = self._finished(best).argmax(axis=1)[:, None]
        inner, begin = self._before.T
        same_type = np.where(best[:, inner] >= best[:, begin], inner, begin)
        before = np.where(self._bound, same_type, any_label)
        if repeats is not None:
            better = repeats[:, None] & (best > np.take_along_axis(best, before, axis=1))
            before = np.where(better, np.arange(best.shape[1]), before)
        return np.take_along_axis(best, before, axis=1) + logs, before

    def _finished(self, best: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores (texts, labels) where a path that ends within an entity is impossible."""
        import numpy as np

        return best if self._always_finished else np.where(self._unfinished, np.float32(-np.inf), best)

    @staticmethod
    def _walk_back(
        ends: NDArray[np.float32], came_from: NDArray[np.int64], starts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        import numpy as np

        labels = np.zeros(len(came_from), dtype=np.int64)
        label = ends.argmax(axis=1)
        for step in range(int(lengths[0]) - 1, -1, -1):
            going = int(np.searchsorted(-lengths, -step))
            pieces = starts[:going] + step
            labels[pieces] = label[:going]
            label[:going] = came_from[pieces, label[:going]]
        return labels


def _predecessors(number: int, tags: Sequence[str]) -> tuple[int, int]:
    """The numbers of the I and the B label of a label's type, or twice that of the only one.

    A bound label with neither may only follow itself, and so never occurs.
    """
    found = [tags.index(tag) for role in "IB" if (tag := f"{role}-{tags[number][2:]}") in tags] or [number]
    return found[0], found[-1]
