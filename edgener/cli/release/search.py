"""`edgener search`: the fastest mix of precisions within the budgets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgener.cli.labelled import read_noted_split
from edgener.cli.options import data_options, label_options, untested_option
from edgener.cli.tables import narrow_table, print_table
from edgener.data.calibration import calibration_text
from edgener.data.read import DataSpec
from edgener.parity.budgets import Budget, with_default
from edgener_exporters.calibrate.measurement_cache import cache_folder

from .budgets import budget_options
from .calibration import calibration_options

if TYPE_CHECKING:
    from edgener.labels import LabelChoice
    from edgener.search import SearchResult, SearchTrial


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the result to this JSON file, and its picture as SVG and PNG beside it.",
)
@data_options
@click.option(
    "--split", type=click.Choice(("valid", "train")), default="valid", show_default=True, help="Split to try on."
)
@label_options
@budget_options
@calibration_options
@untested_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def search(
    checkpoint: Path, out: Path | None, data: DataSpec, split: str, labels: LabelChoice, budgets: tuple[Budget, ...],
    calibration: str | None, calibration_method: str, untested: bool, as_json: bool,
) -> None:  # fmt: skip
    """Find the fastest mix of precisions within the budgets.

    The search measures every matrix product of CHECKPOINT on this CPU with every kernel (FP32, weight-only, static,
    row-wise and dynamic INT8): the noise in the logits, and the time. Then it tries the mixes with the best trade of
    noise for time on real text, from FP32 to the fastest. The default budget of churn is 0.01. Measurements are cached:
    an interrupted search resumes.

    Exit 0: the chosen mix is within the budgets. Exit 3: none is. Exit 4: the text is too short for a verdict.

    \b
    Example:
      edgener search out/checkpoint --data builtin:factory --max-churn 0.02 --out out/search.json
      edgener export out/checkpoint --out out/bundle --data builtin:factory --variant mixed,fp32 --plan out/search.json
    """
    dataset = read_noted_split(data, split)
    text = calibration_text(data, calibration, dataset)
    budgets = with_default(budgets, bool(dataset.labels))

    from edgener.parity.gate import EXIT_CODES, Verdict
    from edgener.progress import tracked
    from edgener.report.pictures import draw_search
    from edgener.search import SearchSpec, search_precision
    from edgener_runtime.base.serde import to_json
    from edgener_runtime.cli.results import check_result_file, write_result
    from edgener_runtime.errors import ParityError

    if out:
        check_result_file(out)
    spec = SearchSpec(
        dataset, text, budgets, calibration_method, cache=cache_folder(), labels=labels, untested=untested
    )
    with tracked() as track:
        result = search_precision(checkpoint, spec, track)
    if out:
        write_result(out, to_json(result))
        draw_search(result.trials, result.data, out.with_suffix(".svg"), out.with_suffix(".png"))
    if as_json:
        click.echo(to_json(result), nl=False)
    else:
        _print(result, out)
    if (verdict := Verdict(result.best.verdict)) is not Verdict.PASS:
        refused = ParityError(
            f"no mix passes on {result.data}: the verdict of the chosen one is {verdict}",
            "Search on more text, or allow more: --max-churn 0.02",
        )
        refused.exit_code = EXIT_CODES[verdict]
        raise refused


def _print(result: SearchResult, out: Path | None) -> None:
    from rich.console import Console

    columns = ("mix", "products", "MB", "subw/s", "ms", "F1 lost", "churn", "verdict")
    title = f"tried on {result.data}, on a CPU with {result.isa}"
    table = narrow_table(*columns, title=title, wraps=("mix", "products", "verdict"))
    for trial in result.trials:
        table.add_row(*_row(trial), style="bold" if trial.name == result.chosen else None)
    console = Console(markup=False, emoji=False)
    print_table(console, table)
    for role, reason in result.reasons.items():
        console.print(f"{role} stays in FP32: {reason}", highlight=False)
    if out:
        picture = out.with_suffix(".png")
        console.print(f"plan:  {out}\nchart: {picture}", highlight=False, soft_wrap=True)


def _row(trial: SearchTrial) -> tuple[str, ...]:
    """The bare figures of a trial; the JSON and the picture have the intervals."""
    speed, lost, churn = trial.speed, trial.f1_difference, trial.churn
    return (
        trial.name,
        ", ".join(f"{count} {kernel.removeprefix('int8-')}" for kernel, count in trial.kernels.items()),
        f"{trial.size / 1e6:.1f}",
        f"{speed.throughput.median:,.0f}" if speed else "-",
        f"{speed.latency_ms.median:.2f}" if speed else "-",
        f"{-lost.value:z.4f}" if lost else "-",
        f"{churn.value:.2%}" if churn else "-",
        trial.verdict,
    )
