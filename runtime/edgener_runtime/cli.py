"""`edgener-runtime`: the device side's commands."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click

from . import __version__
from .console import CommandGroup, write_line
from .decode import AGGREGATIONS
from .inputs import FORMATS, STDIN, read_records
from .session import DEVICES

_RECORDS_AT_ONCE = 64  # of a file; those of stdin are answered as they come


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgener-runtime")
def main() -> None:
    """Run edgener bundles on this device: text in, entities out."""


@main.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("texts", nargs=-1)
@click.option(
    "--input", "source", metavar="FILE", help="Read texts from a file, or - for stdin [default without TEXTS]."
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="auto", show_default=True, help="Form of the input."
)
@click.option(
    "--aggregation", type=click.Choice(AGGREGATIONS), default="simple", show_default=True, help="Of subwords."
)
@click.option("--variant", default="auto", show_default=True, help="Variant of the bundle.")
@click.option("--reproducible", is_flag=True, help="No answer may depend on the texts beside it.")
@click.option("--device", type=click.Choice(DEVICES), default="auto", show_default=True, help="Where to run.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads [default: the cores this process may use].")
def predict(
    bundle: Path, texts: tuple[str, ...], source: str | None, form: str, aggregation: str, variant: str,
    reproducible: bool, device: str, threads: int | None,
) -> None:  # fmt: skip
    """Find the entities of TEXTS, of a file or of stdin; prints a JSON object a text.

    \b
    Examples:
      edgener-runtime predict out/bundle "Pump P-101 leaks at the seal"
      edgener-runtime predict out/bundle --input orders.txt > entities.jsonl
      tail -f alarms.jsonl | edgener-runtime predict out/bundle --input - --format jsonl
    """
    from .pipeline import TokenClassifier

    if texts and source:
        raise click.UsageError("give TEXTS or --input, not both")
    records: Iterator[dict[str, Any]] = (
        iter([{"text": text} for text in texts]) if texts else read_records(source or STDIN, form)
    )
    at_once = 1 if not texts and source in (None, STDIN) else _RECORDS_AT_ONCE
    with TokenClassifier.load(bundle, device, variant, threads, reproducible) as classifier:
        while chunk := list(islice(records, at_once)):
            found = classifier.predict_batch([record["text"] for record in chunk], aggregation)
            for record, entities in zip(chunk, found, strict=True):
                rows = [dataclasses.asdict(entity) for entity in entities]
                write_line(json.dumps({**record, "entities": rows}, ensure_ascii=False))


@main.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
def verify(bundle: Path, as_json: bool) -> None:
    """Check that every file of BUNDLE is there and unchanged; exit 5 where one is not.

    \b
    Example:
      edgener-runtime verify out/bundle
    """
    from .verify import verify_bundle

    manifest = verify_bundle(bundle)
    if as_json:
        write_line(manifest.to_json().rstrip("\n"))
        return
    for variant in manifest.variants:
        write_line(f"{variant.name}\t{variant.precision}\t{variant.file.size / 1e6:.1f} MB\t{variant.file.sha256[:12]}")
    write_line(f"{bundle}: {len(manifest.files) + len(manifest.variants)} files, all as in the manifest")
