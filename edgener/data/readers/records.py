"""Records of annotation tools in a JSON array or JSON Lines: one parser for every format of records."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgener.data.sentences import flatten, join_tokens, sentence_of_text
from edgener.data.types import Sentence, Span
from edgener_runtime.errors import UserInputError

from .lines import BadLines

_START, _END, _LABEL = ("start", "start_offset"), ("end", "end_offset"), ("label", "labels", "type", "entity_label")
_NEXT_ITEM = re.compile(r"[\s,]*(?=[^\s,\]])")


class BrokenRecordError(Exception):
    """The expected content of a broken record; `read_records` adds the line."""


@dataclass(frozen=True)
class RecordFormat:
    """One tool's record: whether a record matches, and how to get its text or token list and its entities."""

    name: str
    description: str
    matches: Callable[[Any], bool]
    source: Callable[[Any], Any]
    entities: Callable[[Any], Any]


def looks_like_json(path: Path, text: str) -> bool:
    """By the file's name, else by a first brace or bracket that is not a token with columns behind it."""
    if path.suffix in (".json", ".jsonl", ".ndjson"):
        return True
    first = next((line for line in text.split("\n") if line.strip()), "").strip()
    return first[:1] in ("{", "[") and first[1:].lstrip()[:1] in ("", '"', "{", "[")


def read_records(text: str, bad: BadLines, formats: Sequence[RecordFormat]) -> tuple[list[Sentence], str]:
    """The sentences of a JSON array or of JSON Lines, and the name of the last record's format.

    Raises UserInputError for an array that is not JSON, and for a broken record unless `bad` skips it.
    """
    sentences: list[Sentence] = []
    name = ""
    for line, record in _records(text, bad):
        entry = next((entry for entry in formats if entry.matches(record)), None)
        try:
            if entry is None:
                raise BrokenRecordError(_expected(formats))
            sentences.append(_sentence(entry, record, line, bad.counts))
            name = entry.name
        except BrokenRecordError as broken:
            bad.report(line, json.dumps(record, ensure_ascii=False), str(broken))
    return sentences, name


def entity_list(record: dict[str, Any]) -> Any:
    """The list under the first known key, or None."""
    return next((record[key] for key in ("entities", "label", "labels", "spans") if key in record), None)


def _expected(formats: Sequence[RecordFormat]) -> str:
    return formats[0].description if len(formats) == 1 else 'an object with "text" or "tokens" and "entities"'


def _records(text: str, bad: BadLines) -> Iterator[tuple[int, Any]]:
    """(line, record): the items of one JSON array, numbered by their first line, or one record per line."""
    if _is_array_of_records(text):
        yield from _array_items(text, bad.path)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                bad.report(number, line, f"one JSON record per line ({_json_fault(error)})")


def _is_array_of_records(text: str) -> bool:
    """Whether the whole file is one array, in contrast to one spaCy pair per line."""
    head = text.lstrip()
    return head.startswith("[") and head[1:].lstrip()[:1] in ("{", "[", "]")


def _array_items(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    """A broken array is an error even where lines are skipped: the next record has no recognisable start."""
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserInputError(
            f"{path}: expected a JSON array of records ({_json_fault(error)})",
            "Fix the file. In JSON Lines, one record per line, single lines can be skipped.",
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


def _sentence(entry: RecordFormat, record: Any, line: int, counts: Counter[str]) -> Sentence:
    source = entry.source(record)
    tokens = isinstance(source, list)
    if not (isinstance(source, str) or (tokens and all(isinstance(token, str) and token for token in source))):
        raise BrokenRecordError("a text, or a list of non-empty tokens")
    items = entry.entities(record)
    if items is None:
        counts["records without an entity list"] += 1
        items = []
    if not isinstance(items, list):
        raise BrokenRecordError("a list of entities")
    spans = [span for item in items for span in _spans(item, len(source))]
    if not tokens:
        return sentence_of_text(source, spans, line, counts)
    text, offsets = join_tokens(source)
    return Sentence(text, offsets, flatten(spans, counts), line)


def _spans(item: Any, length: int) -> list[Span]:
    """One span per label: an annotator may have given a region several."""
    if isinstance(item, list) and len(item) == 3:
        start, end, label = item
    elif isinstance(item, dict):
        start, end, label = (_first(item, names) for names in (_START, _END, _LABEL))
    else:
        raise BrokenRecordError('entities as {"start", "end", "label"} or [start, end, "label"]')
    if not (type(start) is int and type(end) is int and 0 <= start < end <= length):
        raise BrokenRecordError(f"an entity with 0 <= start < end <= {length}, not {start!r} to {end!r}")
    labels = label if isinstance(label, list) else [label]
    if not labels or not all(isinstance(label, str) and label.strip() and label.isprintable() for label in labels):
        raise BrokenRecordError(f"an entity with a label, not {label!r}")
    return [Span(label, start, end) for label in labels]


def _first(item: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((item[name] for name in names if name in item), None)
