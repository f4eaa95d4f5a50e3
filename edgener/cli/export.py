"""`edgener export`: from checkpoint to bundle, with one verdict."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgener.cache import cache_folder
from edgener.data.calibration import calibration_text
from edgener.data.read import SPLITS, DataSpec, read_split
from edgener_exporters.variants import DEFAULT, select_variants

from .options import data_arguments, data_options

if TYPE_CHECKING:
    from edgener.pipeline import ExportResult


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the bundle.")
@click.option("--variants", default=DEFAULT, show_default=True, help="Names separated by commas, or all.")
@data_options
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True, help="Text to judge on.")
@click.option(
    "--max-f1-drop", type=float, default=0.005, show_default=True, help="Entity F1 a quantised form may lose."
)
@click.option(
    "--exporter", type=click.Choice(("torch", "optimum")), default="torch", show_default=True, help="Of FP32."
)
@click.option(
    "--calibration",
    metavar="SOURCE",
    help="Text that ranges are measured on, not the test set [default: of train].",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def export(
    checkpoint: Path, out: Path, variants: str, data: DataSpec, split: str, max_f1_drop: float, exporter: str,
    calibration: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Export CHECKPOINT to ONNX, quantise it, hold every form against PyTorch on real text, and write a bundle.

    Exit 0: every variant is within bounds and the bundle stands. Exit 3: one is not, and nothing was written.

    \b
    Example:
      edgener export out/checkpoint --out out/bundle --variants fp32,int8-dynamic --data builtin:factory
    """
    chosen = select_variants(variants)
    dataset = read_split(data, split)
    calibrated = any(variant.calibrated for variant in chosen)
    text = calibration_text(data, calibration, dataset) if calibrated else None

    from edgener.checkpoint import data_record
    from edgener.pipeline import ExportSpec, RefusedVariantsError, export_bundle
    from edgener.progress import tracked

    names = ",".join(variant.name for variant in chosen)
    arguments = ["--variants", names, "--split", split, "--max-f1-drop", str(max_f1_drop), "--exporter", exporter]
    arguments += ["--calibration", data_record(text).source] if text and calibration else []
    arguments += data_arguments(data)
    spec = ExportSpec(chosen, dataset, max_f1_drop, exporter, tuple(arguments), text, cache_folder())
    try:
        with tracked() as track:
            result = export_bundle(checkpoint, out, spec, track)
    except RefusedVariantsError as refused:
        _render(refused.result, as_json, written=False)
        raise
    _render(result, as_json, written=True)


def _render(result: ExportResult, as_json: bool, written: bool) -> None:
    if as_json:
        reports = [dataclasses.asdict(report) for report in result.reports]
        sizes = {variant.name: variant.file.size for variant in result.manifest.variants}
        click.echo(
            json.dumps({"bundle": result.bundle if written else None, "sizes": sizes, "parity": reports}, indent=2)
        )
        return
    from rich.console import Console
    from rich.table import Table

    from edgener.parity.report import COLUMNS, row

    table = Table("variant", "MB", *COLUMNS[1:], title=f"against PyTorch on {result.reports[0].data}")
    for report in result.reports:
        size = result.manifest.variant(report.variant).file.size / 1e6
        name, *figures = row(report)
        table.add_row(name, f"{size:.1f}", *figures)
    console = Console()
    console.print(table)
    if written:
        console.print(f"bundle: {result.bundle}", highlight=False, soft_wrap=True)
