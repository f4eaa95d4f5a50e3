"""Whether the variants of a bundle need temperatures of their own: the calibration error of each with its own and one.

    python benchmarks/temperatures.py out/bundle --data builtin:factory --out temperatures.json

Each variant runs on the CPU in the runtime. Its own temperature is fitted on the valid split; the one for all is that
of the first variant. Errors are of the test split.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edgener.cli.options import data_options
from edgener.confidence.predictions import scored_tokens
from edgener.confidence.reliability import reliability
from edgener.confidence.temperature import count_errors, fit_temperature
from edgener.data.read import DataSpec, read_splits
from edgener.data.types import Dataset
from edgener.parity.measures.tagging import answer
from edgener_runtime import TokenClassifier
from edgener_runtime.bundle.manifest import read_manifest

NAMES = ("valid", "test")


def measure(bundle: Path, variant: str, splits: dict[str, Dataset], shared: float | None) -> dict[str, Any]:
    """A variant's temperature, and its calibration errors as trained, at its own temperature, and at the shared one."""
    with TokenClassifier.load(bundle, "cpu", variant, 1) as classifier:
        answers = {name: answer(classifier, splits[name].sentences, lambda: None) for name in NAMES}
    tokens = scored_tokens(splits["valid"].sentences, answers["valid"])
    own = fit_temperature(tokens)
    if own is None:
        raise SystemExit(f"{variant}: {count_errors(tokens)} wrong tokens of the valid split fit no temperature")
    errors: dict[str, Any] = {}
    for name, temperature in (("own", own), ("shared", shared or own)):
        for kind, found in reliability(splits["test"].sentences, answers["test"], temperature, "").kinds.items():
            assert found.after
            errors.setdefault(kind, {"number": found.before.count, "as_trained": found.before.error})
            errors[kind][name] = found.after.error
    return {"variant": variant, "temperature": own, "wrong_tokens": count_errors(tokens), "errors": errors}


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@data_options
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(bundle: Path, data: DataSpec, out: Path) -> None:
    """Measure every variant of a bundle that runs on the CPU."""
    splits = read_splits(data)
    names = [entry.name for entry in read_manifest(bundle).variants]
    rows: list[dict[str, Any]] = []
    for name in names:
        rows.append(measure(bundle, name, splits, rows[0]["temperature"] if rows else None))
    out.write_text(json.dumps({"data": data.source, "variants": rows}, indent=2) + "\n", encoding="utf-8")
    for row in rows:
        click.echo(f"{row['variant']}: {row['temperature']}, {row['errors']}")


if __name__ == "__main__":
    main()
