"""The distance of a variant's logits from PyTorch's, and the calibration error of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgener.data.align import first_subwords
from edgener.data.tags import tags_of
from edgener.data.types import Sentence
from edgener_exporters.distance import relative_distance

from .tagging import Answers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

_BINS = 15


@dataclass(frozen=True)
class LogitFigures:
    """Distances over all subwords and labels.

    `kl` is the mean divergence of the variant's label distribution from PyTorch's, in nats per subword. `ece` is the
    expected calibration error (Guo et al. 2017, 15 bins) of the labels of tokens, None without gold entities.
    """

    max_difference: float
    mean_difference: float
    relative_l2: float
    kl: float
    ece: float | None = None
    ece_pytorch: float | None = None


def logit_figures(sentences: Sequence[Sentence], pytorch: Answers, variant: Answers) -> LogitFigures:
    """Distances of a variant's logits from PyTorch's; all zero where there is no subword."""
    import numpy as np

    expected, found = (
        np.concatenate([scored.logits for scored in side.scored]).astype(float) for side in (pytorch, variant)
    )
    if not len(expected):
        return LogitFigures(0.0, 0.0, 0.0, 0.0)
    difference = np.abs(expected - found)
    log_p, log_q = log_softmax(expected), log_softmax(found)
    has_gold = any(sentence.spans for sentence in sentences)
    return LogitFigures(
        max_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
        relative_l2=relative_distance(found, expected) if expected.any() else 0.0,
        kl=max(0.0, float((np.exp(log_p) * (log_p - log_q)).sum(axis=-1).mean())),
        ece=calibration_error(*_confidences(sentences, variant)) if has_gold else None,
        ece_pytorch=calibration_error(*_confidences(sentences, pytorch)) if has_gold else None,
    )


def _confidences(sentences: Sequence[Sentence], answers: Answers) -> tuple[Floats, NDArray[np.bool_]]:
    """The confidence (0 to 1) of each token with a subword, and whether its label is the gold one."""
    import numpy as np

    sure, right = [np.empty(0)], list[bool]()
    for sentence, scored, tags in zip(sentences, answers.scored, answers.tags, strict=True):
        first = np.array(first_subwords(sentence.offsets, scored.offsets.tolist(), sentence.text), dtype=int)
        sure.append(np.exp(log_softmax(scored.logits.astype(float)).max(axis=-1))[first[first >= 0]])
        gold = tags_of(sentence.spans, len(sentence.offsets), answers.label_set.scheme)
        right += [gold[token] == tags[token] for token in np.flatnonzero(first >= 0)]
    return np.concatenate(sure), np.array(right, dtype=bool)


def log_softmax(logits: Floats) -> Floats:
    """Logarithms of probabilities along the last axis, without overflow."""
    import numpy as np

    shifted = logits - logits.max(axis=-1, keepdims=True)
    logarithms: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return logarithms


def calibration_error(confidences: Floats, right: NDArray[np.bool_]) -> float:
    """The mean difference between confidence (0 to 1) and accuracy, weighted by bin; 0 without answers.

    Guo et al. 2017, On calibration of modern neural networks.
    """
    import numpy as np

    bins = np.minimum((confidences * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, weights=confidences - right, minlength=_BINS)
    return float(np.abs(gaps).sum() / max(1, len(confidences)))
