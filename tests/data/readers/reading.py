"""What the tests of readers share: reading a text, and the records that each annotation tool writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgener.data.readers.lines import BadLines, DataFile
from edgener.data.readers.records import read_records
from edgener.data.readers.table import READERS, RECORD_FORMATS
from edgener.data.types import Sentence

TEXT = "泵 P-101 漏油 at seal"
ENTITIES = [(0, 7, "EQUIPMENT"), (8, 10, "FAULT")]


def read(text: str, skip: bool = False) -> tuple[list[Sentence], BadLines]:
    bad = BadLines(Path("file.json"), skip)
    return read_records(text, bad, RECORD_FORMATS)[0], bad


def marked(sentence: Sentence) -> list[tuple[str, str]]:
    """Label and text of each entity."""
    return [
        (span.label, sentence.text[sentence.offsets[span.start][0] : sentence.offsets[span.end - 1][1]])
        for span in sentence.spans
    ]


def label_studio(annotations: str = "annotations") -> dict[str, Any]:
    result = [
        {
            "id": "a1",
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": {"start": start, "end": end, "text": TEXT[start:end], "labels": [label]},
        }
        for start, end, label in ENTITIES
    ]
    relation = {"from_id": "a1", "to_id": "a2", "type": "relation", "direction": "right"}
    choice = {"from_name": "kind", "type": "choices", "value": {"choices": ["order"]}}
    return {"id": 7, annotations: [{"id": 1, "result": [*result, relation, choice]}], "data": {"text": TEXT}}


OBJECTS = [{"start": start, "end": end, "label": label} for start, end, label in ENTITIES]
LISTS = [list(entity) for entity in ENTITIES]
RECORDS = {
    "text-spans": {"text": TEXT, "entities": OBJECTS},
    "doccano JSONL": {"id": 3, "text": TEXT, "label": LISTS, "Comments": []},
    "doccano labels": {"text": TEXT, "labels": LISTS},
    "doccano relations": {
        "id": 3,
        "text": TEXT,
        "relations": [],
        "entities": [{"id": i, "start_offset": s, "end_offset": e, "label": x} for i, (s, e, x) in enumerate(ENTITIES)],
    },
    "label-studio": label_studio(),
    "label-studio of old": label_studio("completions"),
    "label-studio JSON-MIN": {
        "id": 7,
        "text": TEXT,
        "label": [{"start": s, "end": e, "text": TEXT[s:e], "labels": [x]} for s, e, x in ENTITIES],
    },
    "spacy": [TEXT, {"entities": LISTS}],
    "prodigy": {
        "text": TEXT,
        "tokens": [{"text": "泵", "start": 0, "end": 1, "id": 0}],
        "spans": [{**item, "token_start": 0} for item in OBJECTS],
        "answer": "accept",
    },
}

# The reader of each record above.
READER_OF = {
    "text-spans": "text-spans",
    "doccano JSONL": "text-spans",
    "doccano labels": "text-spans",
    "doccano relations": "text-spans",
    "label-studio": "label-studio",
    "label-studio of old": "label-studio",
    "label-studio JSON-MIN": "text-spans",
    "spacy": "spacy",
    "prodigy": "text-spans",
}


def read_as(name: str, text: str) -> tuple[list[Sentence], str, BadLines]:
    """Sentences and format by the reader of that name alone."""
    bad = BadLines(Path("file.json"))
    reading = READERS[name].read(file_of(text), bad, {})
    return reading.sentences, reading.format, bad


def file_of(text: str, name: str = "file.json") -> DataFile:
    """A file of this text that is on no disk."""
    file = DataFile(Path(name))
    file.__dict__.update(text=text, data=text.encode(errors="surrogatepass"), head=text[:99].encode(errors="replace"))
    return file
