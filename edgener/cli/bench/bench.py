"""`edgener bench`: the device's own benchmark, with labelled data, and PyTorch as the baseline."""

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
    help="Also measure this checkpoint in PyTorch, on the CPU.",
)
@click.option(
    "--hosts",
    metavar="HOSTS.YAML",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Measure on these devices instead, over SSH; --out is the folder of their results.",
)
@click.option(
    "--wheel",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Wheel of edgener-runtime for the devices [default: the installed one].",
)
@bench_options
@click.pass_context
def bench(
    context: click.Context, data: DataSpec | None, texts: tuple[str, str] | None, checkpoint: Path | None,
    hosts: Path | None, wheel: Path | None, ask: Callable[..., Spec], out: Path | None, as_json: bool, progress: str,
) -> None:  # fmt: skip
    """Measure BUNDLE's variants here, or on many devices.

    It measures what edgener-runtime bench does, also with a checkpoint in PyTorch as the baseline, and also on labelled
    data: the texts of the test split, whose entities give each row an F1.

    --hosts measures on many devices at once (docs/how-to/fleet.md): a failure affects no other device, and nothing is
    left on any. Exit 6: a device failed; the results of the others are valid.

    \b
    Examples:
      edgener bench out/bundle --data builtin:factory --checkpoint out/checkpoint --out out/bench.json
      edgener bench out/bundle --hosts hosts.yaml --out results
    """
    spec = ask(**_texts(data, texts))
    if hosts:
        return _on_hosts(hosts, spec, checkpoint, out, wheel, as_json)
    if wheel:
        raise click.UsageError("--wheel is only for --hosts")
    if not checkpoint:
        return measure(context, spec, out, as_json, progress)

    from edgener.bench.pytorch import pytorch_targets
    from edgener_runtime.bundle.manifest import read_manifest

    labels = read_manifest(Path(spec.bundle)).label_set
    return measure(context, spec, out, as_json, progress, pytorch_targets(checkpoint, spec.threads, label_set=labels))


def _on_hosts(
    hosts: Path, spec: Spec, checkpoint: Path | None, out: Path | None, wheel: Path | None, as_json: bool
) -> None:
    if checkpoint or spec.name:
        option = "--checkpoint: devices have no PyTorch" if checkpoint else "--name: the list itself has the names"
        raise click.UsageError(f"--hosts excludes {option}")
    if out is None or out.is_file():
        raise click.UsageError("--hosts needs --out FOLDER, for one result per device")
    bench_hosts(hosts, spec, out, wheel, as_json)


def _texts(data: DataSpec | None, texts: tuple[str, str] | None) -> dict[str, Any]:
    """The fields of a Spec for texts."""
    if data is None:
        return own_texts(*texts) if texts else {}

    from edgener.bench.texts import labelled_texts
    from edgener.cli.labelled import read_noted_split

    return labelled_texts(read_noted_split(data, "test"))
