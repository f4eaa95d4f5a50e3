"""Label Studio's JSON export: tasks with annotations, of which the starred or the first one counts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from edgener.data import reasons

from .records import RecordContent, RecordFormat
from .regions import BrokenRecordError, LeftOutError, is_region
from .text_spans import text_with

_BARE = ("text", "hypertext", "paragraphs", "hypertextregion")  # types of regions before they get a label
_READ = ("labels", "hypertextlabels", "paragraphlabels")


def _content(record: Any, counts: Counter[str]) -> RecordContent:
    annotation = _annotation(record, counts)
    results = _objects(annotation.get("result") or [], "a result")
    regions = [value for value in map(_region, results) if value]
    sources = {str(result.get("to_name")) for result in results if _region(result)}
    if len(sources) > 1:
        raise BrokenRecordError(f"regions of one text, not of {', '.join(sorted(sources))}")
    if bare := sum(map(_is_bare, results)):
        counts[reasons.WITHOUT_LABEL] += bare
    data = record["data"]
    return RecordContent(text=data["text"] if "text" in data else text_with(data, regions), entities=regions)


def _annotation(record: Any, counts: Counter[str]) -> dict[str, Any]:
    """The annotation of a task. Raises LeftOutError where it has none."""
    every = _objects(record.get("annotations") or record.get("completions") or [], "annotations")
    finished = [item for item in every if not item.get("was_cancelled")]
    done = [item for item in finished if item.get("last_action") != "rejected"]  # by a reviewer
    if not done:
        if finished:
            raise LeftOutError(reasons.records_answered("reject"))
        if every:
            raise LeftOutError(reasons.CANCELLED)
        raise LeftOutError(reasons.PREDICTED if record.get("predictions") else reasons.UNANNOTATED)
    chosen = next((item for item in done if item.get("ground_truth")), done[0])
    if len(done) > 1:
        counts[reasons.FURTHER_ANNOTATIONS] += len(done) - 1
    return chosen


def _region(result: dict[str, Any]) -> dict[str, Any] | None:
    """A labelled region of text; relations, choices and the like are none. Raises BrokenRecordError for others."""
    value, kind = result.get("value"), result.get("type", "labels")
    if not isinstance(value, dict) or not isinstance(kind, str):
        return None
    if not any(key in value for key in _READ):
        if kind.endswith("labels") and kind not in _READ:
            raise BrokenRecordError(f"regions of text, not of the type {kind}")
        return None
    return value if any(value.get(key) for key in _READ) or not is_region(value) else None


def _is_bare(result: dict[str, Any]) -> bool:
    """Whether a result is a region of text without a label."""
    value = result.get("value")
    if not isinstance(value, dict):
        return False
    unlabelled = is_region(value) and not any(value.get(key) for key in _READ)
    return unlabelled or (result.get("type") in _BARE and not any(key in value for key in _READ))


def _objects(value: Any, name: str) -> list[dict[str, Any]]:
    if not (isinstance(value, list) and all(isinstance(item, dict) for item in value)):
        raise BrokenRecordError(f"{name} as a list of objects")
    return value


FORMAT = RecordFormat(
    "label-studio",
    "Label Studio's JSON export (JSON-MIN is text-spans)",
    matches=lambda record: isinstance(record, dict) and isinstance(record.get("data"), dict),
    content=_content,
)
