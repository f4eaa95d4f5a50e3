"""Variants on a GPU with and without CUDA graphs, and the checkpoint in PyTorch, all in turns. Not run on a GPU yet.

    python -m benchmarks.gpu.turns CHECKPOINT BUNDLE --data SOURCE --out FILE.json

Each row runs in fresh processes, in the turns of `edgener bench`, whose format the result has: `edgener report --merge`
reads it. All rows get the same texts; PyTorch batches windows of like length, 128 at once on a GPU.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click
from benchmarks.gpu.without_graphs import SUFFIX
from benchmarks.gpu.without_graphs import __name__ as without_graphs

from edgener.bench.pytorch import MODES, pytorch_targets
from edgener.bench.texts import labelled_texts
from edgener.data.read import DataSpec, read_split
from edgener_runtime.base.files import write_atomic
from edgener_runtime.base.serde import to_json
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.commissioning.bench.plan import BenchTarget, targets_of
from edgener_runtime.commissioning.bench.results.record import BenchResult
from edgener_runtime.commissioning.bench.results.table import table
from edgener_runtime.commissioning.bench.run import run
from edgener_runtime.commissioning.bench.spec import Spec

ROOT = Path(__file__).resolve().parents[2]
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
VARIANTS = ("fp32", "fp16")


@click.command()
@click.argument("checkpoint", type=FOLDER)
@click.argument("bundle", type=FOLDER)
@click.option("--data", required=True, help="Data as for edgener evaluate; its test split is run.")
@click.option("--device", type=click.Choice(["cuda", "cpu"]), default="cuda", show_default=True)
@click.option("--variant", "variants", multiple=True, default=VARIANTS, show_default=True, help="Repeatable.")
@click.option("--pytorch", "modes", multiple=True, type=click.Choice(list(MODES)), help="Repeatable [default: all].")
@click.option("--seconds", type=float, default=300.0, show_default=True, help="Time for all of it.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File of the result.")
@click.pass_context
def main(
    context: click.Context, checkpoint: Path, bundle: Path, data: str, device: str, variants: Sequence[str],
    modes: Sequence[str], seconds: float, out: Path,
) -> None:  # fmt: skip
    """Measure the variants of BUNDLE on a GPU, and CHECKPOINT in PyTorch there; exit code 1 if a row has no figures."""
    # workers start in fresh processes and find this folder's module by it
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    texts = labelled_texts(read_split(DataSpec(data), "test"))
    spec = Spec(
        str(bundle), variants=tuple(variants), devices=(device,), seconds=seconds, driver="builtin", **texts
    )  # fmt: skip
    more = (*places_without_graphs(spec), *pytorch_targets(checkpoint, (), device, modes or list(MODES)))
    result = run(
        spec,
        lambda step: click.echo(f"{step.seconds:.0f} s: {step.target}"),
        lambda known: write_result(known, out),
        more,
    )
    write_result(result, out)
    click.echo(table(result))
    context.exit(0 if all(row.figures for row in result.rows) else 1)


def write_result(result: BenchResult, out: Path) -> None:
    """Write what is known: a run that is killed leaves the turns before."""
    write_atomic(out, to_json(result))


def places_without_graphs(spec: Spec) -> Iterator[BenchTarget]:
    """A place beside each of the bundle's, with another name and worker."""
    for place in targets_of(spec, verify_bundle(Path(spec.bundle))):
        yield replace(place, variant=f"{place.variant}{SUFFIX}", module=without_graphs)


if __name__ == "__main__":
    main()
