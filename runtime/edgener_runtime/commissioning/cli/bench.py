"""`edgener-runtime bench`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgener_runtime.cli.console import INTERRUPTED, write_line
from edgener_runtime.errors import DeviceError, StorageError

from .bench_options import bench_options, input_options, own_texts

if TYPE_CHECKING:
    from edgener_runtime.commissioning.bench.plan import BenchTarget
    from edgener_runtime.commissioning.bench.results.record import BenchResult
    from edgener_runtime.commissioning.bench.run import Step
    from edgener_runtime.commissioning.bench.spec import Spec


@click.command()
@input_options
@click.option(
    "--spec",
    "spec_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="JSON file of a Spec: all that is measured, without the options for it.",
)
@bench_options
@click.pass_context
def bench(
    context: click.Context, source: str | None, form: str, spec_file: Path | None, ask: Callable[..., Spec],
    out: Path | None, as_json: bool, progress: str,
) -> None:  # fmt: skip
    """Measure speed, memory and energy of BUNDLE's variants.

    The scenarios are MLPerf's. Each variant, device and number of threads runs in fresh processes, all in turns, until
    the interval of each row's median is narrow enough or the time is up. Ctrl-C keeps what was measured, marked
    partial. Exit codes: 0 measured, 2 nothing to run, 5 the bundle is damaged, 6 nothing can run here. No device but
    cpu was measured with it yet.

    \b
    Examples:
      edgener-runtime bench out/bundle --out out/bench.json
      edgener-runtime bench out/bundle --scenario all --threads 1 --threads 2 --input orders.jsonl
      edgener-runtime bench out/bundle --variant int8-dynamic --length 16 --length 128 --within 1%
    """
    spec = ask(**own_texts(source, form))
    measure(context, _from_file(spec_file, spec) if spec_file else spec, out, as_json, progress)


def _from_file(file: Path, asked: Spec) -> Spec:
    """The spec of a file, for the bundle that was given. Raises UsageError where options say what is measured, too."""
    from edgener_runtime.commissioning.bench.spec import Spec, read_spec

    if asked != Spec(asked.bundle):
        raise click.UsageError("--spec says all that is measured: leave out the options for it")
    return replace(read_spec(file), bundle=asked.bundle)


def measure(
    context: click.Context,
    spec: Spec,
    out: Path | None,
    as_json: bool,
    progress: str,
    more: tuple[BenchTarget, ...] = (),
) -> None:
    """Run a benchmark, show its progress and print the result; `more` are targets with other workers."""
    from edgener_runtime.base.serde import to_json
    from edgener_runtime.cli.results import check_result_file, write_result
    from edgener_runtime.commissioning.bench.results.table import table
    from edgener_runtime.commissioning.bench.run import run

    if out and out.is_dir():
        raise click.UsageError(f"--out names a file, {out} is a folder")
    if out:
        check_result_file(out)
    with _PROGRESS[progress](spec.seconds) as report:
        result = run(spec, report, lambda known: _keep(known, out), more)
    if out:
        write_result(out, to_json(result))
    width = shutil.get_terminal_size().columns  # 80 where stdout is not a terminal
    write_line(to_json(result).rstrip("\n") if as_json else table(result, width))
    _warn(result, out)
    context.exit(_exit_code(result))


def _exit_code(result: BenchResult) -> int:
    if result.partial:
        return INTERRUPTED
    return 0 if result.measured else DeviceError.exit_code


def _keep(result: BenchResult, out: Path | None) -> None:
    """Write the result so far, which a power cut leaves; a disk that fills is reported at the end."""
    from edgener_runtime.base.files import write_atomic
    from edgener_runtime.base.serde import to_json

    if out:
        with suppress(StorageError):
            write_atomic(out, to_json(result))


@contextmanager
def _bar(seconds: float) -> Iterator[Callable[[Step], None]]:
    """A bar of the time budget on stderr, with the current target; silent if stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    with click.progressbar(length=round(seconds), label="bench", file=sys.stderr, show_pos=False) as bar:

        def report(step: Step) -> None:
            bar.label = _words(step)
            bar.update(max(0, round(step.seconds) - bar.pos))
            bar.render_progress()  # also for a step that took no time

        yield report


@contextmanager
def _lines(seconds: float) -> Iterator[Callable[[Step], None]]:
    """One line per turn on stderr, also if another program reads it."""
    yield lambda step: click.echo(f"{step.seconds:.0f} of {seconds:.0f} s, {_words(step)}", err=True)


def _words(step: Step) -> str:
    return f"round {step.round}, {step.open_rows} of {step.rows} rows: {step.target}"


_PROGRESS = {"bar": _bar, "lines": _lines}


def _warn(result: BenchResult, out: Path | None) -> None:
    """Warn on stderr of doubtful figures, of a run without figures, and of an interrupted run."""
    if result.busy:
        click.secho("warning: ", fg="yellow", nl=False, err=True)
        click.echo(
            f"rows are marked, as their figures are doubtful: {_each(row.marks for row in result.rows)}", err=True
        )
    if not result.measured and not result.partial:
        click.echo(f"nothing could be measured: {_each([row.reason] for row in result.rows)}", err=True)
    if result.partial:
        kept = f"what was measured is in {out}, marked partial" if out else "what was measured is on stdout"
        click.echo(f"interrupted; {kept}", err=True)


def _each(sentences: Iterable[Iterable[str]]) -> str:
    return "; ".join(dict.fromkeys(chain.from_iterable(sentences)))
