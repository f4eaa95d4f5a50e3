"""`edgener export`: a verified bundle from a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgener.cli.labelled import read_noted_split
from edgener.cli.options import (
    data_options,
    data_settings,
    label_options,
    label_settings,
    threads_option,
    untested_option,
)
from edgener.cli.tables import narrow_table, print_table, stacked
from edgener.data.calibration import calibration_text, search_text
from edgener.data.read import SPLITS, DataSpec
from edgener.parity.budgets import Budget, with_default
from edgener_exporters.calibrate.measurement_cache import cache_folder
from edgener_exporters.variants import DEFAULT, SETS, Variant, select_variants
from edgener_runtime.base.serde import to_dict
from edgener_runtime.bundle.slim import can_replace
from edgener_runtime.cli.options import RenamedOption, option_arguments
from edgener_runtime.errors import ExportError

from .budgets import budget_options, budget_settings
from .calibration import calibration_options

if TYPE_CHECKING:
    from edgener.labels import LabelChoice
    from edgener.parity.compare import ParityReport
    from edgener.pipeline import ExportResult, ExportSpec
    from edgener.progress import Track
    from edgener_runtime.bundle.manifest import VariantEntry


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the bundle.")
@click.option(
    "--variant", "variants", cls=RenamedOption, old={"--variants": {}}, default=DEFAULT, show_default=True,
    help="Names separated by commas; all; or auto.",
)  # fmt: skip
@data_options
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True, help="Split to judge on.")
@label_options
@budget_options
@click.option(
    "--exporter",
    type=click.Choice(("torch", "optimum")),
    default="torch",
    show_default=True,
    help="Exporter of the FP32 graph.",
)
@calibration_options
@click.option(
    "--plan",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Result of edgener search for the variant mixed [default: search now].",
)
@click.option(
    "--timings",
    metavar="BUNDLE",
    type=click.Path(path_type=Path, file_okay=False),
    help="Copy speeds from this bundle [default: measure them now].",
)
@click.option(
    "--no-texts", is_flag=True, help="Leave out diff/ and other sentences of the data; golden vectors are samples."
)
@click.option(
    "--slim", is_flag=True, help="Write only the fastest variant and what it needs, as edgener-runtime slim does."
)
@untested_option
@threads_option
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def export(
    checkpoint: Path, out: Path, variants: str, data: DataSpec, split: str, labels: LabelChoice,
    budgets: tuple[Budget, ...], exporter: str, calibration: str | None, calibration_method: str, plan: Path | None,
    timings: Path | None, no_texts: bool, slim: bool, untested: bool, threads: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Export, quantise and verify a checkpoint as a bundle.

    Every variant is compared with PyTorch on real text. Exit 0: all variants pass, and the bundle is written. Exit 3: a
    variant fails. Exit 4: the text is too short for a verdict, and the message says how much text is enough. With exit
    3 or 4 nothing is written.

    A variant passes if the whole 95 % confidence interval of its loss is within the budget; a budget of 0 means no loss
    on this text. Text without entities is judged by --max-churn and --max-batch-effect. FP32 must not change any label.

    --variant all tries every variant; auto tries FP32 and the fastest mix of precisions (edgener search). Variants of
    these two sets that do not pass or cannot be built are left out of the bundle, and the reason is printed.

    The table of encoders in docs/reference/supported.md lists the architectures that are supported. --untested tries
    others, and the bundle's manifest says so.

    \b
    Examples:
      edgener export out/checkpoint --out out/bundle --variant fp32,int8-dynamic --data builtin:factory
      edgener export out/checkpoint --out out/bundle --variant auto --data conll2003 --max-churn 0.01
      edgener export their/checkpoint --out out/bundle --data texts.txt --max-churn 0.01
      edgener export out/checkpoint --out out/bundle --variant int8-dynamic --slim --data builtin:factory
    """
    chosen = select_variants(variants)
    if plan and not any(variant.planned for variant in chosen):
        raise click.UsageError(f"--plan is for the variant mixed, --variant names {variants}")
    _check_slim(chosen if slim else ())
    dataset = read_noted_split(data, split)
    calibrated = any(variant.calibrated for variant in chosen)
    text = calibration_text(data, calibration, dataset) if calibrated else None
    budgets = with_default(budgets, bool(dataset.labels))
    from edgener.checkpoint import data_record
    from edgener.pipeline import ExportSpec, RefusedVariantsError, export_bundle, export_slim
    from edgener.progress import tracked
    from edgener.threads import decide_threads, limit_pytorch

    threads = decide_threads(threads)
    arguments = option_arguments((
        ("variant", variants), ("split", split), *budget_settings(budgets), ("exporter", exporter),
        ("calibration", data_record(text).source if text and calibration else None),
        ("calibration_method", calibration_method if text else None), *data_settings(data),
        *label_settings(labels), ("no_texts", no_texts), ("untested", untested), ("threads", limit_pytorch(threads)),
    ))  # fmt: skip
    spec = ExportSpec(
        chosen, dataset, budgets, exporter, tuple(arguments), text, calibration_method, cache_folder(),
        keep_passing=variants.strip() in SETS, timed=True, drawn=True, timings=timings, threads=threads,
        labels=labels, untested=untested, texts=not no_texts,
    )  # fmt: skip
    try:
        with tracked() as track:
            spec = _with_plan(spec, plan, checkpoint, data, track)
            result = (export_slim if slim else export_bundle)(checkpoint, out, spec, track)
    except RefusedVariantsError as refused:
        _render(refused.result, as_json, written=False)
        raise
    _render(result, as_json, written=True)


def _check_slim(chosen: Sequence[Variant]) -> None:
    """Raise UsageError where a variant that may be kept has none beside it for devices without its operators."""
    for variant in chosen:
        stock = [other for other in chosen if can_replace(other.requirements, variant.requirements)]
        if variant.requirements.operators and not stock:
            raise click.UsageError(
                f"{variant.name} needs edgener-ops: --slim keeps one without too: --variant {variant.name},fp32"
            )


def _with_plan(spec: ExportSpec, plan: Path | None, checkpoint: Path, data: DataSpec, track: Track) -> ExportSpec:
    """The spec with the plan of the variant mixed: from its file, or searched now where a variant is planned.

    A set of variants goes without mixed where no plan can be found.
    """
    from edgener.checkpoint import read_config
    from edgener.pipeline import buildable
    from edgener.search import SearchSpec, read_search, search_precision
    from edgener_exporters.architectures import find_architecture

    spec = buildable(spec, find_architecture(read_config(checkpoint), spec.untested))
    if plan:
        return replace(spec, search=read_search(plan))
    if not spec.calibration or not any(variant.planned for variant in spec.variants):
        return spec
    text = search_text(data, spec.dataset)
    search = SearchSpec(
        text, spec.calibration, spec.budgets, spec.calibration_method, spec.exporter, spec.cache,
        spec.labels, spec.untested,
    )  # fmt: skip
    try:
        return replace(spec, search=search_precision(checkpoint, search, track))
    except ExportError as error:
        if not spec.keep_passing:
            raise
        return spec.without({variant.name: error.message for variant in spec.variants if variant.planned})


def _render(result: ExportResult, as_json: bool, written: bool) -> None:
    if as_json:
        record = {
            "bundle": result.bundle if written else None,
            "labels": to_dict(result.manifest.label_set),
            "variants": [to_dict(variant) for variant in result.manifest.variants] if written else [],
            "parity": [report.record() for report in result.reports],
            "not_built": dict(result.not_built),
            "notes": list(result.notes),
        }
        click.echo(json.dumps(record, indent=2))
        return
    from rich.console import Console

    from edgener.labels import describe

    columns = ("variant", "MB\nms", "F1, change\n95 % interval", "churn", "batch\neffect", "verdict")
    title = f"against PyTorch on {result.reports[0].data}"
    table = narrow_table(*columns, title=title, wraps=("variant", "verdict"))
    entries = {entry.name: entry for entry in result.manifest.variants}
    for report in result.reports:
        table.add_row(report.variant, _size_and_speed(entries.get(report.variant)), *_figures(report))
    console = Console(markup=False, emoji=False)
    print_table(console, table)
    console.print(describe(result.manifest.label_set), highlight=False, soft_wrap=True)
    for note in result.notes:
        console.print(f"note: {note}", highlight=False)
    if written:
        for line in _left_out(result):
            console.print(line, highlight=False)
        for line in _output_lines(Path(result.bundle)):
            console.print(line, highlight=False, soft_wrap=True)


def _output_lines(bundle: Path) -> Iterator[str]:
    yield f"bundle: {bundle}"
    if (page := bundle / "report.html").exists():  # not of a slim one
        yield f"report: {page}"


def _figures(report: ParityReport) -> tuple[str, ...]:
    """F1 with its difference to PyTorch, churn and batch effect with their intervals, and the verdict."""
    found = report.estimates
    f1 = "" if found.overall.f1 is None else f"{found.overall.f1:.4f} "
    return (
        f1 + stacked(found.overall.f1_difference, "{:+z.4f}"),
        stacked(found.overall.churn, "{:.2%}"),
        stacked(found.batch_effect, "{:.2%}"),
        report.verdict.value,
    )


def _left_out(result: ExportResult) -> Iterator[str]:
    """The variants that are not in the bundle, with the reasons, and whether the architecture is supported."""
    from edgener.parity.gate import Verdict, explain

    yield from (f"left out (not built): {name}: {reason}" for name, reason in result.not_built.items())
    if result.manifest.untested:
        yield f"untested: no test of edgener covers {result.manifest.architecture} models; the manifest says so"
    included = {entry.name for entry in result.manifest.variants}
    for report in result.reports:
        if report.variant not in included:
            reasons = [judged for judged in report.judgements if judged.verdict is not Verdict.PASS]
            yield from (f"left out ({judged.verdict}): {explain(report.variant, judged)}" for judged in reasons)


def _size_and_speed(entry: VariantEntry | None) -> str:
    """Megabytes, and below them milliseconds per text alone, of a variant of the bundle that was timed here."""
    if entry is None:
        return "-\n-"
    return f"{entry.file.size / 1e6:.1f}\n" + (f"{entry.speed.latency_ms.median:.2f}" if entry.speed else "-")
