"""Token lists with spans that count tokens."""

from __future__ import annotations

import json

import pytest

from edgener_runtime.errors import UserInputError

from .reading import RECORDS, marked, read, read_as


def test_token_spans_count_tokens_and_not_what_stands_in_text() -> None:
    record = {
        "text": "TBD",
        "tokens": ["replace", "<id>", "air", "filters"],
        "entities": [
            {"start": 0, "end": 1, "type": "Activity"},
            {"start": 2, "end": 4, "type": "Object/Filter"},
            {"start": 3, "end": 4, "type": "Object"},
        ],
        "relations": [{"head": 1, "tail": 2, "type": "isA"}],
    }
    (sentence,), bad = read(json.dumps([record]))
    assert sentence.tokens == record["tokens"] and sentence.text == "replace <id> air filters"
    assert marked(sentence) == [("Activity", "replace"), ("Object/Filter", "air filters")]
    assert bad.counts == {"nested entities dropped": 1}


def test_spans_with_token_starts_count_characters_and_a_marked_text_is_checked() -> None:
    spans = [{"start": 0, "end": 4, "token_start": 0, "token_end": 0, "label": "PER"}]
    record = {"text": "Mira left to be safe", "tokens": ["Mira", "left", "to", "be", "safe"], "spans": spans}
    assert marked(read(json.dumps(record))[0][0]) == [("PER", "Mira")]
    marks = {"tokens": ["New", "York", "is"], "entities": [{"start": 0, "end": 2, "label": "LOC", "text": "New York"}]}
    assert marked(read(json.dumps(marks))[0][0]) == [("LOC", "New York")]
    marks["entities"] = [{"start": 0, "end": 3, "label": "LOC", "text": "New York"}]
    with pytest.raises(UserInputError, match="the marked text 'New York' in tokens 0 to 3, not 'NewYorkis'"):
        read(json.dumps(marks))


def test_its_records_are_read_by_name() -> None:
    record = {"tokens": ["air", "filters"], "entities": [{"start": 0, "end": 2, "type": "Object"}]}
    (sentence,), record_format, bad = read_as("token-spans", json.dumps([record]))
    assert marked(sentence) == [("Object", "air filters")]
    assert record_format == "token-spans" and not +bad.counts


@pytest.mark.parametrize("tool", RECORDS)
def test_records_of_other_formats_are_refused_by_name(tool: str) -> None:
    with pytest.raises(UserInputError, match="expected"):
        read_as("token-spans", json.dumps([RECORDS[tool]]))


def test_entities_that_count_the_characters_of_a_text_beside_the_tokens() -> None:
    record = {"text": "Mira left Ulm", "tokens": ["Mira", "left", "Ulm"]}
    by_text = {**record, "entities": [{"start": 0, "end": 4, "label": "PER"}, {"start": 10, "end": 13, "label": "LOC"}]}
    by_token = {**record, "entities": [{"start": 0, "end": 1, "label": "PER"}, {"start": 2, "end": 3, "label": "LOC"}]}
    assert marked(read(json.dumps(by_text))[0][0]) == marked(read(json.dumps(by_token))[0][0])


def test_entities_that_may_count_tokens_or_characters_are_refused_unless_their_text_decides() -> None:
    span = {"start": 0, "end": 4, "label": "PER"}
    record = {"text": "Mira left to be safe", "tokens": ["Mira", "left", "to", "be", "safe"], "entities": [span]}
    with pytest.raises(UserInputError, match='entities that count either the characters of "text" or the tokens'):
        read(json.dumps(record))
    for text in ("Mira", "Mira left to be"):
        assert marked(read(json.dumps({**record, "entities": [{**span, "text": text}]}))[0][0]) == [("PER", text)]
