"""How often the intervals of `edgener-runtime bench` cover the truth, on synthetic rounds of known distributions.

    python benchmarks/interval_coverage.py --out benchmarks/results/bench/coverage.json

A synthetic round is a process: all its queries are slower or faster than those of another by a random factor, and
neighbours among them are correlated. For each distribution and number of rounds: how often the intervals of the median
and of the 99th percentile cover those of the median round; how often a bootstrap of all queries, as if independent,
covers the median; how often two equal runs are found to differ; and how often 10 % more is found to be over 5 %.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from edgener_runtime.base.tables import markdown_table
from edgener_runtime.commissioning.bench.results.record import Interval
from edgener_runtime.commissioning.bench.results.statistics import interval_of_percentile, ratio_interval

Floats = NDArray[np.float64]
QUERIES, TYPICAL = 200, 10.0  # of a round, and milliseconds
SLOWER, LIMIT = 1.10, 1.05
RESAMPLES = 100


@dataclass(frozen=True)
class Law:
    """How the logarithm of a round's speed is spread: a normal part, and now and then an offset."""

    name: str
    spread: float
    share: float = 0.0
    offset: float = 0.0
    is_tail: bool = False

    def draw(self, random: np.random.Generator, rounds: int) -> Floats:
        """How many times as long as usual each round's queries take."""
        offsets = random.exponential(self.offset, rounds) if self.is_tail else np.full(rounds, self.offset)
        shifted = np.where(random.random(rounds) < self.share, offsets, 0.0)
        return np.asarray(np.exp(random.normal(0, self.spread, rounds) + shifted))


LAWS = (
    Law("rounds differ by 2 %", 0.02),
    Law("one in seven slowed by 15 % on average", 0.01, 1 / 7, 0.15, is_tail=True),
    Law("two clocks, 4 % apart", 0.004, 0.3, 0.04),
)
ROUNDS = (3, 5, 7, 10)


@dataclass(frozen=True)
class Counted:
    """Shares of trials."""

    law: str
    rounds: int
    median_held: float
    p99_held: float
    pooled_held: float
    false_differences: float
    slowdowns_found: float


@click.command()
@click.option("--trials", default=1000, show_default=True, help="Of each law and count of rounds.")
@click.option("--seed", default=1, show_default=True, help="For the same trials again.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the shares there as JSON.")
def main(trials: int, seed: int, out: Path | None) -> None:
    """Count how often intervals hold what they are to hold."""
    random = np.random.default_rng(seed)
    counted = [count(law, rounds, trials, random) for law in LAWS for rounds in ROUNDS]
    click.echo(table(counted))
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        record = {"trials": trials, "seed": seed, "queries": QUERIES, "counted": [asdict(row) for row in counted]}
        out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def count(law: Law, rounds: int, trials: int, random: np.random.Generator) -> Counted:
    """The shares of one law with so many rounds."""
    usual = run(law, 4000, random)
    median, p99 = (float(np.median(np.quantile(usual, share, axis=1, method="inverted_cdf"))) for share in (0.5, 0.99))
    runs = [(run(law, rounds, random), run(law, rounds, random)) for _ in range(trials)]
    same = [ratio_interval(one, other, 0.5) for one, other in runs]
    slower = [ratio_interval(one, SLOWER * other, 0.5) for one, other in runs]
    return Counted(
        law.name,
        rounds,
        share_of([holds(interval_of_percentile(one, 0.5), median) for one, _ in runs]),
        share_of([holds(interval_of_percentile(one, 0.99), p99) for one, _ in runs]),
        share_of([holds(pooled(one, random), float(np.median(usual))) for one, _ in runs]),
        share_of([not holds(found, 1) for found in same]),
        share_of([found.low > LIMIT for found in slower]),
    )


def run(law: Law, rounds: int, random: np.random.Generator) -> Floats:
    """Milliseconds of (rounds, queries): neighbours share nine tenths of what moves them, and one in fifty is slow."""
    steps = random.normal(0, 0.05, (rounds, QUERIES + 10)).cumsum(axis=1)
    smooth = (steps[:, 10:] - steps[:, :-10]) / np.sqrt(10)
    slow = 0.3 * (random.random((rounds, QUERIES)) < 0.02)
    return np.asarray(TYPICAL * law.draw(random, rounds)[:, None] * np.exp(smooth + slow))


def pooled(rounds: Floats, random: np.random.Generator) -> Interval:
    """What is often done instead: all queries are taken for independent."""
    queries = rounds.ravel()
    low, high = np.quantile(np.median(random.choice(queries, (RESAMPLES, len(queries))), axis=1), (0.025, 0.975))
    return Interval(float(np.median(queries)), float(low), float(high))


def holds(found: Interval, truth: float) -> bool:
    """Whether the truth lies between the ends."""
    return found.low <= truth <= found.high


def share_of(answers: list[bool]) -> float:
    """How many of them are true."""
    return float(np.mean(answers))


def table(counted: list[Counted]) -> str:
    """The shares in Markdown."""
    heading = ["law", "rounds", "median held", "p99 held", "all queries pooled", "false differences", "10 % found"]
    rows = [
        [row.law, str(row.rounds), *(f"{share:.1%}" for share in list(asdict(row).values())[2:])] for row in counted
    ]
    return markdown_table(heading, rows).rstrip("\n")


if __name__ == "__main__":
    main()
