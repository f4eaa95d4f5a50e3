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
from edgener_runtime.errors import EdgenerError, TextError, UserInputError
from edgener_runtime.text.chunks import ProbeText
from edgener_runtime.text.inputs import FORMATS, STDIN, read_records

from .console import write_line
from .monitoring import Monitoring, monitoring_options
from .options import decoding_options, loading_options

if TYPE_CHECKING:
    from edgener_runtime.pipeline import Answer, TokenClassifier

ON_ERROR = ("stop", "skip")
_PROBE = ProbeText("probe")  # any text will do
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
@monitoring_options
@decoding_options
@loading_options
def predict(
    bundle: Path, texts: tuple[str, ...], source: str | None, form: str, on_error: str,
    monitoring: Monitoring, decoding: Decoding, load: Callable[[Path], TokenClassifier],
) -> None:  # fmt: skip
    """Find the entities of TEXTS, of a file or of stdin.

    Prints a JSON object per text. Each of TEXTS is one text, also with line breaks in it. Of a file or stdin, each line
    is one; --format jsonl reads a JSON object per line, whose other fields are kept, and --format text the whole input
    as one text.

    \b
    Examples:
      edgener-runtime predict out/bundle "Pump P-101 leaks at the seal"
      edgener-runtime predict out/bundle --input orders.txt > entities.jsonl
      tail -f alarms.jsonl | edgener-runtime predict out/bundle --input - --format jsonl

    \b
    A text that the model cannot answer has "error" in place of "entities"; the
    others are answered, and the exit code is that of the error.

    \b
    With --on-error skip, each line that cannot be read is reported on stderr, the
    other lines are answered, and the exit code is 2.
    """
    if texts and source:
        raise click.UsageError("give TEXTS or --input, not both")
    losses = _Losses()
    records: Iterator[dict[str, Any]] = (
        iter([{"text": text} for text in texts])
        if texts
        else read_records(source or STDIN, form, losses.skip if on_error == "skip" else None)
    )
    at_once = 1 if not texts and source in (None, STDIN) else _RECORDS_AT_ONCE
    with monitoring.loading(load)(bundle) as classifier:
        while chunk := list(islice(records, at_once)):
            found = classifier.predict_batch([record["text"] for record in chunk], decoding, return_errors=True)
            _require_answers(classifier, decoding, found)
            for record, answer in zip(chunk, found, strict=True):
                losses.count(answer)
                write_line(json.dumps(_with_answer(record, answer), ensure_ascii=False))
        if classifier.observer and classifier.observer.drift:
            click.echo(classifier.observer.drift.report(), err=True)
    losses.report()


def _require_answers(classifier: TokenClassifier, decoding: Decoding, found: list[Answer]) -> None:
    """Raise the error of a run where no text was answered and no other is: the device fails, not the texts."""
    if not any(isinstance(answer, (list, TextError)) for answer in found):
        classifier.predict(_PROBE, decoding)


def _with_answer(record: dict[str, Any], answer: Answer) -> dict[str, Any]:
    """A record with the entities of its text, or with its error and no entities."""
    if isinstance(answer, EdgenerError):
        kept = {name: value for name, value in record.items() if name != "entities"}
        return {**kept, "error": answer.message} | ({"hint": answer.hint} if answer.hint else {})
    return {**record, "entities": [dataclasses.asdict(entity) for entity in answer]}


class _Losses:
    """Counts lines that cannot be read, each of which it reports on stderr, and texts without an answer."""

    def __init__(self) -> None:
        self.skipped = self.texts = self.failed = 0
        self.first: EdgenerError | None = None

    def skip(self, error: UserInputError) -> None:
        self.skipped += 1
        click.echo(f"skipped {error.message}", err=True)

    def count(self, answer: Answer) -> None:
        self.texts += 1
        if isinstance(answer, EdgenerError):
            self.failed += 1
            self.first = self.first or answer

    def report(self) -> None:
        """Raise an error of the first one's class where something has no answer."""
        skipped = f"{self.skipped} of the lines could not be read and were skipped"
        if self.first:
            message = f"{self.failed} of {self.texts} texts without an answer: {self.first.message}"
            raise type(self.first)(f"{skipped}; {message}" if self.skipped else message, self.first.hint)
        if self.skipped:
            raise UserInputError(skipped)
