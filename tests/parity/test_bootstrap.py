"""Intervals: their coverage on simulated data with a known truth, their edges, their speed and their memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgener.parity import bootstrap
from edgener.parity.bootstrap import Bootstrap, Estimate
from edgener.parity.counts import Count, Counts
from edgener.parity.figures import measure

Floats = NDArray[np.float64]


def simulated(random: np.random.Generator, sentences: int) -> Counts:
    """Sentences of which both models find most entities, each finds some alone, and each invents some.

    Of what PyTorch finds or invents alone, 3 % and 2 % changed; the variant finds 5 % alone and invents 2 %.
    """
    gold = random.poisson(1.6, sentences)
    both, pytorch, variant, _ = random.multinomial(gold, [0.8, 0.03, 0.05, 0.12]).T
    shared, invented, imagined = (random.poisson(mean, sentences) for mean in (0.12, 0.02, 0.02))
    entities = np.zeros((sentences, 1, len(Count)))
    entities[:, 0, Count.GOLD] = gold
    entities[:, 0, Count.HITS] = both + variant
    entities[:, 0, Count.GUESSED] = both + variant + shared + imagined
    entities[:, 0, Count.HITS_PYTORCH] = both + pytorch
    entities[:, 0, Count.GUESSED_PYTORCH] = entities[:, 0, Count.ENTITIES] = both + pytorch + shared + invented
    entities[:, 0, Count.CHANGED] = (pytorch + variant + invented + imagined) / 2
    tokens = np.stack([pytorch + variant, gold * 8], axis=1).astype(float)
    return Counts(("PER",), entities, tokens, tokens[:, :2] * 0, [0] * sentences)


# From the expectations of the counts above; F1 = 2 hits / (guessed + gold).
TRUE_DIFFERENCE = 2 * 1.6 * 0.85 / (1.6 * 1.85 + 0.14) - 2 * 1.6 * 0.83 / (1.6 * 1.83 + 0.14)
TRUE_KEPT = (1.6 * 0.85 / (1.6 * 1.85 + 0.14)) / (1.6 * 0.83 / (1.6 * 1.83 + 0.14))
TRUE_CHURN = (1.6 * 0.08 + 0.04) / 2 / (1.6 * 0.83 + 0.14)
TRUE_EQUAL = 1 - 0.08 / 8


def test_intervals_have_their_nominal_coverage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "RESAMPLES", 500)
    monkeypatch.setattr(Bootstrap.__init__, "__defaults__", (500, 1))
    random = np.random.default_rng(20)
    truths = {"difference": TRUE_DIFFERENCE, "kept": TRUE_KEPT, "churn": TRUE_CHURN, "equal": TRUE_EQUAL}
    hits = dict.fromkeys(truths, 0)
    repetitions = 1500
    for _ in range(repetitions):
        figures = measure(simulated(random, 300), {})
        found = (figures.overall.f1_difference, figures.overall.f1_kept, figures.overall.churn, figures.equal_labels)
        for (name, truth), estimate in zip(truths.items(), found, strict=True):
            assert estimate is not None
            hits[name] += estimate.low <= truth <= estimate.high
    coverage = {name: count / repetitions for name, count in hits.items()}
    assert all(0.94 <= share <= 0.96 for share in coverage.values()), coverage
