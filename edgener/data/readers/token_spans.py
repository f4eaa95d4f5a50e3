"""Token lists with spans that count tokens, as in MaintIE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .records import RecordContent, RecordFormat, entity_list, token_list
from .regions import BrokenRecordError, range_of


def _matches(record: Any) -> bool:
    """Whether a record has a list of words, and entities that do not count the characters of a text beside it."""
    tokens = token_list(record)
    if tokens is None:
        return False
    entities = entity_list(record)
    items = [item for item in entities if isinstance(item, dict)] if isinstance(entities, list) else []
    if "text" in record and any("token_start" in item for item in items):  # Prodigy's
        return False
    return not (items and isinstance(record.get("text"), str) and _counts_characters(record["text"], tokens, items))


def _counts_characters(text: str, tokens: Sequence[Any], items: Sequence[dict[str, Any]]) -> bool:
    """Whether entities begin and end where words of the text do. Raises BrokenRecordError where that may be chance."""
    ranges, spans = _ranges(text, tokens), [range_of(item) for item in items]
    if not {start for start, _ in spans} <= {start for start, _ in ranges}:
        return False
    if not {end for _, end in spans} <= {end for _, end in ranges}:
        return False
    if not all(0 <= start < end <= len(tokens) for start, end in spans):
        return True
    if all((start, end) == (ranges[start][0], ranges[end - 1][1]) for start, end in spans):
        return False
    if any(item.get("text") for item in items):
        return all(text[start:end] == item.get("text") for item, (start, end) in zip(items, spans, strict=True))
    raise BrokenRecordError('entities that count either the characters of "text" or the tokens; remove one of the two')


def _ranges(text: str, tokens: Sequence[Any]) -> list[tuple[int, int]]:
    """Where each word stands in the text; nothing where one is missing."""
    ranges, end = list[tuple[int, int]](), 0
    for token in tokens:
        start = text.find(token, end) if isinstance(token, str) and token else -1
        if start < 0:
            return []
        end = start + len(token)
        ranges.append((start, end))
    return ranges


FORMAT = RecordFormat(
    "token-spans",
    'objects with "tokens" and "entities" that count tokens',
    matches=_matches,
    content=lambda record, counts: RecordContent(tokens=token_list(record), entities=entity_list(record)),
)
