"""Does `edgener-runtime bench` say what MLPerf's load generator says when it is run by hand on the same bundle?

    python benchmarks/loadgen_agreement.py BUNDLE --out FILE.json

Both of the bench's drivers, on the same texts as loadgen_by_hand.py, which runs before and after each of their runs, in
three processes each time, of which the median is taken. A ratio is a bench's figure over the mean of before and after.
The exit code is 1 where a median ratio is off by more than 3 %. It takes five minutes; let nothing else run.
"""

from __future__ import annotations

import dataclasses
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

import click

from edgener_runtime import __version__
from edgener_runtime.bench.record import BenchResult, read_result
from edgener_runtime.device import cpu_model, isa, usable_cores
from edgener_runtime.files import write_atomic
from edgener_runtime.manifest import read_manifest
from edgener_runtime.tokenize import TextTokenizer
from edgener_runtime.tune import made_up_texts

ALLOWED = 0.03
PROCESSES = 3  # by hand, before and after each run of the bench
DRIVERS = ("loadgen", "builtin")
SCENARIOS = ("single-stream", "offline")
BY_HAND = Path(__file__).with_name("loadgen_by_hand.py")
Figures = dict[str, float]


@dataclass(frozen=True)
class Trial:
    """A run of the bench with what was measured by hand before and after it: milliseconds or texts a second."""

    driver: str
    bench: Figures
    before: Figures
    after: Figures
    marks: tuple[str, ...]

    def ratio(self, scenario: str) -> float:
        """The bench's figure over that by hand."""
        return self.bench[scenario] / fmean((self.before[scenario], self.after[scenario]))


@dataclass(frozen=True)
class Agreement:
    """All ratios of a driver in a scenario, their median, and whether it is within what is allowed."""

    driver: str
    scenario: str
    ratios: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle ratio."""
        return median(self.ratios)

    @property
    def holds(self) -> bool:
        """Whether it is near enough to 1."""
        return abs(self.median - 1) <= ALLOWED


def by_hand(bundle: Path, variant: str, texts: Path, seed: int) -> Figures:
    """What loadgen_by_hand.py measures, the median of fresh processes."""
    command = [sys.executable, BY_HAND, bundle, texts, "--variant", variant]
    seeds = range(PROCESSES * seed, PROCESSES * (seed + 1))
    told = [check_output(*command, "--seed", each) for each in seeds]
    return {scenario: median(json.loads(each)[scenario] for each in told) for scenario in SCENARIOS}


def check_output(*command: object) -> str:
    """What a command writes to stdout."""
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def benched(bundle: Path, variant: str, texts: Path, driver: str, seconds: float, folder: Path) -> BenchResult:
    """What the bench measures."""
    out = folder / "bench.json"
    command = [
        sys.executable, "-m", "edgener_runtime", "bench", bundle, "--variant", variant, "--device", "cpu",
        "--input", texts, "--driver", driver, "--seconds", seconds, "--within", "0.1%", "--out", out,
        *(part for scenario in SCENARIOS for part in ("--scenario", scenario)),
    ]  # fmt: skip
    check_output(*command)
    return read_result(out)


def figures_of(result: BenchResult) -> Figures:
    """The scenarios' own figures."""
    figures = {row.case.scenario: row.figures.metric.value for row in result.rows if row.figures}
    if set(figures) != set(SCENARIOS):
        raise click.ClickException(f"not measured: {[row.reason for row in result.rows]}")
    return figures


def compare(bundle: Path, variant: str, texts: Path, seconds: float, repeats: int, folder: Path) -> list[Trial]:
    """All trials, in turns."""
    trials: list[Trial] = []
    before = by_hand(bundle, variant, texts, 0)
    for number, driver in enumerate(DRIVERS * repeats):
        result = benched(bundle, variant, texts, driver, seconds, folder)
        after = by_hand(bundle, variant, texts, number + 1)
        marks = tuple(sorted({mark for row in result.rows for mark in row.marks}))
        trials.append(Trial(driver, figures_of(result), before, after, marks))
        click.echo(f"{number + 1} of {len(DRIVERS) * repeats}: {driver} {trials[-1].bench}, by hand {after}", err=True)
        before = after
    return trials


def agreements(trials: Sequence[Trial]) -> list[Agreement]:
    """The ratios of each driver in each scenario."""
    return [
        Agreement(driver, scenario, tuple(trial.ratio(scenario) for trial in trials if trial.driver == driver))
        for driver in DRIVERS
        for scenario in SCENARIOS
    ]


def table(found: Sequence[Agreement]) -> str:
    """Lines for people, as Markdown."""
    head = "| driver | scenario | bench / by hand, median | least | most | within 3 % |\n|---|---|---|---|---|---|"
    rows = [
        f"| {one.driver} | {one.scenario} | {one.median:.4f} | {min(one.ratios):.4f} | {max(one.ratios):.4f} |"
        f" {'yes' if one.holds else 'NO'} |"
        for one in found
    ]
    return "\n".join((head, *rows))


def machine() -> dict[str, object]:
    """What it was measured on."""
    return {"cpu": cpu_model(), "isa": isa(), "cores": usable_cores(), "python": platform.python_version()}


@click.command()
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
@click.option("--variant", help="[default: the first of the bundle]")
@click.option("--seconds", default=40.0, show_default=True, help="Budget of each run of the bench.")
@click.option("--repeats", default=2, show_default=True, type=click.IntRange(1), help="Runs of the bench by driver.")
@click.option("--out", type=click.Path(path_type=Path), help="Write all figures there, as JSON.")
def main(bundle: Path, variant: str | None, seconds: float, repeats: int, out: Path | None) -> None:
    """Hold the bench's SingleStream and Offline figures of BUNDLE against the load generator's, run by hand."""
    manifest = read_manifest(bundle)
    variant = variant or manifest.variants[0].name
    with tempfile.TemporaryDirectory() as name:
        texts = Path(name, "texts.txt")
        made_up = made_up_texts(TextTokenizer(bundle / manifest.tokenizer.file, manifest.tokenizer))
        texts.write_text("".join(f"{text}\n" for text in made_up), encoding="utf-8")
        trials = compare(bundle, variant, texts, seconds, repeats, Path(name))
    found = agreements(trials)
    click.echo(table(found))
    if out:
        record = {
            "edgener": __version__, "bundle": manifest.name, "variant": variant, "machine": machine(),
            "seconds": seconds, "allowed": ALLOWED,
            "agreements": [dataclasses.asdict(one) | {"median": one.median, "holds": one.holds} for one in found],
            "trials": [dataclasses.asdict(trial) for trial in trials],
        }  # fmt: skip
        write_atomic(out, json.dumps(record, indent=2) + "\n")
    sys.exit(0 if all(one.holds for one in found) else 1)


if __name__ == "__main__":
    main()
