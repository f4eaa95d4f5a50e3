"""Viterbi decoding: the most likely labels that IOB2 allows, all texts in step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class AllowedPaths:
    """Label sequences in which an I- label follows only the B- or I- label of its type.

    No full matrix of transitions is needed: an I- label has at most two predecessors, and any other label has all.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        import numpy as np

        numbers = {label: number for number, label in enumerate(labels)}
        self._inside = np.array([label.startswith("I-") for label in labels], dtype=bool)
        # an I- label without a B- of its type may only follow itself, and so never occurs
        self._before = np.array(
            [[number, numbers.get(f"B-{label[2:]}", number)] for number, label in enumerate(labels)]
        )

    def best(self, scores: NDArray[np.float32], firsts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The labels (pieces,) of the most likely allowed paths by probabilities (pieces, labels).

        A path begins at each of `firsts`, the number of the first piece of each text.
        """
        import numpy as np

        lengths = np.diff(np.append(firsts, len(scores)))
        logs = np.log(np.maximum(scores, np.finfo(np.float32).tiny))
        order = np.argsort(-lengths, kind="stable")  # texts that have ended are the last rows
        starts, lengths = firsts[order], lengths[order]
        came_from = np.zeros(scores.shape, dtype=np.int64)
        best = np.where(self._inside, -np.inf, logs[starts])
        ends = np.empty_like(best)
        for step in range(1, int(lengths[0])):
            going = int(np.searchsorted(-lengths, -step))  # texts with more than `step` pieces
            ends[going : len(best)] = best[going:]
            best, came_from[starts[:going] + step] = self._step(best[:going], logs[starts[:going] + step])
        ends[: len(best)] = best
        return self._walk_back(ends, came_from, starts, lengths)

    def _step(
        self, best: NDArray[np.float32], logs: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Scores (texts, labels) of the best paths after one more piece, and the previous labels."""
        import numpy as np

        any_label = best.argmax(axis=1)[:, None]
        own, begin = self._before.T
        same_type = np.where(best[:, own] >= best[:, begin], own, begin)
        before = np.where(self._inside, same_type, any_label)
        return np.take_along_axis(best, before, axis=1) + logs, before

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
