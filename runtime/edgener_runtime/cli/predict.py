"""`edgener-runtime predict`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..console import write_line
from ..entity import Decoding
from ..inputs import FORMATS, STDIN, read_records
from .options import decoding_options, loading_options

if TYPE_CHECKING:
    from ..pipeline import TokenClassifier

_RECORDS_AT_ONCE = 64  # of a file; those of stdin are answered as they come


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("texts", nargs=-1)
@click.option(
    "--input", "source", metavar="FILE", help="Read texts from a file, or - for stdin [default without TEXTS]."
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="auto", show_default=True, help="Form of the input."
)
@decoding_options
@loading_options
def predict(
    bundle: Path, texts: tuple[str, ...], source: str | None, form: str,
    decoding: Decoding, load: Callable[[Path], TokenClassifier],
) -> None:  # fmt: skip
    """Find the entities of TEXTS, of a file or of stdin; prints a JSON object a text.

    \b
    Examples:
      edgener-runtime predict out/bundle "Pump P-101 leaks at the seal"
      edgener-runtime predict out/bundle --input orders.txt > entities.jsonl
      tail -f alarms.jsonl | edgener-runtime predict out/bundle --input - --format jsonl
    """
    if texts and source:
        raise click.UsageError("give TEXTS or --input, not both")
    records: Iterator[dict[str, Any]] = (
        iter([{"text": text} for text in texts]) if texts else read_records(source or STDIN, form)
    )
    at_once = 1 if not texts and source in (None, STDIN) else _RECORDS_AT_ONCE
    with load(bundle) as classifier:
        while chunk := list(islice(records, at_once)):
            found = classifier.predict_batch([record["text"] for record in chunk], decoding)
            for record, entities in zip(chunk, found, strict=True):
                rows = [dataclasses.asdict(entity) for entity in entities]
                write_line(json.dumps({**record, "entities": rows}, ensure_ascii=False))
