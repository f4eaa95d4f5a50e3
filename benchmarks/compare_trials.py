"""Does `edgener compare` find a slowdown of 10 %, and none between two runs of the same thing?

    python benchmarks/compare_trials.py BUNDLE --trials 20 --out benchmarks/results/bench/trials.json

A trial is three runs of `edgener-runtime bench`: the base, the same again, and one in which every answer takes a tenth
longer, planted from outside the product's code. Both are held against the base by `edgener compare`. The order of the
three is another one each trial, so that a drift of the machine favours none. What is done is kept in --out after each
trial: the same command goes on where it was broken off. The exit code is 1 where a slowdown was missed, or one was
found that is not there.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from edgener.bench.compare import Comparison
from edgener.progress import tracked
from edgener_runtime.bench.record import Interval, read_result
from edgener_runtime.device import cpu_model, isa, usable_cores
from edgener_runtime.files import write_atomic
from edgener_runtime.serde import from_json, load_json, to_json

ROOT = Path(__file__).resolve().parents[1]
BASE, SAME, SLOWED = "base", "same", "slowed"
WITHIN = "0.5%"  # a run that ends at the usual 2 % can have five rounds, too few to hold 10 % against the limit
ORDERS = tuple(permutations((BASE, SAME, SLOWED)))
BENCH = [sys.executable, "-c", "from edgener_runtime.cli import main; main()", "bench"]
COMPARE = [sys.executable, "-m", "edgener", "compare"]
slowed: Callable[[Path, float], dict[str, str]] = runpy.run_path(
    str(ROOT / "runtime" / "tests" / "bench" / "slowed.py")
)["slowed"]


@dataclass(frozen=True)
class Judged:
    """One comparison: the exit code of the gate, the slowdown as measured and as judged, and the machine's own."""

    exit_code: int
    measured: Interval
    judged: Interval
    machine: Interval | None


@dataclass(frozen=True)
class Trial:
    """Both comparisons of a trial, its order, the rounds of each run, and how often a run was marked."""

    order: str
    same: Judged
    slowed: Judged
    rounds: tuple[int, ...]
    marks: tuple[str, ...]


@dataclass(frozen=True)
class Trials:
    """All trials on one machine, and what was asked of each run."""

    machine: str
    options: str
    max_regression: str
    planted: float
    trials: tuple[Trial, ...] = ()

    @property
    def missed(self) -> int:
        """Planted slowdowns that the gate did not find."""
        return sum(trial.slowed.exit_code != 3 for trial in self.trials)

    @property
    def false(self) -> int:
        """Slowdowns that it found between two runs of the same thing."""
        return sum(trial.same.exit_code == 3 for trial in self.trials)


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--variant", default="int8-dynamic", show_default=True, help="The one that is run.")
@click.option("--trials", "count", default=20, show_default=True, type=click.IntRange(1), help="How many in all.")
@click.option(
    "--length", default=128, show_default=True, help="Subwords of a text; one for all, so that each costs the same."
)
@click.option("--seconds", default=120.0, show_default=True, help="Budget of one run.")
@click.option("--scenario", default="single-stream", show_default=True, help="What is run.")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1), help="Of a run.")
@click.option("--max-regression", default="3%", show_default=True, help="The gate's limit.")
@click.option("--planted", default=0.10, show_default=True, help="How much longer an answer of the slowed run takes.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Keep the trials here.")
def main(
    bundle: Path, variant: str, count: int, length: int, seconds: float, scenario: str, threads: int,
    max_regression: str, planted: float, out: Path,
) -> None:  # fmt: skip
    """Run trials of the gate on BUNDLE."""
    options = f"--variant {variant} --scenario {scenario} --threads {threads} --lengths {length} --seconds {seconds:g}"
    options += f" --within {WITHIN}"
    machine = f"{cpu_model()}, {isa()}, {usable_cores()} cores"
    begun = Trials(machine, options, max_regression, planted)
    done = _known(out, begun)
    with tracked() as track:
        step = track("trials", max(0, count - len(done.trials)))
        for number in range(len(done.trials), count):
            done = replace(done, trials=(*done.trials, trial(bundle, done, ORDERS[number % 6])))
            write_atomic(out, to_json(done))
            step()
    click.echo(told(done))
    sys.exit(1 if done.missed or done.false else 0)


def trial(bundle: Path, asked: Trials, order: Sequence[str]) -> Trial:
    """Three runs in an order, and both comparisons. Raises ClickException where a command does not end as it may."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        planted = slowed(folder / "plant", asked.planted)
        for run in order:
            out = ["--out", str(folder / f"{run}.json")]
            _call([*BENCH, str(bundle), *asked.options.split(), *out], {0}, planted if run == SLOWED else os.environ)
        files = (folder / f"{run}.json" for run in (SAME, SLOWED))
        same, slower = (_compare(folder / f"{BASE}.json", file, asked.max_regression) for file in files)
        rows = [row for run in order for row in read_result(folder / f"{run}.json").rows]
        marks = tuple(f"{run}: {mark}" for run, row in zip(order, rows, strict=True) for mark in row.marks)
        return Trial(", ".join(order), same, slower, tuple(len(row.rounds) for row in rows), marks)


def told(done: Trials) -> str:
    """What came of the trials, in words."""
    codes = {name: Counter(getattr(trial, name).exit_code for trial in done.trials) for name in (SAME, SLOWED)}
    lines = [f"{len(done.trials)} trials of {done.options} on {done.machine}; the gate allows {done.max_regression}"]
    for name, says in ((SLOWED, f"{done.planted:.0%} slower"), (SAME, "the same twice")):
        found = codes[name]
        lines.append(f"{says}: {found[3]} found slower, {found[4]} not told, {found[0]} passed")
    return "\n".join(lines)


def _known(out: Path, begun: Trials) -> Trials:
    """The trials of before. Raises ClickException where they are of something else."""
    if not out.exists():
        return begun
    known = load_json(Trials, out)
    if replace(known, trials=()) != begun:
        raise click.ClickException(f"{out} holds trials of something else: {known.options} on {known.machine}")
    return known


def _compare(base: Path, other: Path, limit: str) -> Judged:
    done = _call([*COMPARE, str(base), str(other), "--max-regression", limit, "--json"], {0, 3, 4}, os.environ)
    [against] = from_json(Comparison, done.stdout, "edgener compare").against
    [row] = against.rows
    assert row.measured and row.slowdown
    return Judged(done.returncode, row.measured, row.slowdown, against.machine)


def _call(words: Sequence[str], allowed: set[int], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, env=dict(environment), capture_output=True, text=True, check=False)
    if done.returncode not in allowed:
        raise click.ClickException(f"{' '.join(words[3:])} ended with {done.returncode}: {done.stderr}")
    return done


if __name__ == "__main__":
    main()
