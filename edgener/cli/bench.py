"""`edgener bench`: what the device's own bench measures, with labelled data, and PyTorch beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgener.data.read import DataSpec
from edgener_runtime.cli.bench import measure
from edgener_runtime.cli.bench_options import bench_options, own_texts

from .options import data_or_texts_options

if TYPE_CHECKING:
    from edgener_runtime.bench.spec import Spec


@click.command()
@data_or_texts_options
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, file_okay=False),
    help="Measure this in PyTorch besides, on the CPU.",
)
@bench_options
@click.pass_context
def bench(
    context: click.Context, data: DataSpec | None, texts: tuple[str, str] | None, checkpoint: Path | None,
    ask: Callable[..., Spec], out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Measure how fast the variants of BUNDLE are on this machine, and the checkpoint in PyTorch beside them.

    As edgener-runtime bench, and on labelled data: the texts of its test split, whose entities give each row an F1.

    \b
    Example:
      edgener bench out/bundle --data builtin:factory --checkpoint out/checkpoint --out out/bench.json
    """
    spec = ask(**_texts(data, texts))
    if not checkpoint:
        return measure(context, spec, out, as_json)

    from edgener.bench.pytorch import pytorch_places

    return measure(context, spec, out, as_json, pytorch_places(checkpoint, spec.threads))


def _texts(data: DataSpec | None, texts: tuple[str, str] | None) -> dict[str, Any]:
    """The fields of a Spec that hold texts."""
    if data is None:
        return own_texts(*texts) if texts else {}

    from edgener.bench.texts import labelled_texts
    from edgener.data.read import read_split

    return labelled_texts(read_split(data, "test"))
