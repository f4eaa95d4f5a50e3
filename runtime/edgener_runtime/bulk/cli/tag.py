"""`edgener-runtime tag`."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgener_runtime.base.serde import to_dict
from edgener_runtime.bulk.formats.table import AUTO, FORMATS
from edgener_runtime.bulk.progress import ProgressLine
from edgener_runtime.bulk.run import NEW, OVERWRITE, RESUME, BulkJob, TagSummary, run_job
from edgener_runtime.bulk.shapes import SHAPES
from edgener_runtime.bulk.sources import OutputPaths
from edgener_runtime.bulk.spec import MAX_CHARACTERS, TagSpec
from edgener_runtime.cli.console import INTERRUPTED, write_line
from edgener_runtime.cli.options import LoadOptions, decoding_options, worker_loading_options
from edgener_runtime.errors import DeviceError, EdgenerError, StorageError, UserInputError
from edgener_runtime.machine.cpu import usable_cores

if TYPE_CHECKING:
    from edgener_runtime.decoding.entity import Decoding


class UnfinishedError(EdgenerError):
    """A job that was interrupted and can be resumed."""

    exit_code = INTERRUPTED


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File or folder of the results.")
@click.option(
    "--format",
    "form",
    type=click.Choice([AUTO, *FORMATS]),
    default=AUTO,
    show_default=True,
    help="Format of SOURCE; auto goes by the suffix of each file.",
)
@click.option("--text-column", default="text", show_default=True, metavar="NAME", help="Column or field of the texts.")
@click.option(
    "--shape",
    type=click.Choice(list(SHAPES)),
    default="entities",
    show_default=True,
    help="Add a list of entities, IOB2 tags of tokens, or one row per entity.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes, each with the model [default: one per core; one on a GPU that --device names].",
)
@click.option(
    "--max-characters",
    type=click.IntRange(min=1),
    default=MAX_CHARACTERS,
    show_default=True,
    metavar="N",
    help="Reject longer texts: a worker's memory grows with the longest.",
)
@click.option("--resume", is_flag=True, help="Continue a job that was stopped; the results are the same bytes.")
@click.option("--overwrite", is_flag=True, help="Replace existing results.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON.")
@decoding_options
@worker_loading_options
def tag(
    bundle: Path, source: Path, out: Path, form: str, text_column: str, shape: str, workers: int | None,
    max_characters: int, resume: bool, overwrite: bool, as_json: bool, decoding: Decoding, load: LoadOptions,
) -> None:  # fmt: skip
    """Find the entities of all texts in a file or folder.

    SOURCE is JSON Lines, CSV, TSV, Parquet or plain lines, or a folder of such files. The results have the same
    format, rows and columns, with the entities as further columns; plain lines become JSON Lines.

    \b
    Examples:
      edgener-runtime tag out/bundle orders.csv --text-column note --out tagged.csv
      edgener-runtime tag out/bundle logs --out tagged --workers 2
      edgener-runtime tag out/bundle logs --out tagged --workers 2 --resume

    \b
    Rows without a text that the model can answer are listed with their numbers in
    OUT.rejects.jsonl, and the exit code is 2. Rows at which workers died twice are
    listed too, and the exit code is 6.
    """
    if resume and overwrite:
        raise click.UsageError("give --resume or --overwrite, not both")
    spec = TagSpec(
        str(bundle.resolve()), text_column, shape, load.device, load.variant, load.threads, load.reproducible,
        decoding.aggregation, decoding.strict, None if decoding.thresholds is None else dict(decoding.thresholds),
        decoding.offsets, max_characters,
        str(load.require_signature.resolve()) if load.require_signature else None,
    )  # fmt: skip
    mode = RESUME if resume else OVERWRITE if overwrite else NEW
    summary = _run(BulkJob(spec, source, OutputPaths(out), form, workers or _default_workers(load), mode))
    if summary is None:
        _report_complete(OutputPaths(out))
        return
    _print(summary, as_json)
    _report_losses(summary)


def _default_workers(load: LoadOptions) -> int:
    """A worker per core with its threads, and a single one on a device that they would share."""
    return max(1, usable_cores() // (load.threads or 1)) if load.device in (AUTO, "cpu") else 1


def _run(job: BulkJob) -> TagSummary | None:
    """Run a job; where it stops before its end, the error's hint is the command that continues it."""
    line = ProgressLine(sys.stderr)
    try:
        return run_job(job, line.show, line.log)
    except KeyboardInterrupt:
        raise UnfinishedError("interrupted; what was done is kept", f"Continue: {resume_command()}") from None
    except (StorageError, DeviceError) as error:
        raise type(error)(error.message, f"{error.hint or ''}\n  Then continue: {resume_command()}".strip()) from None
    finally:
        line.end()


def resume_command() -> str:
    """This command line with --resume."""
    words = [word for word in sys.argv[1:] if word not in ("--overwrite", "--resume")]
    return shlex.join(["edgener-runtime", *words, "--resume"])


def _print(summary: TagSummary, as_json: bool) -> None:
    if as_json:
        write_line(json.dumps(to_dict(summary), ensure_ascii=False, indent=2))
        return
    write_line(
        f"{summary.output}: {summary.texts:,} texts, {summary.entities:,} entities, {summary.rejected:,} rows rejected "
        f"in {summary.seconds:,.1f} s ({summary.rows_per_second:,.0f} rows/s, workers: {summary.workers})"
    )


def _report_complete(paths: OutputPaths) -> None:
    """Say that there is nothing to resume, with the exit code that the job had."""
    click.echo(f"{paths.output} is complete; there is nothing to resume", err=True)
    if paths.rejects.exists():
        raise UserInputError(f"rows without an answer are listed in {paths.rejects}")


def _report_losses(summary: TagSummary) -> None:
    """Raise an error where rows have no answer: DeviceError where workers died, else UserInputError."""
    if not summary.rejected:
        return
    message = f"{summary.rejected:,} of {summary.rows:,} rows have no answer; they are listed in {summary.rejects}"
    if summary.set_aside:
        rows = ", ".join(f"{each.source} {each.first_row:,} to {each.last_row:,}" for each in summary.set_aside[:10])
        raise DeviceError(f"{message}; workers died at rows {rows}", "Tag these rows alone to find the one.")
    raise UserInputError(message)
