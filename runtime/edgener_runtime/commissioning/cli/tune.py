"""`edgener-runtime tune`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import click

from edgener_runtime.base.serde import to_json
from edgener_runtime.cli.console import write_line
from edgener_runtime.cli.options import FiniteRange
from edgener_runtime.inference.tuning import GOALS, TuningRecord, TuningTrial
from edgener_runtime.text.inputs import FORMATS, read_records

_TEXTS = 512  # of an input file


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--goal", type=click.Choice(GOALS), default="latency", show_default=True, help="What to optimise.")
@click.option("--seconds", type=FiniteRange(1), default=60, show_default=True, help="Approximate duration, at least 1.")
@click.option("--input", "source", metavar="FILE", help="Texts like those in production [default: synthetic ones].")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="auto", show_default=True, help="Format of the input."
)
@click.option("--variant", default="auto", show_default=True, help="Variant of the bundle.")
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
def tune(bundle: Path, goal: str, seconds: float, source: str | None, form: str, variant: str, as_json: bool) -> None:
    """Tune threads, batches and spinning for this machine's CPU.

    The result is written beside BUNDLE, as BUNDLE.tuning.json, and used by everything that loads it on this machine,
    as long as its CPU, cores, onnxruntime and the variant stay the same. The goals: latency of one text, texts per
    second, or power (the least CPU time per text).

    \b
    Examples:
      edgener-runtime tune out/bundle
      edgener-runtime tune out/bundle --goal throughput --input orders.txt
    """
    from edgener_runtime.cli.results import check_result_file, write_result
    from edgener_runtime.inference.tuning import tuning_file

    file = tuning_file(bundle)
    check_result_file(file)
    record = _tune(bundle, goal, seconds, source, form, variant)
    write_result(file, to_json(record))
    if as_json:
        write_line(to_json(record).rstrip("\n"))
        return
    for line in _table(record.trials):
        write_line(line)
    write_line(f"{file}: best for {goal} of {len(record.trials)} tunings tried")


def _tune(bundle: Path, goal: str, seconds: float, source: str | None, form: str, variant: str) -> TuningRecord:
    from edgener_runtime.backends.base import Tuning
    from edgener_runtime.backends.choose import choose_variant
    from edgener_runtime.bundle.verify import verify_bundle
    from edgener_runtime.commissioning.tune import candidates, synthetic_texts, trial_count
    from edgener_runtime.commissioning.tune import tune as find_best
    from edgener_runtime.inference.tuning import fingerprint
    from edgener_runtime.machine.cpu import usable_cores
    from edgener_runtime.pipeline import TokenClassifier
    from edgener_runtime.text.tokenize import TextTokenizer

    manifest = verify_bundle(bundle)
    entry, _ = choose_variant(manifest, variant, "cpu")
    texts = (
        [record["text"] for record in islice(read_records(source, form), _TEXTS)]
        if source
        else synthetic_texts(TextTokenizer(bundle / manifest.tokenizer.file, manifest.tokenizer))
    )
    tunings = candidates(goal, usable_cores())

    def open_with(tuning: Tuning) -> TokenClassifier:
        return TokenClassifier(bundle, manifest, entry, "cpu", tuning)

    steps = trial_count(len(tunings))
    with click.progressbar(length=steps, label="tuning", file=sys.stderr) as bar:
        best, trials = find_best(open_with, tunings, goal, texts, seconds, lambda trial: bar.update(1))
    return TuningRecord(goal, entry.name, fingerprint(entry), best, trials)


def _table(trials: Sequence[TuningTrial]) -> Iterator[str]:
    """One line per trial, within 80 columns."""
    rows = [tuple(_COLUMNS), *(tuple(cell(trial) for cell in _COLUMNS.values()) for trial in trials)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))


_COLUMNS: dict[str, Callable[[TuningTrial], str]] = {
    "threads": lambda trial: str(trial.tuning.threads),
    "batches": lambda trial: str(trial.tuning.workers),
    "each": lambda trial: str(trial.tuning.threads_each if trial.tuning.workers > 1 else trial.tuning.threads),
    "subwords": lambda trial: str(trial.tuning.batch_subwords),
    "spinning": lambda trial: "yes" if trial.tuning.spinning else "no",
    "ms/text": lambda trial: f"{trial.latency_ms:.2f}",
    "texts/s": lambda trial: f"{trial.texts_per_second:.0f}",
    "CPU ms/text": lambda trial: f"{trial.cpu_ms:.2f}",
}
