"""Intervals: their coverage on simulated data with a known truth, their edges, their speed and their memory."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgener.parity import bootstrap
from edgener.parity.bootstrap import Bootstrap, Estimate
from edgener.parity.figures import measure
from edgener.parity.measures.counts import Count, Counts

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


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bootstrap.__init__, "__defaults__", (500, bootstrap.SEED))


@pytest.mark.usefixtures("few_resamples")
def test_intervals_have_their_nominal_coverage() -> None:
    """1,500 data sets of 300 sentences, some 80 changes in each; the standard error of a coverage is 0.6 points."""
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


@pytest.mark.usefixtures("few_resamples")
@pytest.mark.parametrize("expected", [0.5, 2, 5])
def test_few_events_make_intervals_wider_not_surer(expected: float) -> None:
    """Half an event to five in 200 entities: the true share may hide above the interval in one case in twenty."""
    random = np.random.default_rng(4)
    missed = 0
    for _ in range(300):
        changed = random.binomial(1, expected / 200, 200)
        estimate = Bootstrap(np.stack([changed, np.ones(200)], axis=1)).share(0, 1)
        assert estimate is not None
        missed += estimate.high < expected / 200
    assert missed / 300 <= 0.05


# --- edges


def changes_of(changed: list[float], entities: list[float]) -> Bootstrap:
    return Bootstrap(np.array([changed, entities], dtype=float).T)


def test_no_event_is_not_none_ever() -> None:
    estimate = changes_of([0] * 100, [1] * 100).share(0, 1)
    assert estimate == Estimate(0.0, 0.0, pytest.approx(1 - 0.025 ** (1 / 100)))


def test_a_share_of_nothing_has_no_estimate() -> None:
    assert changes_of([0, 0], [0, 0]).share(0, 1) is None
    assert Bootstrap(np.zeros((0, 2))).share(0, 1) is None


def test_a_figure_that_never_varies_has_an_interval_without_width() -> None:
    assert changes_of([1] * 20, [2] * 20).share(0, 1) == Estimate(0.5, 0.5, 0.5)


def test_one_unit_has_an_interval() -> None:
    assert changes_of([1], [2]).share(0, 1) == Estimate(0.5, 0.5, 0.5)


def test_draws_without_the_label_are_left_out() -> None:
    estimate = changes_of([1, 0] + [0] * 18, [1, 1] + [0] * 18).share(0, 1)
    assert estimate is not None
    assert (estimate.value, estimate.low, estimate.high) == (0.5, 0.0, 1.0)


def test_a_difference_of_nothing_but_gains_still_might_be_a_loss() -> None:
    gain_and_loss = np.array([[1.0], [-1.0]])
    found = Bootstrap(np.array([[1.0]] + [[0.0]] * 199)).estimate(lambda sums: sums[..., 0], slice(0, 1), gain_and_loss)
    assert found is not None
    assert found.value == 1 and found.low < 0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), min_size=1, max_size=30))
def test_an_interval_is_ordered_and_in_the_range_of_the_units(units: list[tuple[int, int]]) -> None:
    counts = np.array([(min(part, whole), whole) for part, whole in units], dtype=float)
    estimate = Bootstrap(counts, resamples=200).share(0, 1)
    assert estimate is not None
    assert 0 <= estimate.low <= estimate.high <= 1
    if counts[:, 0].any():
        shares = counts[:, 0] / counts[:, 1]
        assert shares.min() - 1e-9 <= estimate.low and estimate.high <= shares.max() + 1e-9


def test_the_same_counts_give_the_same_interval_and_another_seed_nearly() -> None:
    counts = simulated(np.random.default_rng(1), 400).entities[:, 0]
    first, second, other = (Bootstrap(counts, seed=seed).share(Count.CHANGED, Count.ENTITIES) for seed in (1, 1, 2))
    assert first and other and first == second
    assert first != other
    assert first.low == pytest.approx(other.low, abs=0.002) and first.high == pytest.approx(other.high, abs=0.002)


def test_more_text_makes_narrower_intervals() -> None:
    widths = []
    for sentences in (200, 800, 3200):
        churn = measure(simulated(np.random.default_rng(1), sentences), {}).overall.churn
        assert churn is not None
        widths.append(churn.high - churn.low)
    assert widths[1] == pytest.approx(widths[0] / 2, rel=0.3)
    assert widths[2] == pytest.approx(widths[1] / 2, rel=0.3)


def test_the_bootstrap_is_paired() -> None:
    """Two models that share their errors differ by far less than either's own spread."""
    figures = measure(simulated(np.random.default_rng(1), 1000), {})
    paired = figures.overall.f1_difference
    counts = simulated(np.random.default_rng(1), 1000).entities[:, 0]
    own = Bootstrap(counts).share(Count.HITS, Count.GOLD)
    assert paired and own
    assert paired.high - paired.low < 0.7 * (own.high - own.low)


# --- cost


def test_ten_thousand_resamples_of_conll_2003_take_under_five_seconds() -> None:
    counts = simulated(np.random.default_rng(0), 3453)
    four = Counts(tuple("ABCD"), counts.entities.repeat(4, axis=1), counts.tokens, counts.batch, counts.documents)
    start = time.process_time()
    assert measure(four, {}).resamples == 10_000
    assert time.process_time() - start < 5


def test_memory_is_bounded_whatever_the_number_of_sentences() -> None:
    counts = np.ones((100_000, 2))
    tracemalloc.start()
    Bootstrap(counts, resamples=100)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6  # all weights at once would be 80 MB and more for each of several arrays per 100 resamples
