"""`edgener-runtime predict`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgener_runtime.decoding.entity import Decoding
from edgener_runtime.errors import UserInputError
from edgener_runtime.text.inputs import FORMATS, STDIN, read_records

from .console import write_line
from .options import decoding_options, loading_options

if TYPE_CHECKING:
    from edgener_runtime.pipeline import TokenClassifier

ON_ERROR = ("stop", "skip")
_RECORDS_AT_ONCE = 64  # of a file; those of stdin are answered one by one


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("texts", nargs=-1)
@click.option(
    "--input", "source", metavar="FILE", help="Read texts from a file, or - for stdin [default without TEXTS]."
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="auto", show_default=True, help="Format of the input."
)
@click.option(
    "--on-error", type=click.Choice(ON_ERROR), default="stop", show_default=True,
    help="Stop at a line that cannot be read, or skip it.",
)  # fmt: skip
@decoding_options
@loading_options
def predict(
    bundle: Path, texts: tuple[str, ...], source: str | None, form: str, on_error: str,
    decoding: Decoding, load: Callable[[Path], TokenClassifier],
) -> None:  # fmt: skip
    """Find the entities of TEXTS, of a file or of stdin.

    Prints a JSON object per text.

    \b
    Examples:
      edgener-runtime predict out/bundle "Pump P-101 leaks at the seal"
      edgener-runtime predict out/bundle --input orders.txt > entities.jsonl
      tail -f alarms.jsonl | edgener-runtime predict out/bundle --input - --format jsonl

    \b
    With --on-error skip, each line that cannot be read is reported on stderr, the
    other lines are answered, and the exit code is 2.
    """
    if texts and source:
        raise click.UsageError("give TEXTS or --input, not both")
    skipped = _Skipped()
    records: Iterator[dict[str, Any]] = (
        iter([{"text": text} for text in texts])
        if texts
        else read_records(source or STDIN, form, skipped if on_error == "skip" else None)
    )
    at_once = 1 if not texts and source in (None, STDIN) else _RECORDS_AT_ONCE
    with load(bundle) as classifier:
        while chunk := list(islice(records, at_once)):
            found = classifier.predict_batch([record["text"] for record in chunk], decoding)
            for record, entities in zip(chunk, found, strict=True):
                rows = [dataclasses.asdict(entity) for entity in entities]
                write_line(json.dumps({**record, "entities": rows}, ensure_ascii=False))
    if skipped.count:
        raise UserInputError(
            f"{skipped.count} of the lines could not be read and were skipped", "They are listed above."
        )


class _Skipped:
    """Reports each line that cannot be read on stderr, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, error: UserInputError) -> None:
        self.count += 1
        click.echo(f"skipped {error.message}", err=True)
