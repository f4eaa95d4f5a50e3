"""`edgener compress`: a smaller and faster checkpoint for a target."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgener.cli.labelled import read_noted_splits
from edgener.cli.options import data_options, threads_option
from edgener.cli.tables import narrow_table, print_table, stacked
from edgener.data.read import DataSpec
from edgener_exporters.variants import Variant, select_variants
from edgener_runtime.cli.options import FiniteRange
from edgener_runtime.errors import UserInputError
from edgener_runtime.machine.devices import CPU

if TYPE_CHECKING:
    from edgener.compress.result import CompressedModel, CompressionResult

_ABOVE_0 = FiniteRange(min=0, min_open=True)


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@data_options
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the smaller checkpoint."
)
@click.option("--target-ms", type=_ABOVE_0, help="Longest time of a text alone on this CPU, in milliseconds.")
@click.option("--target-mb", type=_ABOVE_0, help="Largest file of the variant, in MB.")
@click.option(
    "--max-f1-drop",
    type=FiniteRange(0, 1),
    default=0.01,
    show_default=True,
    help="Largest loss of entity F1 on the valid split.",
)
@click.option("--variant", default="int8-dynamic", show_default=True, help="Variant that is timed and judged.")
@click.option(
    "--corpus", metavar="FILE", help="Texts whose subwords the vocabulary keeps too: lines, or JSON Lines with text."
)
@click.option(
    "--max-unknown",
    type=FiniteRange(0, 1),
    default=0.05,
    show_default=True,
    help="Largest share of the subwords of valid that a smaller vocabulary may change.",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="YAML file of training settings [default: those of the checkpoint].",
)
@click.option("--epochs", type=int, help="Passes over the training split per candidate [default: the checkpoint's].")
@threads_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def compress(
    checkpoint: Path, data: DataSpec, out: Path, target_ms: float | None, target_mb: float | None, max_f1_drop: float,
    variant: str, corpus: str | None, max_unknown: float, config_file: Path | None, epochs: int | None,
    threads: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Compress a checkpoint to a target of time or size.

    Layers and feed-forward neurons are left out, and with --target-mb subwords that neither the train split nor
    --corpus uses. Size and time of every candidate are measured in the runtime before any is trained. The largest
    candidates within the target are trained with CHECKPOINT as the teacher, then judged on the valid split. The test
    split scores the chosen one, once. The same command continues an interrupted compression.

    Exit 0: the target is met. Exit 3: it is not; the nearest candidate is written, and the message says what it misses.

    \b
    Examples:
      edgener compress out/checkpoint --data builtin:factory --target-mb 2 --out out/small
      edgener compress out/checkpoint --data conll2003 --target-ms 1.0 --max-f1-drop 0.005 --out out/fast
    """
    if target_ms is None and target_mb is None:
        raise click.UsageError("give a target: --target-ms 1.0, --target-mb 12, or both")
    if corpus and target_mb is None:
        raise click.UsageError("--corpus is for a smaller vocabulary, which --target-mb asks for")
    chosen = _measurable(variant)
    splits = read_noted_splits(data)

    from edgener.threads import decide_threads, limit_pytorch

    given = {name: value for name, value in (("epochs", epochs), ("threads", threads)) if value is not None}
    limit_pytorch(decide_threads(threads))
    from edgener.checkpoint import open_checkpoint
    from edgener.compress.recovery import recovery_settings
    from edgener.compress.result import Target
    from edgener.compress.run import CompressionSpec
    from edgener.compress.run import compress as run
    from edgener.progress import tracked
    from edgener.train.run import train
    from edgener_runtime.text.inputs import read_records

    texts = tuple(record["text"] for record in read_records(corpus)) if corpus else ()
    config = recovery_settings(open_checkpoint(checkpoint), config_file, given)
    spec = CompressionSpec(splits, chosen, Target(target_ms, target_mb, max_f1_drop), config, texts, max_unknown)
    with tracked() as track:
        result = run(checkpoint, out, spec, train, lambda line: click.echo(line, err=True), track)
    _report(result, out, as_json)


def _measurable(name: str) -> Variant:
    """The one variant to measure. Raises UserInputError where it cannot be built and run here alone."""
    found = select_variants(name)
    if len(found) != 1:
        raise UserInputError(f"--variant names {len(found)} variants", "Name one: --variant int8-dynamic")
    if found[0].planned or CPU not in found[0].requirements.providers:
        reason = "it needs a search" if found[0].planned else "it does not run on a CPU"
        raise UserInputError(f"--variant {name} cannot be timed here: {reason}", "Name int8-dynamic or fp32.")
    return found[0]


def _report(result: CompressionResult, out: Path, as_json: bool) -> None:
    """Print the result and draw its chart. Raises ParityError where the target is missed."""
    from edgener.compress.chart import draw_compression
    from edgener.compress.result import verdict
    from edgener_runtime.base.serde import to_json
    from edgener_runtime.errors import ParityError

    chart = draw_compression(result, out)
    if as_json:
        click.echo(to_json(result), nl=False)
    else:
        _print(result, out, chart)
    if result.misses:
        raise ParityError(verdict(result), "The nearest was written. To allow more: --max-f1-drop, or another target.")


def _print(result: CompressionResult, out: Path, chart: Path) -> None:
    from rich.console import Console

    from edgener.compress.result import verdict

    columns = ("candidate", "MB", "ms", "F1 before\ntraining", "F1", "change\n95 % interval", "churn", "front")
    title = f"{result.variant} on {result.data['valid'].source} (valid), on a CPU with {result.isa}"
    table = narrow_table(*columns, title=title, wraps=("candidate",))
    for each in result.candidates:
        style = "bold" if each.name == result.chosen else None
        table.add_row(*_row(each), "yes" if each.name in result.front else "", style=style)
    console = Console(markup=False, emoji=False)
    print_table(console, table)
    lines = [*_vocabulary_lines(result), *(f"note: {note}" for note in result.notes), *_test_lines(result)]
    lines += [] if result.misses else [verdict(result)]
    for line in (*lines, f"checkpoint: {out}", f"chart:      {chart}"):
        console.print(line, highlight=False, soft_wrap=True)


def _row(candidate: CompressedModel) -> tuple[str, ...]:
    figures = (candidate.name, f"{candidate.mb:.1f}", f"{candidate.ms:.2f}")
    before = "-" if candidate.f1_before is None else f"{candidate.f1_before:.4f}"
    if candidate.answers is None:
        return (*figures, before, "-", "-", "-")
    found = candidate.answers
    change, churn = stacked(found.f1_difference, "{:+z.4f}"), f"{found.churn.value:.2%}" if found.churn else "-"
    return (*figures, before, f"{found.f1:.4f}", change, churn)


def _vocabulary_lines(result: CompressionResult) -> list[str]:
    found = result.vocabulary
    if found is None:
        return []
    return [
        f"vocabulary: {found.after:,} of {found.before:,} subwords; {found.changed:.2%} of the subwords of "
        f"{found.split} change, {found.unknown:.2%} become unknown"
    ]


def _test_lines(result: CompressionResult) -> list[str]:
    if (found := result.test) is None:
        return []
    change = found.f1_difference
    spread = f" ({change.value:+.4f}, 95 % interval {change.low:+.4f} to {change.high:+.4f})" if change else ""
    return [f"{result.chosen} on {found.split}: F1 {found.f1:.4f}{spread}"]
