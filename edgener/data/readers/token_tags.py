"""Tokens, or a text, with a tag per token, as data sets of the Hugging Face Hub have them, by name or by number."""

from __future__ import annotations

from collections import Counter
from typing import Any

from edgener.data.tags import TAG

from .records import RecordContent, RecordFormat, token_list
from .regions import BrokenRecordError
from .tagged import is_number

KEYS = ("ner_tags", "tags", "labels", "ner", "label", "ner_labels")
_SPANS = ("entities", "spans")


def _tags(record: Any) -> Any:
    """What stands under the first known key that holds no entities, or None."""
    found = (record[key] for key in KEYS if record.get(key) is not None)
    return next((tags for tags in found if not _holds_entities(tags)), None)


def _holds_entities(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict | list) for item in value)


def _matches(record: Any) -> bool:
    """Whether a record has tokens, and tags or anything else of one item per token instead of entities."""
    tokens = token_list(record)
    if tokens is None and _words(record):
        return True
    if tokens is None or any(isinstance(record.get(key), list) for key in _SPANS):
        return False
    if _tags(record) == []:
        return bool(tokens) and not any(record.get(key) == [] for key in ("label", "labels"))
    return _tags(record) is not None or _unknown_tags(record, tokens) != []


def _words(record: Any) -> list[str]:
    """The words of a record whose text has a tag per word in place of tokens; topics of a text are no such tags."""
    if not isinstance(record, dict) or not isinstance(record.get("text"), str) or "tokens" in record:
        return []
    tags = _tags(record)
    if not isinstance(tags, list) or not tags or not all(is_number(tag) or _is_tag(tag) for tag in tags):
        return []
    return list(record["text"].split())


def _is_tag(tag: Any) -> bool:
    return isinstance(tag, str) and bool(TAG.fullmatch(tag))


def _unknown_tags(record: dict[str, Any], tokens: list[Any]) -> list[str]:
    """Other keys whose lists could be tags; entities under a known key are none."""
    if not tokens or any(isinstance(record.get(key), list) for key in KEYS):
        return []
    lists = {key: value for key, value in record.items() if isinstance(value, list) and value is not tokens}
    return [key for key, value in lists.items() if len(value) == len(tokens) and not _holds_entities(value)]


def _content(record: Any, counts: Counter[str]) -> RecordContent:
    tags = _tags(record)
    if not isinstance(tags, list):
        unknown = [f'"{key}"' for key in _unknown_tags(record, token_list(record) or [])]
        found = ", ".join(unknown) if tags is None else repr(tags)
        raise BrokenRecordError(f"a list of tags under {', '.join(KEYS[:3])} or {KEYS[3]}, not {found}")
    return RecordContent(tokens=token_list(record) or _words(record), tags=tags)


FORMAT = RecordFormat(
    "token-tags",
    'objects with "tokens" and a tag per token in "ner_tags", "tags" or "labels" (Hugging Face Hub)',
    matches=_matches,
    content=_content,
)
