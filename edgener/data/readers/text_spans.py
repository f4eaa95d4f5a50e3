"""Texts with spans that count characters: doccano, Prodigy, Label Studio's JSON-MIN, and plain JSON Lines."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from edgener.data import reasons

from .records import RecordContent, RecordFormat, entity_list
from .regions import BrokenRecordError, LeftOutError, hidden_entities, is_region

_ANNOTATED = ("annotator", "annotation_id", "lead_time")  # keys of a task of JSON-MIN that somebody worked on
_BESIDE = (*_ANNOTATED, "created_at", "updated_at")


def _matches(record: Any) -> bool:
    if not isinstance(record, dict):
        return False
    return "text" in record or bool(_regions(record)) or _is_annotated(record)


def _is_annotated(record: dict[str, Any]) -> bool:
    return any(key in record for key in _ANNOTATED)


def _regions(record: dict[str, Any]) -> list[Any]:
    """The regions of JSON-MIN, which stand under the names of their tags."""
    lists = [value for value in record.values() if isinstance(value, list) and value and all(map(is_region, value))]
    return [region for regions in lists for region in regions]


def _text(record: dict[str, Any]) -> Any:
    return record["text"] if "text" in record else text_with(record, _regions(record))


def text_with(fields: dict[str, Any], regions: list[Any]) -> Any:
    """The one field with the marked texts of regions, or the only text.

    Raises BrokenRecordError with the names of the fields where that leaves a choice.
    """
    marked = [region["text"] for region in regions if isinstance(region.get("text"), str)]
    dialogues = [value for value in fields.values() if _is_dialogue(value)]
    texts = {key: value for key, value in fields.items() if isinstance(value, str) and key not in _BESIDE}
    fitting = [text for text in texts.values() if marked and all(part in text for part in marked)]
    for found in (dialogues, fitting, [*texts.values()]):
        if len(found) == 1:
            return found[0]
    names = ", ".join(json.dumps(name, ensure_ascii=False) for name in texts)
    raise BrokenRecordError(
        'the text under the key "text"; ' + (f"texts are under {names}" if names else "none is there")
    )


def _is_dialogue(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(part, dict) for part in value)
        and not any(map(is_region, value))
    )


def _content(record: Any, counts: Counter[str]) -> RecordContent:
    if record.get("was_cancelled") is True:
        raise LeftOutError(reasons.CANCELLED)
    entities = _regions(record) or entity_list(record)
    if entities is None and _is_annotated(record):
        entities = []
    if entities is None and (where := hidden_entities(record)):
        raise BrokenRecordError(f'entities under "entities", "label", "labels" or "spans", not under {where}')
    return RecordContent(text=_text(record), entities=entities)


FORMAT = RecordFormat(
    "text-spans",
    'objects with "text" and "entities", "label", "labels" or "spans" that count characters (doccano, Prodigy)',
    matches=_matches,
    content=_content,
)
