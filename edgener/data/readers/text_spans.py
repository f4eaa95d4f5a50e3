"""Texts with spans that count characters: doccano, Prodigy, Label Studio's JSON-MIN, and plain JSON Lines."""

from __future__ import annotations

from .records import RecordFormat, entity_list

FORMAT = RecordFormat(
    "text-spans",
    'objects with "text" and "entities", "label", "labels" or "spans" that count characters (doccano, Prodigy)',
    matches=lambda record: isinstance(record, dict) and "text" in record,
    source=lambda record: record["text"],
    entities=entity_list,
)
