"""Does `edgener compare` find a slowdown of 10 %, and none between two runs of the same thing?

    python benchmarks/compare_trials.py BUNDLE --trials 20 --out benchmarks/results/bench/trials.json

A trial is three runs of `edgener-runtime bench`: the base, the same again, and one in which every answer takes a tenth
longer, planted from outside the product's code. Both are held against the base by `edgener compare`. What it cannot
tell is measured again for twice as long, base and all, as its hint asks, and once more for four times as long; the last
verdict counts. The order of the runs is another one each trial, so that a drift of the machine favours none. What is
done is kept in --out as it comes: the same command goes on where it was broken off. The exit code is 1 where a slowdown
was missed, or one was found that is not there.
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

from edgener.compare.compare import BenchComparison
from edgener.progress import tracked
from edgener_runtime.base.files import write_atomic
from edgener_runtime.base.serde import from_json, load_json, to_json
from edgener_runtime.commissioning.bench.results.record import Interval, read_result
from edgener_runtime.machine.cpu import cpu_model, isa, usable_cores

ROOT = Path(__file__).resolve().parents[1]
BASE, SAME, SLOWED = "base", "same", "slowed"
WITHIN = "0.5%"  # a run that ends at the usual 2 % can have five rounds, too few to hold 10 % against the limit
ORDERS = tuple(permutations((BASE, SAME, SLOWED)))
LONGER = (1, 2, 4)  # times as long, while the gate cannot tell
PASSED, SLOWER, INCONCLUSIVE = 0, 3, 4  # exit codes of the gate
BENCH = [sys.executable, "-c", "from edgener_runtime.cli.main import main; main()", "bench"]
COMPARE = [sys.executable, "-m", "edgener", "compare"]
slowed: Callable[[Path, float], dict[str, str]] = runpy.run_path(
    str(ROOT / "runtime" / "tests" / "commissioning" / "bench" / "slowed.py")
)["slowed"]


@dataclass(frozen=True)
class Judged:
    """One comparison: the seconds of each run and the base's and the other's rounds, the exit code of the gate, the
    slowdown as measured and as judged, the machine's own, and how a run was marked."""

    seconds: float
    rounds: tuple[int, int]
    exit_code: int
    measured: Interval
    judged: Interval
    machine: Interval | None
    marks: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """The comparisons of a trial with its base, the last of which counts, and its order."""

    order: str
    same: tuple[Judged, ...] = ()
    slowed: tuple[Judged, ...] = ()

    def of(self, run: str) -> tuple[Judged, ...]:
        """The comparisons of one of its runs."""
        return self.same if run == SAME else self.slowed

    @property
    def undecided(self) -> tuple[str, ...]:
        """The runs that are to be measured, for the first time or again."""
        return tuple(run for run in (SAME, SLOWED) if _wants_more(self.of(run)))


@dataclass(frozen=True)
class Trials:
    """All trials on one machine, and what was asked of each run, beside its seconds."""

    machine: str
    options: str
    seconds: float
    max_regression: str
    planted: float
    trials: tuple[Trial, ...] = ()

    @property
    def missed(self) -> int:
        """Planted slowdowns that the gate did not find."""
        return sum(trial.slowed[-1].exit_code != SLOWER for trial in self.trials)

    @property
    def false(self) -> int:
        """Slowdowns that it found between two runs of the same thing."""
        return sum(trial.same[-1].exit_code == SLOWER for trial in self.trials)


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--variant", default="int8-dynamic", show_default=True, help="The one that is run.")
@click.option("--trials", "count", default=20, show_default=True, type=click.IntRange(1), help="How many in all.")
@click.option(
    "--length", default=128, show_default=True, help="Subwords of a text; one for all, so that each costs the same."
)
@click.option("--seconds", default=60.0, show_default=True, help="Budget of one run, the first time.")
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
    options = f"--variant {variant} --scenario {scenario} --threads {threads} --length {length} --within {WITHIN}"
    machine = f"{cpu_model()}, {isa()}, {usable_cores()} cores"
    done = _known(out, Trials(machine, options, seconds, max_regression, planted))
    with tracked() as track:
        step = track("trials", count)
        for number in range(count):
            while (trial_so_far := _trial(done, number)).undecided:
                trial_so_far = more(bundle, done, trial_so_far)
                done = replace(done, trials=(*done.trials[:number], trial_so_far, *done.trials[number + 1 :]))
                write_atomic(out, to_json(done))
            step()
    click.echo(summary(done))
    sys.exit(1 if done.missed or done.false else 0)


def more(bundle: Path, asked: Trials, trial_so_far: Trial) -> Trial:
    """A trial with what is missing measured once more. Raises ClickException where a command does not end as it may."""
    undecided = trial_so_far.undecided
    seconds = asked.seconds * LONGER[len(trial_so_far.of(undecided[0]))]
    with TemporaryDirectory() as name:
        folder = Path(name)
        planted = slowed(folder / "plant", asked.planted)
        for run in trial_so_far.order.split(", "):
            if run in (BASE, *undecided):
                words = [*asked.options.split(), "--seconds", f"{seconds:g}", "--out", str(folder / f"{run}.json")]
                _call([*BENCH, str(bundle), *words], {0}, planted if run == SLOWED else os.environ)
        found = {run: _compare(folder / f"{BASE}.json", folder / f"{run}.json", asked, seconds) for run in undecided}
    return replace(trial_so_far, **{run: (*trial_so_far.of(run), judged) for run, judged in found.items()})


def summary(done: Trials) -> str:
    """The result of the trials in words."""
    lines = [
        f"{len(done.trials)} trials of {done.options} --seconds {done.seconds:g} on {done.machine}; "
        f"the gate allows {done.max_regression}"
    ]
    for run, says in ((SLOWED, f"{done.planted:.0%} slower"), (SAME, "the same twice")):
        verdicts = [trial.of(run) for trial in done.trials]
        found = Counter(judged[-1].exit_code for judged in verdicts)
        again = sum(len(judged) > 1 for judged in verdicts)
        lines.append(
            f"{says}: {found[SLOWER]} found slower, {found[INCONCLUSIVE]} inconclusive, {found[PASSED]} passed; "
            f"measured again: {again}"
        )
    return "\n".join(lines)


def _trial(done: Trials, number: int) -> Trial:
    return done.trials[number] if number < len(done.trials) else Trial(", ".join(ORDERS[number % len(ORDERS)]))


def _wants_more(judged: Sequence[Judged]) -> bool:
    return not judged or (judged[-1].exit_code == INCONCLUSIVE and len(judged) < len(LONGER))


def _known(out: Path, asked: Trials) -> Trials:
    """The trials of before. Raises ClickException where they are of something else."""
    if not out.exists():
        return asked
    known = load_json(Trials, out)
    if replace(known, trials=()) != asked:
        raise click.ClickException(f"{out} holds trials of something else: {known.options} on {known.machine}")
    return known


def _compare(base: Path, other: Path, asked: Trials, seconds: float) -> Judged:
    words = [*COMPARE, str(base), str(other), "--max-regression", asked.max_regression, "--json"]
    done = _call(words, {PASSED, SLOWER, INCONCLUSIVE}, os.environ)
    [against] = from_json(BenchComparison, done.stdout, "edgener compare").against
    [row] = against.rows
    assert row.measured and row.slowdown
    ours, theirs = (len(read_result(file).rows[0].rounds) for file in (base, other))
    code = done.returncode
    return Judged(seconds, (ours, theirs), code, row.measured, row.slowdown, against.machine, row.marks)


def _call(words: Sequence[str], allowed: set[int], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, env=dict(environment), capture_output=True, text=True, check=False)
    if done.returncode not in allowed:
        raise click.ClickException(f"{' '.join(words[3:])} ended with {done.returncode}: {done.stderr}")
    return done


if __name__ == "__main__":
    main()
