"""Records of annotation tools in a JSON array, JSON Lines or a table: one parser for every format of records."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgener.data import reasons
from edgener.data.sentences import sentence_of_text, sentence_of_tokens
from edgener.data.types import Sentence
from edgener_runtime.errors import UserInputError

from .lines import BadLines, Reading
from .regions import (
    OTHERS,
    BrokenRecordError,
    LeftOutError,
    accepted,
    answer_of,
    looks_like_entities,
    spans_of_text,
    spans_of_tokens,
)
from .tagged import TaggedTokens, is_number, read_tagged

_NEXT_ITEM = re.compile(r"[\s,]*(?=[^\s,\]])")
Rows = Iterable[tuple[int, Any]]


@dataclass(frozen=True)
class RecordContent:
    """What a record has: a text or tokens, and entities (None without a list of them) or a tag per token."""

    text: Any = None
    tokens: Any = None
    entities: Any = None
    tags: Any = None


@dataclass(frozen=True)
class RecordFormat:
    """One tool's record: whether a record matches, and how to get its content.

    `content` raises LeftOutError for a record that is not to be read, and BrokenRecordError.
    """

    name: str
    description: str
    matches: Callable[[Any], bool]
    content: Callable[[Any, Counter[str]], RecordContent]


def looks_like_json(path: Path, text: str) -> bool:
    """By the file's name, else by a first brace or bracket that is not a token with columns behind it."""
    if path.suffix in (".json", ".jsonl", ".ndjson"):
        return True
    first = next((line for line in text.split("\n") if line.strip()), "").strip()
    return first[:1] in ("{", "[") and first[1:].lstrip()[:1] in ("", '"', "{", "[")


def read_records(
    text: str, bad: BadLines, formats: Sequence[RecordFormat], options: Mapping[str, Any] | None = None
) -> Reading:
    """The sentences of a JSON array or of JSON Lines, and the name of the last record's format.

    Raises UserInputError for an array that is not JSON, and for a broken record unless `bad` skips it.
    """
    return read_rows(_records(text, bad), bad, formats, options or {})


def read_rows(rows: Rows, bad: BadLines, formats: Sequence[RecordFormat], options: Mapping[str, Any]) -> Reading:
    """The sentences of numbered records. Where some have entities, those without a list of them are left out."""
    labelled: list[Sentence | TaggedTokens] = []
    bare: list[Sentence | TaggedTokens] = []
    form = ""
    for line, record in rows:
        counts = Counter[str]()
        try:
            entry = _format_of(record, formats)
            content = _content(entry, record, counts)
            if content.tags is not None:
                labelled.append(_tagged(content, line))
            else:
                (bare if content.entities is None else labelled).append(_sentence(content, line, counts))
            form = entry.name
            bad.counts.update(counts)
        except LeftOutError as left_out:
            bad.counts[str(left_out)] += 1
        except BrokenRecordError as broken:
            bad.report(line, json.dumps(record, ensure_ascii=False, default=str), str(broken))
    if labelled and bare:
        bad.counts[reasons.UNLABELLED] += len(bare)
    sentences, scheme = _with_spans(labelled or bare, options, bad)
    return Reading(sentences, form, scheme, bool(labelled) or not bare)


def entity_list(record: dict[str, Any]) -> Any:
    """What stands under the known keys, first what looks like entities; else such a list under any key, or None."""
    known = [record[key] for key in ("entities", "label", "labels", "spans") if key in record]
    found = next((value for value in known if looks_like_entities(value)), None)
    if found is not None or known:
        return found or next((value for value in known if value is not None), None)
    return next((value for key, value in record.items() if key not in OTHERS and looks_like_entities(value)), None)


def token_list(record: Any) -> list[Any] | None:
    """A record's list of words; Prodigy's list of token objects belongs to text-spans."""
    if not isinstance(record, dict):
        return None
    tokens = next((record[key] for key in ("tokens", "words") if key in record), None)
    return None if not isinstance(tokens, list) or any(isinstance(token, dict) for token in tokens) else tokens


def _format_of(record: Any, formats: Sequence[RecordFormat]) -> RecordFormat:
    entry = next((entry for entry in formats if entry.matches(record)), None)
    if entry is None:
        raise BrokenRecordError(
            formats[0].description if len(formats) == 1 else 'an object with "text" or "tokens" and "entities"'
        )
    return entry


def _content(entry: RecordFormat, record: Any, counts: Counter[str]) -> RecordContent:
    """The content of a record that its annotator accepted; a record accepted without entities has none."""
    asked = isinstance(record, dict) and "answer" in record and _is_answered(record)
    answer = answer_of(record) if asked else "accept"
    if answer != "accept":
        raise LeftOutError(reasons.records_answered(answer))
    content = entry.content(record, counts)
    if content.entities is None and asked:
        return RecordContent(content.text, content.tokens, [], content.tags)
    return content


def _is_answered(record: dict[str, Any]) -> bool:
    """Whether an answer is one of Prodigy's, and not the answer to a question in the text."""
    known = record["answer"] is None or record["answer"] in ("accept", *filter(None, reasons.ANSWERS))
    return known or "spans" in record or any(key in record for key in ("_task_hash", "_input_hash"))


def _sentence(content: RecordContent, line: int, counts: Counter[str]) -> Sentence:
    entities = accepted([] if content.entities is None else content.entities, counts)
    if content.tokens is None:
        text, spans = spans_of_text(content.text, entities, counts)
        return sentence_of_text(text, spans, line, counts)
    tokens = _checked_tokens(content.tokens)
    return sentence_of_tokens(tokens, spans_of_tokens(tokens, entities), line, counts)


def _checked_tokens(tokens: Any) -> list[str]:
    if isinstance(tokens, list) and all(isinstance(token, str) and token for token in tokens):
        return tokens
    raise BrokenRecordError("a text, or a list of non-empty tokens")


def _tagged(content: RecordContent, line: int) -> TaggedTokens:
    """Tokens with a tag each, by name or by number."""
    tokens, tags = _checked_tokens(content.tokens), content.tags
    if len(tags) != len(tokens):
        raise BrokenRecordError(f"a tag for each of {len(tokens)} tokens, not {len(tags)} tags")
    for tag in tags:
        if not isinstance(tag, str) and not is_number(tag):
            raise BrokenRecordError(f"tags by name or number, not {tag!r}")
    return TaggedTokens(line, tokens, [str(tag) for tag in tags])


def _with_spans(
    labelled: Sequence[Sentence | TaggedTokens], options: Mapping[str, Any], bad: BadLines
) -> tuple[list[Sentence], str]:
    """The sentences in order, those with tags by the scheme of all tags. Raises UserInputError for a scheme in vain."""
    tagged = [item for item in labelled if isinstance(item, TaggedTokens)]
    if "scheme" in options and not tagged:
        raise UserInputError(f"{bad.path} has no tags for --scheme", "Leave out --scheme.")
    read, scheme = read_tagged(tagged, options, bad)
    whole = [item for item in labelled if isinstance(item, Sentence)]
    return sorted([*read, *whole], key=lambda sentence: sentence.line), scheme if tagged else ""


def _records(text: str, bad: BadLines) -> Iterator[tuple[int, Any]]:
    """(line, record): the items of one JSON array, numbered by their first line, or one record per line."""
    if _is_array_of_records(text):
        yield from _array_items(text, bad.path)
        return
    if record := _only_object(text):
        yield 1 + text[: text.index("{")].count("\n"), record
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


def _only_object(text: str) -> dict[str, Any] | None:
    """The object that is the whole file on several lines, or None."""
    head = text.lstrip()
    if not head.startswith("{") or head.split("\n", 1)[0].rstrip().endswith("}"):
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


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
