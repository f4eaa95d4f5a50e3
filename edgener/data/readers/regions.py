"""Marked regions of a record: their labels and offsets in the spellings of the tools, checked by their text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgener.data import reasons
from edgener.data.text.marked import MarkedText, locate, same_text
from edgener.data.text.markup import page_text
from edgener.data.types import Span

_START, _END = ("start", "start_offset"), ("end", "end_offset")
_LABEL = ("label", "labels", "type", "entity_label", "hypertextlabels", "paragraphlabels")
_ALSO_MARKED = ("word", "value", "mention", "surface", "quote")  # the marked text, or a normalised form of it
OTHERS = ("tokens", "words", "relations", "predictions")  # keys whose lists may look like entities
_LABEL_LISTS = ("labels", "hypertextlabels", "paragraphlabels")


class BrokenRecordError(Exception):
    """The expected content of a broken record; `read_records` adds the line."""


class LeftOutError(Exception):
    """The reason for which a record is left out."""


@dataclass(frozen=True)
class Region:
    """The labels of an entity, several where an annotator gave it several, and where it is."""

    labels: tuple[str, ...]
    marked: MarkedText


def first_of(item: dict[str, Any], names: Sequence[str]) -> Any:
    """The value of the first of these keys that the object has, or None."""
    return next((item[name] for name in names if name in item), None)


def range_of(item: dict[str, Any]) -> tuple[int, int]:
    """The start and end of an entity, -1 for what is not a number."""
    start, end = (first_of(item, names) for names in (_START, _END))
    return (start if type(start) is int else -1), (end if type(end) is int else -1)


def is_region(item: Any) -> bool:
    """Whether an item of a list is a marked region of Label Studio."""
    return (
        isinstance(item, dict)
        and any(isinstance(item.get(name), list) for name in _LABEL_LISTS)
        and ("start" in item or "globalOffsets" in item)
    )


def looks_like_entities(value: Any) -> bool:
    """Whether a value is a list of objects with a start, or of triples of start, end and label."""
    return isinstance(value, list) and bool(value) and all(map(_looks_like_entity, value))


def _looks_like_entity(item: Any) -> bool:
    if isinstance(item, dict):
        return any(name in item for name in (*_START, "startOffset", "begin", "offset"))
    return isinstance(item, list) and len(item) == 3 and [type(part) for part in item] == [int, int, str]


def hidden_entities(value: Any, depth: int = 4) -> str:
    """The keys under which a record has something that looks like entities, joined by dots, or nothing."""
    if not isinstance(value, dict) or not depth:
        return ""
    for key, inside in value.items():
        if key not in OTHERS and (looks_like_entities(inside) or (below := hidden_entities(inside, depth - 1))):
            return key if looks_like_entities(inside) else f"{key}.{below}"
    return ""


def accepted(items: Any, counts: Counter[str]) -> list[Any]:
    """The entities of a record without those that an annotator rejected, as Prodigy has them, and left open."""
    if not isinstance(items, list):
        raise BrokenRecordError("a list of entities")
    kept = []
    for item in items:
        answer = answer_of(item)
        if answer == "accept":
            kept.append(item)
        else:
            counts[reasons.entities_answered(answer)] += 1
    if len(kept) < len(items):
        counts[reasons.REJECTED_PARTS] += 1
    return kept


def answer_of(item: Any) -> str | None:
    """An object's answer: accept, reject, ignore, or None where it is open; one that nobody asked for is accepted."""
    if not isinstance(item, dict) or "answer" not in item:
        return "accept"
    answer = item["answer"]
    if answer is not None and (not isinstance(answer, str) or answer not in ("accept", *reasons.ANSWERS)):
        raise BrokenRecordError(f'an answer that is "accept", "reject" or "ignore", not {answer!r}')
    return answer


def spans_of_text(source: Any, items: Sequence[Any], counts: Counter[str]) -> tuple[str, list[Span]]:
    """The text of a record and its entities in characters of it.

    `source` is a text, HTML where the offsets say so, or a list of paragraphs. Raises BrokenRecordError.
    """
    objects = [item for item in items if isinstance(item, dict)]
    if isinstance(source, list) and source:
        text, items = _joined_paragraphs(source, objects)
    elif isinstance(source, str):
        is_html = len(objects) == len(items) and _is_html(source, objects)  # [start, end, label] counts the text's own
        text, items = _shown(source, objects) if is_html else (source, list(items))
    else:
        raise BrokenRecordError("a text, or a list of non-empty tokens")
    regions = [_region(item, text) for item in items]
    ranges = _located(text, [region.marked for region in regions])
    moved = sum(
        found != (region.marked.start, region.marked.end) for found, region in zip(ranges, regions, strict=True)
    )
    if moved:
        counts[reasons.OFFSETS] += moved
    pairs = zip(ranges, regions, strict=True)
    return text, [Span(label, start, end) for (start, end), region in pairs for label in region.labels]


def spans_of_tokens(tokens: Sequence[str], items: Sequence[Any]) -> list[Span]:
    """Entities that count tokens. Raises BrokenRecordError."""
    spans = []
    for item in items:
        region = _region(item)
        start, end = _checked(region.marked, len(tokens))
        marked, there = region.marked.text, "".join(tokens[start:end])
        if marked and not same_text("".join(marked.split()), "".join(there.split())):
            raise BrokenRecordError(f"the marked text {marked!r} in tokens {start} to {end}, not {there!r}")
        spans += [Span(label, start, end) for label in region.labels]
    return spans


def _located(text: str, marked: list[MarkedText]) -> list[tuple[int, int]]:
    if not any(item.text for item in marked):
        return [_checked(item, len(text)) for item in marked]
    found = locate(text, marked)
    if isinstance(found, MarkedText):
        if found.text is None:
            return [_checked(found, len(text))]
        there = text[found.start or 0 : found.end or 0]
        raise BrokenRecordError(f"the marked text {found.text!r} at {found.start} to {found.end}, not {there!r}")
    return found


def _checked(item: MarkedText, length: int) -> tuple[int, int]:
    start, end = item.start, item.end
    if type(start) is int and type(end) is int and 0 <= start < end <= length:
        return start, end
    raise BrokenRecordError(f"an entity with 0 <= start < end <= {length}, not {start!r} to {end!r}")


def _region(item: Any, source: str = "") -> Region:
    """The labels, offsets and marked text of an item; under names other than "text" it must occur in the source."""
    if isinstance(item, list) and len(item) == 3:
        start, end, label = item
        marked = None
    elif isinstance(item, dict):
        start, end, label = (first_of(item, names) for names in (_START, _END, _LABEL))
        others = (item.get(name) for name in _ALSO_MARKED)
        marked = item.get("text") or next((text for text in others if isinstance(text, str) and text in source), None)
    else:
        raise BrokenRecordError('entities as {"start", "end", "label"} or [start, end, "label"]')
    labels = label if isinstance(label, list) else [label]
    if not labels or not all(map(_is_label, labels)):
        raise BrokenRecordError(f"an entity with a label, not {label!r}")
    text = marked if isinstance(marked, str) and marked.strip() else None
    if text and not all(value is None or type(value) is int for value in (start, end)):
        raise BrokenRecordError(f"an entity with a start and an end, not {start!r} to {end!r}")
    return Region(tuple(labels), MarkedText(start, end, text))


def _is_label(label: Any) -> bool:
    return isinstance(label, str) and bool(label.strip()) and label.isprintable() and label != "O"


def _is_html(source: str, items: Sequence[dict[str, Any]]) -> bool:
    """By offsets that are paths; in a record without entities by the end of an element."""
    if items:
        return any(isinstance(item.get("start"), str) or "hypertextlabels" in item for item in items)
    return any(f"</{tag}>" in source.lower() for tag in ("p", "div", "span", "body", "html", "li", "td", "b", "i"))


def _shown(source: str, items: Sequence[dict[str, Any]]) -> tuple[str, list[Any]]:
    """The text of an HTML document, and its regions with offsets in that text."""
    page = page_text(source)
    placed = []
    for item in items:
        offsets = item.get("globalOffsets")
        start, end = (offsets.get("start"), offsets.get("end")) if isinstance(offsets, dict) else (None, None)
        found = page.range_of(start, end) if type(start) is int and type(end) is int else None
        placed.append({**item, "start": found and found[0], "end": found and found[1]})
    return page.text, placed


def _joined_paragraphs(source: list[Any], items: Sequence[dict[str, Any]]) -> tuple[str, list[Any]]:
    """The paragraphs of a dialogue, one per line, and their regions with offsets in that text."""
    texts = [_paragraph(part) for part in source]
    starts = [0]
    for text in texts:
        starts.append(starts[-1] + len(text) + 1)
    placed = []
    for item in items:
        first, last = (_number(item.get(name), len(texts)) for name in ("start", "end"))
        offsets = item.get("startOffset"), item.get("endOffset")
        if type(offsets[0]) is not int or type(offsets[1]) is not int:
            raise BrokenRecordError(
                f"a region with a startOffset and an endOffset, not {offsets[0]!r} to {offsets[1]!r}"
            )
        placed.append({**item, "start": starts[first] + offsets[0], "end": starts[last] + offsets[1]})
    return "\n".join(texts), placed


def _paragraph(part: Any) -> str:
    """The text of a paragraph, under the key of that name or the only one left beside its speaker."""
    if isinstance(part, dict):
        texts = {name: value for name, value in part.items() if isinstance(value, str)}
        if "text" in texts:
            return texts["text"]
        others = [value for name, value in texts.items() if name not in ("author", "speaker", "name", "id")]
        if len(others) == 1:
            return others[0]
    raise BrokenRecordError('paragraphs with a "text"')


def _number(value: Any, count: int) -> int:
    """The number of a paragraph, which Label Studio writes as a string."""
    if isinstance(value, str | int) and str(value).isdecimal() and int(value) < count:
        return int(value)
    raise BrokenRecordError(f"the number of a paragraph below {count}, not {value!r}")
