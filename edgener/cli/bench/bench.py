"""`edgener bench`: what the device's own bench measures, with labelled data, and PyTorch beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgener.cli.options import data_or_texts_options
from edgener.data.read import DataSpec
from edgener_runtime.commissioning.cli.bench import measure
from edgener_runtime.commissioning.cli.bench_options import bench_options, own_texts

from .fleet import bench_hosts

if TYPE_CHECKING:
    from edgener_runtime.commissioning.bench.spec import Spec


@click.command()
@data_or_texts_options
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, file_okay=False),
    help="Measure this in PyTorch besides, on the CPU.",
)
@click.option(
    "--hosts",
    metavar="HOSTS.YAML",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Measure on these devices instead, over SSH; --out names the folder of their results.",
)
@click.option(
    "--wheel",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Of edgener-runtime, for the devices [default: the one that is installed here].",
)
@bench_options
@click.pass_context
def bench(
    context: click.Context, data: DataSpec | None, texts: tuple[str, str] | None, checkpoint: Path | None,
    hosts: Path | None, wheel: Path | None, ask: Callable[..., Spec], out: Path | None, as_json: bool, progress: str,
) -> None:  # fmt: skip
    """Measure how fast the variants of BUNDLE are on this machine, and the checkpoint in PyTorch beside them.

    As edgener-runtime bench, and on labelled data: the texts of its test split, whose entities give each row an F1.

    With --hosts on many devices at once (docs/fleet.md): one that fails takes no other with it, and nothing is left on
    any. Exit 6: a device failed; the results of the others stand.

    \b
    Examples:
      edgener bench out/bundle --data builtin:factory --checkpoint out/checkpoint --out out/bench.json
      edgener bench out/bundle --hosts hosts.yaml --out results
    """
    spec = ask(**_texts(data, texts))
    if hosts:
        return _on_hosts(hosts, spec, checkpoint, out, wheel, as_json)
    if wheel:
        raise click.UsageError("--wheel is for the devices of --hosts")
    if not checkpoint:
        return measure(context, spec, out, as_json, progress)

    from edgener.bench.pytorch import pytorch_places

    return measure(context, spec, out, as_json, progress, pytorch_places(checkpoint, spec.threads))


def _on_hosts(
    hosts: Path, spec: Spec, checkpoint: Path | None, out: Path | None, wheel: Path | None, as_json: bool
) -> None:
    if checkpoint or spec.name:
        option = "--checkpoint: no PyTorch is on a device" if checkpoint else "--name: names stand in the list itself"
        raise click.UsageError(f"--hosts goes without {option}")
    if out is None or out.is_file():
        raise click.UsageError("--hosts needs --out FOLDER, for a result a device")
    bench_hosts(hosts, spec, out, wheel, as_json)


def _texts(data: DataSpec | None, texts: tuple[str, str] | None) -> dict[str, Any]:
    """The fields of a Spec that hold texts."""
    if data is None:
        return own_texts(*texts) if texts else {}

    from edgener.bench.texts import labelled_texts
    from edgener.data.read import read_split

    return labelled_texts(read_split(data, "test"))
