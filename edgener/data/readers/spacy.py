"""spaCy's training pairs: [text, {"entities": [[start, end, label], ...]}]."""

from __future__ import annotations

from .records import RecordContent, RecordFormat

FORMAT = RecordFormat(
    "spacy",
    'spaCy: [text, {"entities": [[start, end, label]]}]',
    matches=lambda record: isinstance(record, list) and len(record) == 2 and isinstance(record[1], dict),
    content=lambda record, counts: RecordContent(text=record[0], entities=record[1].get("entities")),
)
