"""Figures that are derived from what was measured: how far int8-native is ahead, and what else is compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgener_runtime.commissioning.bench.results.record import Interval
from edgener_runtime.commissioning.bench.results.statistics import interval_of_median

OURS, BASE = "int8-native", "int8-dynamic"
HIGHER_IS_BETTER = "subwords_per_second"
Rounds = Sequence[float]


def lead(ours: Rounds, others: Rounds, higher_is_better: bool = False) -> Interval:
    """How many times as good as others ours is: the median of the rounds' ratios with its 95 % interval."""
    pairs = zip(ours, others, strict=True)
    return interval_of_median([own / other if higher_is_better else other / own for own, other in pairs])


def model_bytes(found: Mapping[str, int]) -> int:
    """What a loaded model takes besides the libraries."""
    return max(1, found["loaded"] - found["libraries"])


def same_bits(digests: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether texts have the same logits alone, together, in another order, and with every number of threads."""
    return len({digest for each in digests.values() for digest in each.values()}) == 1
