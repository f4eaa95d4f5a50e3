"""Does `edgener-runtime bench` agree with MLPerf's load generator run by hand on the same bundle?

    python benchmarks/loadgen_agreement.py BUNDLE --out FILE.json

The benchmark's worker, with either of its drivers, and loadgen_by_hand.py take turns in one process on the same texts,
so that other activity of the machine affects all of them; the next process loads them in another order. A turn has one
seed for all, because the drawn texts decide the tail. A ratio is a turn of the benchmark over the one by hand beside
it. The exit code is 1 if a median ratio is off by more than 3 %. It takes a quarter of an hour; run nothing beside
it.
"""

from __future__ import annotations

import dataclasses
import json
import platform
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from loadgen_by_hand import run_by_hand

from edgener.progress import tracked
from edgener_runtime import TokenClassifier, __version__
from edgener_runtime.base.files import write_atomic
from edgener_runtime.base.serde import from_json
from edgener_runtime.base.tables import markdown_table
from edgener_runtime.bundle.manifest import read_manifest
from edgener_runtime.commissioning.bench.drivers.scenarios import SCENARIOS as MLPERF
from edgener_runtime.commissioning.bench.job import MEASURED, RoundRequest, WorkerJob
from edgener_runtime.commissioning.bench.results.record import Interval, Round
from edgener_runtime.commissioning.bench.results.statistics import figures, interval_of_median
from edgener_runtime.commissioning.bench.spec import Spec
from edgener_runtime.commissioning.bench.system_under_test import BundleVariant
from edgener_runtime.commissioning.bench.worker import Worker
from edgener_runtime.commissioning.bench.workloads import make_workloads, write_workloads
from edgener_runtime.commissioning.tune import synthetic_texts
from edgener_runtime.machine.cpu import cpu_model, isa, usable_cores
from edgener_runtime.text.tokenize import TextTokenizer

ALLOWED = 0.03
DRIVERS = ("loadgen", "builtin")
SCENARIOS = ("single-stream", "offline")
HAND = "by hand"
Measure = Callable[[str, int], float]
TurnFigures = dict[str, dict[str, float]]  # of a turn: by scenario and measure


@dataclass(frozen=True)
class Agreement:
    """All ratios of a driver in a scenario, and their median with its interval."""

    driver: str
    scenario: str
    ratio: Interval
    ratios: tuple[float, ...]

    @property
    def holds(self) -> bool:
        """Whether the median is near enough to 1."""
        return abs(self.ratio.value - 1) <= ALLOWED


@click.command()
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
@click.option("--variant", help="[default: the first of the bundle]")
@click.option("--processes", default=8, show_default=True, type=click.IntRange(1))
@click.option("--turns", default=20, show_default=True, type=click.IntRange(1), help="Of each, in each process.")
@click.option("--seconds", default=0.5, show_default=True, help="Of a turn.")
@click.option("--seed", type=int, hidden=True, help="Be one of the processes.")
@click.option("--out", type=click.Path(path_type=Path), help="Write all figures there, as JSON.")
def main(
    bundle: Path, variant: str | None, processes: int, turns: int, seconds: float, seed: int | None, out: Path | None
) -> None:
    """Compare the benchmark's SingleStream and Offline figures of BUNDLE with the load generator's, run by hand."""
    manifest = read_manifest(bundle)
    variant = variant or manifest.variants[0].name
    if seed is not None:
        click.echo(json.dumps(take_turns(bundle, variant, turns, seconds, seed)))
        return
    measured: list[TurnFigures] = []
    with tracked() as track:
        step = track("processes", processes)
        for number in range(processes):
            command = [sys.executable, __file__, bundle, "--variant", variant, "--turns", turns, "--seconds", seconds]
            measured += json.loads(check_output(*command, "--seed", number))
            step()
    found = [agreement(measured, driver, scenario) for driver in DRIVERS for scenario in SCENARIOS]
    click.echo(table(found))
    if out:
        record = {
            "edgener": __version__, "bundle": manifest.name, "variant": variant, "machine": machine(),
            "processes": processes, "turns": turns, "seconds": seconds, "allowed": ALLOWED,
            "agreements": [dataclasses.asdict(one) | {"holds": one.holds} for one in found], "measured": measured,
        }  # fmt: skip
        write_atomic(out, json.dumps(record, indent=1) + "\n")
    sys.exit(0 if all(one.holds for one in found) else 1)


def check_output(*command: object) -> str:
    """The stdout of a command."""
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def take_turns(bundle: Path, variant: str, turns: int, seconds: float, seed: int) -> list[TurnFigures]:
    """All turns of a process, with the measures in a new random order each time."""
    order = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        measures = loaded(bundle, variant, seconds, Path(folder), order)
        return [
            {
                scenario: {name: measures[name](scenario, turn) for name in order.sample(list(measures), len(measures))}
                for scenario in SCENARIOS
            }
            for turn in range(turns)
        ]


def loaded(bundle: Path, variant: str, seconds: float, folder: Path, order: random.Random) -> dict[str, Measure]:
    """The measures, each with its own loaded variant."""
    settings = read_manifest(bundle).tokenizer
    tokenizer = TextTokenizer(bundle / settings.file, settings)
    texts = synthetic_texts(tokenizer)
    workloads, _ = write_workloads(make_workloads(Spec(str(bundle)), tokenizer), folder)

    def by_hand() -> Measure:
        classifier = TokenClassifier.load(bundle, "cpu", variant)
        return lambda scenario, turn: run_by_hand(classifier, texts, scenario, seconds, turn)

    makers: dict[str, Callable[[], Measure]] = {HAND: by_hand}
    for driver in DRIVERS:
        makers[driver] = lambda driver=driver: benched(bundle, variant, workloads, driver, seconds)  # type: ignore[misc]
    return {name: makers[name]() for name in order.sample(list(makers), len(makers))}


def benched(bundle: Path, variant: str, workloads: Path, driver: str, seconds: float) -> Measure:
    """The figure of the benchmark's worker, calculated like a row's; a turn draws the texts of its own seed."""
    job = WorkerJob(str(bundle), variant, "cpu", None, str(workloads), driver, 0, ())
    model = BundleVariant(job)

    def measure(scenario: str, turn: int) -> float:
        events: list[dict[str, Any]] = []
        asked = dataclasses.replace(job, seed=turn, rounds=(RoundRequest(0, 0, scenario, 1, 0.0, seconds),))
        Worker(asked, lambda _: model, events.append).run()
        measured_round = next(
            from_json(Round, json.dumps(event["round"]), driver) for event in events if event["event"] == MEASURED
        )
        return figures(MLPERF[scenario], [measured_round]).metric.value

    return measure


def agreement(measured: Sequence[TurnFigures], driver: str, scenario: str) -> Agreement:
    """The ratios of a driver to what was measured by hand in the same turn."""
    ratios = tuple(turn[scenario][driver] / turn[scenario][HAND] for turn in measured)
    return Agreement(driver, scenario, interval_of_median(ratios), ratios)


def table(found: Sequence[Agreement]) -> str:
    """Lines for people, as Markdown."""
    columns = ("driver", "scenario", "bench / by hand, median", "its interval", "median within 3 %")
    rows = (
        (
            one.driver,
            one.scenario,
            f"{one.ratio.value:.4f}",
            f"{one.ratio.low:.4f} to {one.ratio.high:.4f}",
            "yes" if one.holds else "NO",
        )
        for one in found
    )
    return markdown_table(columns, rows).rstrip("\n")


def machine() -> dict[str, object]:
    """The machine of the measurement."""
    return {"cpu": cpu_model(), "isa": isa(), "cores": usable_cores(), "python": platform.python_version()}


if __name__ == "__main__":
    main()
