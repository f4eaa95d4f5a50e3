"""spaCy's training pairs: [text, {"entities": [[start, end, label], ...]}]."""

from __future__ import annotations

from .records import RecordFormat

FORMAT = RecordFormat(
    "spacy",
    'spaCy: [text, {"entities": [[start, end, label]]}]',
    matches=lambda record: isinstance(record, list) and len(record) == 2 and isinstance(record[1], dict),
    source=lambda record: record[0],
    entities=lambda record: record[1].get("entities"),
)
