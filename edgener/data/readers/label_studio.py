"""Label Studio's JSON export: tasks with annotations, of which the first that was not cancelled counts."""

from __future__ import annotations

from typing import Any

from .records import BrokenRecordError, RecordFormat


def _results(record: Any) -> list[Any]:
    """The labelled regions of the first annotation that was not cancelled; relations and choices have no labels."""
    annotations = _objects(record.get("annotations") or record.get("completions") or [], "annotations")
    done = next((item for item in annotations if not item.get("was_cancelled")), {})
    values = [item.get("value") for item in _objects(done.get("result") or [], "a result")]
    return [value for value in values if isinstance(value, dict) and "labels" in value]


def _objects(value: Any, name: str) -> list[dict[str, Any]]:
    if not (isinstance(value, list) and all(isinstance(item, dict) for item in value)):
        raise BrokenRecordError(f"{name} as a list of objects")
    return value


FORMAT = RecordFormat(
    "label-studio",
    "Label Studio's JSON export (JSON-MIN is text-spans)",
    matches=lambda record: isinstance(record, dict) and isinstance(record.get("data"), dict),
    source=lambda record: record["data"].get("text"),
    entities=_results,
)
