"""How many rounds does `edgener compare --max-regression` need for a given spread of rounds?

    python benchmarks/gate_budget.py --out benchmarks/results/bench/gate-budget.json

Rounds are drawn from a distribution of known spread, and judged by the statistics of the gate: a result that is 10 %
slower, and an equal one. The answer for a spread and a limit is the smallest number of rounds, of those tried, with
which at least 95 of 100 of both are judged correctly: the one as slower, the other as passed.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np

from edgener_runtime.base.files import write_atomic
from edgener_runtime.base.tables import markdown_table
from edgener_runtime.commissioning.bench.results.statistics import ratio_of_medians

SPREADS, LIMITS = (0.01, 0.02, 0.03, 0.05, 0.08), (0.03, 0.05)
ROUNDS = (5, 6, 8, 10, 12, 16, 20, 25, 32, 40, 50, 64, 80, 100)
SLOWER, TRIALS, ENOUGH = 1.10, 200, 0.95


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Write the table there as JSON.")
def main(out: Path) -> None:
    """Find the rounds that are needed, and print them as a Markdown table."""
    found = {f"{spread:g}": {f"{limit:g}": needed(spread, limit) for limit in LIMITS} for spread in SPREADS}
    record = {"slower": SLOWER, "trials": TRIALS, "enough": ENOUGH, "rounds": found}
    write_atomic(out, json.dumps(record, indent=2) + "\n")
    rows = ((f"{float(spread):.0%}", *(str(count or "-") for count in row.values())) for spread, row in found.items())
    click.echo(markdown_table(["rounds spread by", *(f"limit {limit:.0%}" for limit in LIMITS)], rows), nl=False)


def needed(spread: float, limit: float) -> int | None:
    """The smallest number of rounds that detects both; None if none of ROUNDS does."""
    return next((count for count in ROUNDS if min(detected(spread, limit, count)) >= ENOUGH), None)


def detected(spread: float, limit: float, count: int) -> tuple[float, float]:
    """The shares of slower results that are found, and of equal ones that pass."""
    random = np.random.default_rng(1)
    found = passed = 0
    for _ in range(TRIALS):
        base, same, slower = np.exp(spread * random.standard_normal((3, count)))
        found += ratio_of_medians(base, SLOWER * slower).low > 1 + limit
        passed += ratio_of_medians(base, same).high <= 1 + limit
    return found / TRIALS, passed / TRIALS


if __name__ == "__main__":
    main()
