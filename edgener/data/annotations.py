"""JSON and JSON Lines of annotation tools: a table of shapes, each read to a text or token list with spans."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .lines import BadLines
from .spans import flatten, sentence_of_text
from .text import join_tokens
from .types import Sentence, Span

_START, _END, _LABEL = ("start", "start_offset"), ("end", "end_offset"), ("label", "labels", "type", "entity_label")


class _BrokenRecordError(Exception):
    """What a record lacks; turned into a message with its line by `read_annotations`."""


@dataclass(frozen=True)
class Shape:
    """One tool's record: how to know it, where its text or token list stands, and where its spans."""

    name: str
    fits: Callable[[Any], bool]
    text: Callable[[Any], Any]
    spans: Callable[[Any], Any]


def _label_studio_results(record: Any) -> list[Any]:
    annotations = record.get("annotations") or record.get("completions") or [{}]
    return [item["value"] for item in annotations[0].get("result", []) if "labels" in item.get("value", {})]


SHAPES = (
    Shape(
        "spacy",
        lambda record: isinstance(record, list) and len(record) == 2 and isinstance(record[1], dict),
        lambda record: record[0],
        lambda record: record[1].get("entities", []),
    ),
    Shape(
        "label-studio",
        lambda record: isinstance(record, dict) and isinstance(record.get("data"), dict),
        lambda record: record["data"].get("text"),
        _label_studio_results,
    ),
    Shape(
        "token-spans",
        lambda record: isinstance(record, dict) and isinstance(record.get("tokens"), list),
        lambda record: record["tokens"],
        lambda record: record.get("entities", []),
    ),
    Shape(
        "text-spans",
        lambda record: isinstance(record, dict) and "text" in record,
        lambda record: record["text"],
        lambda record: next((record[key] for key in ("entities", "label", "labels", "spans") if key in record), []),
    ),
)


def read_annotations(text: str, bad: BadLines, label_level: int | None = None) -> tuple[list[Sentence], str]:
    """The sentences of a JSON array or of JSON Lines, and the name of their shape.

    `label_level` cuts labels that are paths (`A/B/C`) after that many parts. Raises UserInputError at a broken record
    unless `bad` skips them.
    """
    sentences: list[Sentence] = []
    shape_name = ""
    for line, record in _records(text, bad):
        shape = next((shape for shape in SHAPES if shape.fits(record)), None)
        try:
            if shape is None:
                raise _BrokenRecordError('an object with "text" or "tokens" and "entities"')
            sentences.append(_sentence(shape, record, line, bad, label_level))
            shape_name = shape.name
        except _BrokenRecordError as broken:
            bad.report(line, json.dumps(record, ensure_ascii=False), str(broken))
    return sentences, shape_name


def _records(text: str, bad: BadLines) -> Iterator[tuple[int, Any]]:
    """(line, record): the items of one JSON array, numbered by the line they begin on, or one record a line."""
    if _is_array_of_records(text):
        yield from _array_items(text, bad)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError as error:
                bad.report(number, line, f"one JSON record a line ({error.msg} at column {error.colno})")


def _is_array_of_records(text: str) -> bool:
    """One array over the whole file, not a spaCy pair a line."""
    head = text.lstrip()
    return head.startswith("[") and head[1:].lstrip()[:1] in ("{", "[", "]")


def _array_items(text: str, bad: BadLines) -> Iterator[tuple[int, Any]]:
    decoder, position = json.JSONDecoder(), text.index("[") + 1
    while True:
        while position < len(text) and (text[position].isspace() or text[position] == ","):
            position += 1
        line = text.count("\n", 0, position) + 1
        if text[position : position + 1] == "]":
            return
        try:
            item, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            bad.report(error.lineno, text[position : position + 80], f"a JSON array of records ({error.msg})")
            return
        yield line, item


def _sentence(shape: Shape, record: Any, line: int, bad: BadLines, level: int | None) -> Sentence:
    source = shape.text(record)
    tokens = isinstance(source, list)
    if not (isinstance(source, str) or (tokens and all(isinstance(token, str) and token for token in source))):
        raise _BrokenRecordError("a text, or a list of tokens none of which is empty")
    items = shape.spans(record)
    if not isinstance(items, list):
        raise _BrokenRecordError("a list of entities")
    spans = [_span(item, len(source), level) for item in items]
    if not tokens:
        return sentence_of_text(source, spans, line, bad.counts)
    text, offsets = join_tokens(source)
    return Sentence(text, offsets, flatten(spans, bad.counts), line)


def _span(item: Any, length: int, level: int | None) -> Span:
    if isinstance(item, list) and len(item) == 3:
        start, end, label = item
    elif isinstance(item, dict):
        start, end, label = (_first(item, names) for names in (_START, _END, _LABEL))
    else:
        raise _BrokenRecordError('entities as {"start", "end", "label"} or [start, end, "label"]')
    label = label[0] if isinstance(label, list) and label else label
    if not (type(start) is int and type(end) is int and 0 <= start < end <= length):
        raise _BrokenRecordError(f"an entity with 0 <= start < end <= {length}, not {start!r} to {end!r}")
    if not isinstance(label, str) or not label.strip():
        raise _BrokenRecordError(f"an entity with a label, not {label!r}")
    return Span("/".join(label.split("/")[:level]) if level else label, start, end)


def _first(item: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((item[name] for name in names if name in item), None)
