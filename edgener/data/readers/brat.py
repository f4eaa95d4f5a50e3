"""BRAT's folders: a .txt and an .ann file per document, whose lines become sentences."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from edgener.data import reasons
from edgener.data.sentences import sentence_of_text
from edgener.data.text.marked import MarkedText, locate
from edgener.data.types import Sentence, Span
from edgener_runtime.errors import UserInputError

from .lines import BadLines, DataFile, Reading, read_raw

_ENTITY = re.compile(r"T\S*\t(\S+) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?")
_EXPECTED = "an entity as T1, a tab, LABEL START END, a tab and its text"


@dataclass(frozen=True)
class BratEntity:
    """A text-bound annotation: its line in the file, its label, its parts in characters and its text."""

    line: int
    label: str
    parts: tuple[tuple[int, int], ...]
    text: str


def is_brat(path: Path) -> bool:
    """Whether a folder holds .ann files."""
    try:
        return path.is_dir() and any(file.suffix == ".ann" for file in path.iterdir())
    except OSError:
        return False


def is_part(path: Path) -> bool:
    """Whether a file is one of the two of a document."""
    other = {".txt": ".ann", ".ann": ".txt"}.get(path.suffix)
    return other is not None and path.with_suffix(other).is_file()


def read(file: DataFile, bad: BadLines, options: Mapping[str, Any]) -> Reading:
    """The sentences of every document of a folder, in the order of their names."""
    sentences: list[Sentence] = []
    texts = {path.stem: path for path in sorted(file.path.glob("*.txt"))}
    for annotated in sorted(file.path.glob("*.ann")):
        if annotated.stem not in texts:
            raise UserInputError(f"{annotated} has no {annotated.stem}.txt beside it", "Copy the whole folder.")
    for number, path in enumerate(texts.values(), start=1):
        text, annotations = read_raw(path), path.with_suffix(".ann")
        if not annotations.is_file():
            bad.counts[reasons.NO_ANNOTATION_FILE] += sum(bool(line.strip()) for line in text.split("\n"))
            continue
        own = BadLines(annotations, bad.skip, bad.counts)
        sentences += _document(text, list(_entities(read_raw(annotations), own)), own, number)
    return Reading(sentences, "brat")


def _entities(text: str, bad: BadLines) -> Iterator[BratEntity]:
    """The entities of an .ann file; relations, events, attributes and notes are none."""
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if not line.startswith("T"):
            continue
        match = _ENTITY.fullmatch(line)
        if match is None:
            bad.report(number, line, _EXPECTED)
            continue
        parts = tuple((int(part.split()[0]), int(part.split()[1])) for part in match[2].split(";"))
        yield BratEntity(number, match[1], parts, match[3] or "")


def _document(text: str, entities: Sequence[BratEntity], bad: BadLines, number: int) -> Iterator[Sentence]:
    """One sentence per line; an entity over a line end joins the lines that it touches."""
    spans = [span for entity in entities if (span := _span(text, entity, bad))]
    bounds = list(_lines(text, spans))
    starts = [start for start, _ in bounds]
    line_spans: list[list[Span]] = [[] for _ in bounds]
    for span in spans:
        line_spans[bisect_right(starts, span.start) - 1].append(span)
    for (start, end), own in zip(bounds, line_spans, strict=True):
        if text[start:end].strip():
            shifted = [Span(span.label, span.start - start, span.end - start) for span in own]
            line = text.count("\n", 0, start) + 1
            found = sentence_of_text(text[start:end], shifted, line, bad.counts)
            yield Sentence(found.text, found.offsets, found.spans, line, number)


def _span(text: str, entity: BratEntity, bad: BadLines) -> Span | None:
    """An entity in characters of its document, or None for a discontinuous one and for one in another place."""
    start, end = entity.parts[0][0], entity.parts[-1][1]
    if any(text[before[1] : after[0]].strip() or before[1] > after[0] for before, after in pairwise(entity.parts)):
        bad.counts[reasons.DISCONTINUOUS] += 1
        return None
    found = locate(text, [MarkedText(start, end, entity.text)])
    if isinstance(found, MarkedText):
        there = text[start:end]
        bad.report(entity.line, f"{entity.label} {start} {end} {entity.text}", f"its text there, not {there[:100]!r}")
        return None
    if len(entity.parts) > 1:
        bad.counts[reasons.JOINED] += 1
    if found[0] != (start, end):
        bad.counts[reasons.OFFSETS] += 1
    return Span(entity.label, *found[0])


def _lines(text: str, spans: Sequence[Span]) -> Iterator[tuple[int, int]]:
    """The (start, end) of each line, of several where an entity is over their end."""
    covered = {index for span in spans for index in range(span.start, span.end) if text[index] == "\n"}
    start = 0
    for index, char in enumerate(text):
        if char == "\n" and index not in covered:
            yield start, index - (text[index - 1 : index] == "\r")
            start = index + 1
    yield start, len(text)
