"""JSON and JSON Lines of annotation tools: a table of shapes, each read to a text or token list with spans."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgener.data.spans import flatten, sentence_of_text
from edgener.data.types import Sentence, Span
from edgener_runtime.errors import UserInputError

from .lines import BadLines
from .text import join_tokens

_START, _END, _LABEL = ("start", "start_offset"), ("end", "end_offset"), ("label", "labels", "type", "entity_label")
_NEXT_ITEM = re.compile(r"[\s,]*(?=[^\s,\]])")


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
    """The labelled regions of the first annotation that was not cancelled; relations and choices have no labels."""
    annotations = _objects(record.get("annotations") or record.get("completions") or [], "annotations")
    done = next((item for item in annotations if not item.get("was_cancelled")), {})
    values = [item.get("value") for item in _objects(done.get("result") or [], "a result")]
    return [value for value in values if isinstance(value, dict) and "labels" in value]


def _objects(value: Any, name: str) -> list[dict[str, Any]]:
    if not (isinstance(value, list) and all(isinstance(item, dict) for item in value)):
        raise _BrokenRecordError(f"{name} as a list of objects")
    return value


def _entity_list(record: dict[str, Any]) -> Any:
    return next((record[key] for key in ("entities", "label", "labels", "spans") if key in record), None)


def _has_token_list(record: Any) -> bool:
    """A list of strings; Prodigy's list of token objects stands beside the text that its spans count in."""
    tokens = record.get("tokens") if isinstance(record, dict) else None
    return isinstance(tokens, list) and not any(isinstance(token, dict) for token in tokens)


SHAPES = (
    Shape(
        "spacy",
        lambda record: isinstance(record, list) and len(record) == 2 and isinstance(record[1], dict),
        lambda record: record[0],
        lambda record: record[1].get("entities"),
    ),
    Shape(
        "label-studio",
        lambda record: isinstance(record, dict) and isinstance(record.get("data"), dict),
        lambda record: record["data"].get("text"),
        _label_studio_results,
    ),
    Shape(
        "token-spans",
        _has_token_list,
        lambda record: record["tokens"],
        _entity_list,
    ),
    Shape(
        "text-spans",
        lambda record: isinstance(record, dict) and "text" in record,
        lambda record: record["text"],
        _entity_list,
    ),
)


def read_annotations(text: str, bad: BadLines) -> tuple[list[Sentence], str]:
    """The sentences of a JSON array or of JSON Lines, and the name of their shape.

    Raises UserInputError where an array is no JSON, and at a broken record unless `bad` skips them.
    """
    sentences: list[Sentence] = []
    shape_name = ""
    for line, record in _records(text, bad):
        shape = next((shape for shape in SHAPES if shape.fits(record)), None)
        try:
            if shape is None:
                raise _BrokenRecordError('an object with "text" or "tokens" and "entities"')
            sentences.append(_sentence(shape, record, line, bad.counts))
            shape_name = shape.name
        except _BrokenRecordError as broken:
            bad.report(line, json.dumps(record, ensure_ascii=False), str(broken))
    return sentences, shape_name


def _records(text: str, bad: BadLines) -> Iterator[tuple[int, Any]]:
    """(line, record): the items of one JSON array, numbered by the line they begin on, or one record a line."""
    if _is_array_of_records(text):
        yield from _array_items(text, bad.path)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                bad.report(number, line, f"one JSON record a line ({_json_fault(error)})")


def _is_array_of_records(text: str) -> bool:
    """One array over the whole file, not a spaCy pair a line."""
    head = text.lstrip()
    return head.startswith("[") and head[1:].lstrip()[:1] in ("{", "[", "]")


def _array_items(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    """A broken array is an error even where lines are skipped: nobody knows where behind the fault a record begins."""
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserInputError(
            f"{path}: expected a JSON array of records ({_json_fault(error)})",
            "Mend the file; of JSON Lines, one record a line, single lines can be left out.",
        ) from None
    decoder, position, line = json.JSONDecoder(), text.index("[") + 1, 1 + text.count("\n", 0, text.index("["))
    while item := _NEXT_ITEM.match(text, position):
        line += text.count("\n", position, item.end())
        record, position = decoder.raw_decode(text, item.end())
        yield line, record
        line += text.count("\n", item.end(), position)


def _json_fault(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    return str(error)


def _sentence(shape: Shape, record: Any, line: int, counts: Counter[str]) -> Sentence:
    source = shape.text(record)
    tokens = isinstance(source, list)
    if not (isinstance(source, str) or (tokens and all(isinstance(token, str) and token for token in source))):
        raise _BrokenRecordError("a text, or a list of tokens none of which is empty")
    items = shape.spans(record)
    if items is None:
        counts["records without an entity list"] += 1
        items = []
    if not isinstance(items, list):
        raise _BrokenRecordError("a list of entities")
    spans = [span for item in items for span in _spans(item, len(source))]
    if not tokens:
        return sentence_of_text(source, spans, line, counts)
    text, offsets = join_tokens(source)
    return Sentence(text, offsets, flatten(spans, counts), line)


def _spans(item: Any, length: int) -> list[Span]:
    """One span a label: an annotator may have given a region several."""
    if isinstance(item, list) and len(item) == 3:
        start, end, label = item
    elif isinstance(item, dict):
        start, end, label = (_first(item, names) for names in (_START, _END, _LABEL))
    else:
        raise _BrokenRecordError('entities as {"start", "end", "label"} or [start, end, "label"]')
    if not (type(start) is int and type(end) is int and 0 <= start < end <= length):
        raise _BrokenRecordError(f"an entity with 0 <= start < end <= {length}, not {start!r} to {end!r}")
    labels = label if isinstance(label, list) else [label]
    if not labels or not all(isinstance(label, str) and label.strip() and label.isprintable() for label in labels):
        raise _BrokenRecordError(f"an entity with a label, not {label!r}")
    return [Span(label, start, end) for label in labels]


def _first(item: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((item[name] for name in names if name in item), None)
