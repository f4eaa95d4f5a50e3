"""int8-native beside int8-dynamic, int8-rowwise and FP32 of the same bundle, text in and entities out.

    python -m benchmarks.native BUNDLE --checkpoint CHECKPOINT --data SOURCE --out FILE.json

Every measurement runs in a process of its own, in which variants take turns. FILE keeps the parts of earlier runs that
this one does not measure, so that a run that was stopped is continued with --only. Its tables are written beside it, to
FILE.md.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from edgener.cli.options import data_options
from edgener.data.read import DataSpec, read_split
from edgener_runtime.backends.onnxruntime.library import load_onnxruntime
from edgener_runtime.base.files import write_atomic
from edgener_runtime.bundle.manifest import Manifest
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import EdgenerError, ProviderError, UserInputError
from edgener_runtime.machine.cpu import cpu_model, isa, usable_cores
from edgener_runtime.machine.operators import missing_operators, operators_note

from .leads import OURS
from .parts import FP32, INT8, PARTS, QUICK, Size, Subject
from .table import markdown, page

FAITHFUL = "faithful"
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "native"
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True)


def _parts(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Names separated by commas."""
    names = tuple(value.split(",")) if value else ()
    if unknown := [name for name in names if name not in PARTS]:
        raise click.BadParameter(f"there is no part {unknown[0]!r}; choose among {', '.join(PARTS)}")
    return names


@click.command()
@click.argument("bundle", type=FOLDER)
@data_options
@click.option("--checkpoint", type=FOLDER, help="What the bundle was exported from, for the part faithful.")
@click.option("--only", callback=_parts, metavar="PARTS", help=f"Of {', '.join(PARTS)}, by commas [default: all].")
@click.option("--quick", is_flag=True, help="A minute of rounds too short to mean anything: whether it runs.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Write or complete it.")
def bench(bundle: Path, data: DataSpec, checkpoint: Path | None, only: Sequence[str], quick: bool, out: Path) -> None:
    """Measure BUNDLE's int8-native beside its other variants on the test split of a data set."""
    require_variants(verify_bundle(bundle))
    CACHE.mkdir(parents=True, exist_ok=True)
    subject = Subject(
        bundle, checkpoint, _name(data.source), read_split(data, "test"), CACHE, QUICK if quick else Size()
    )
    record = _earlier(out)
    for part in only or _measurable(subject):
        click.echo(f"{part} ...", err=True)
        record["native"][part] = _measured(part, subject, record["native"].get(part, {}))
        write_atomic(out, json.dumps(record, indent=1) + "\n")
        write_atomic(out.with_suffix(".md"), page(record))
    click.echo(markdown(record))


def require_variants(manifest: Manifest) -> None:
    """Raises UserInputError or ProviderError where the bundle or this machine lacks what is compared."""
    wanted = (*INT8, FP32)
    if missing := [name for name in wanted if name not in {entry.name for entry in manifest.variants}]:
        raise UserInputError(
            f"the bundle has no {', '.join(missing)}",
            f"Export them: edgener export CHECKPOINT --out BUNDLE --data SOURCE --variant {','.join(wanted)}",
        )
    if fault := missing_operators(manifest.variant(OURS).requirements.operators):
        raise ProviderError(f"{OURS} does not run here: {fault.what}", fault.fix)


def _measurable(subject: Subject) -> list[str]:
    """All parts, without the comparison with PyTorch where the checkpoint is unknown."""
    if subject.checkpoint:
        return [*PARTS]
    click.echo(f"{FAITHFUL} is left out: name the bundle's checkpoint with --checkpoint", err=True)
    return [part for part in PARTS if part != FAITHFUL]


def _name(source: str) -> str:
    """A source without the folders of this machine, but for that of a file."""
    path = Path(source)
    if not path.is_absolute():
        return source
    return f"{path.parent.name}/{path.name}" if path.is_file() else path.name


def _earlier(out: Path) -> dict[str, Any]:
    if not out.exists():
        return {"native": {}}
    try:
        return {"native": json.loads(out.read_text(encoding="utf-8"))["native"]}
    except (ValueError, KeyError, TypeError):
        raise UserInputError(f"{out} is no result of this benchmark", "Name another file with --out.") from None


def _measured(part: str, subject: Subject, earlier: dict[str, Any]) -> dict[str, Any]:
    """One part with the machine and the time; faithfulness on other data is kept."""
    began = time.monotonic()
    figures = PARTS[part](subject)
    if part == FAITHFUL:
        figures = earlier.get("figures", {}) | figures
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began),
        "cpu": cpu_model(),
        "isa": isa(),
        "cores": usable_cores(),
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "onnxruntime": load_onnxruntime().__version__,
        "operators": operators_note(),
        "bundle": subject.bundle.name,
        "data": subject.data,
        "quick": subject.size == QUICK,
        "figures": figures,
    }


def main() -> None:
    """The command, with errors as people read them."""
    try:
        bench()
    except EdgenerError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
