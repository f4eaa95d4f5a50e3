"""Texts with spans that count characters: doccano, Prodigy's answers, JSON-MIN and plain JSON Lines."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest

from edgener_runtime.errors import UserInputError

from .reading import READER_OF, RECORDS, marked, read, read_as

TOOLS = [tool for tool, reader in READER_OF.items() if reader == "text-spans"]
MIRA = {"start": 0, "end": 4, "label": "PER"}


@pytest.mark.parametrize("tool", TOOLS)
def test_its_records_are_read_by_name(tool: str) -> None:
    (sentence,), record_format, bad = read_as("text-spans", json.dumps([RECORDS[tool]]))
    assert marked(sentence) == [("EQUIPMENT", "泵 P-101"), ("FAULT", "漏油")]
    assert record_format == "text-spans" and not +bad.counts


@pytest.mark.parametrize("tool", sorted(RECORDS.keys() - set(TOOLS)))
def test_records_of_other_formats_are_refused_by_name(tool: str) -> None:
    with pytest.raises(UserInputError, match="expected"):
        read_as("text-spans", json.dumps([RECORDS[tool]]))


def test_several_labels_on_one_region_keep_the_first_and_count_the_rest() -> None:
    record = {"text": "abc", "label": [{"start": 0, "end": 3, "labels": ["Z", "A"]}]}
    (sentence,), bad = read(json.dumps(record))
    assert marked(sentence) == [("Z", "abc")]
    assert bad.counts["nested entities dropped"] == 1


def lines(*records: Any) -> str:
    return "\n".join(map(json.dumps, records))


def test_only_accepted_records_of_prodigy_are_read_and_the_others_counted() -> None:
    answers: list[Any] = ["accept", "reject", "ignore", None]
    records = [{"text": f"Mira left {i}.", "spans": [MIRA], "answer": answer} for i, answer in enumerate(answers)]
    sentences, bad = read(lines(*records, {"text": "Nothing.", "answer": "accept"}))
    assert [marked(sentence) for sentence in sentences] == [[("PER", "Mira")], []]
    assert bad.counts == {"records rejected": 1, "records ignored": 1, "records not answered": 1}


def test_a_record_with_a_rejected_entity_is_kept_without_it_and_reported() -> None:
    other = {"start": 10, "end": 15, "label": "LOC", "answer": "accept"}
    record = {"text": "Mira left Basel.", "spans": [{**MIRA, "answer": "reject"}, other], "answer": "accept"}
    (sentence,), bad = read(lines(record))
    assert marked(sentence) == [("LOC", "Basel")]
    assert bad.counts == {"entities rejected": 1, "records kept without their rejected entities": 1}


def test_an_answer_that_prodigy_does_not_know_is_broken_and_one_of_another_kind_is_none() -> None:
    with pytest.raises(UserInputError, match="an answer that is"):
        read(lines({"text": "Mira left.", "spans": [{**MIRA, "answer": "maybe"}]}))
    with pytest.raises(UserInputError, match="an answer that is"):
        read(lines({"text": "Mira left.", "spans": [MIRA], "answer": "REJECT"}))
    question = {"text": "Mira left.", "entities": [MIRA], "answer": "Basel"}
    assert marked(read(lines(question))[0][0]) == [("PER", "Mira")]


def test_json_min_has_its_regions_under_the_name_of_any_tag() -> None:
    region = {"start": 0, "end": 4, "text": "Mira", "labels": ["PER"]}
    records = [
        {"id": 1, "order": "Mira left.", "people": [region], "annotator": 3, "created_at": "2026-01-01"},
        {"id": 2, "order": "Nothing.", "annotator": 3, "created_at": "2026-01-01"},
    ]
    sentences, bad = read(lines(*records))
    assert [marked(sentence) for sentence in sentences] == [[("PER", "Mira")], []] and not +bad.counts


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"order": "Mira left.", "note": "Mira called."}, r'"text"; texts are under "order", "note"'),
        ({"工单": "三号泵 Mira 漏水", "备注": "Mira"}, r'"text"; texts are under "工单", "备注"'),
        ({"order": 17}, r'"text"; none is there'),
    ],
)
def test_json_min_with_a_choice_of_texts_names_them(fields: dict[str, Any], named: str) -> None:
    region = {"start": 0, "end": 4, "text": "Mira", "labels": ["PER"]}
    record = {"id": 1, **fields, "people": [region], "annotator": "a@b.ch", "created_at": "2026-01-01"}
    with pytest.raises(UserInputError, match=rf"expected the text under the key {named}"):
        read(lines(record))
    task = {"data": fields, "annotations": [{"result": [{"type": "labels", "value": region}]}]}
    with pytest.raises(UserInputError, match=rf"expected the text under the key {named}"):
        read(lines(task))
    assert marked(read(lines({**record, "text": "Mira left."}))[0][0]) == [("PER", "Mira")]


def test_entities_under_an_unknown_key_are_not_lost() -> None:
    record = {"text": "Mira left.", "annotations": [{"label": "PER", "start_offset": 0, "end_offset": 4}]}
    assert marked(read(lines(record))[0][0]) == [("PER", "Mira")]
    with pytest.raises(UserInputError, match=r'"labels" or "spans", not under result\.entities'):
        read(lines({"text": "Mira left.", "result": {"entities": [MIRA]}}))
    with pytest.raises(UserInputError, match="an entity with a label, not 1"):
        read(lines({"text": "Mira left.", "annotations": [{"label": 1, "start_offset": 0, "end_offset": 4}]}))


@pytest.mark.parametrize(("text_form", "offset_form"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_offsets_that_count_accents_apart_or_not_are_corrected(text_form: Any, offset_form: Any) -> None:
    written, counted = (unicodedata.normalize(form, "Café: Zoë") for form in (text_form, offset_form))
    start = counted.index("Z")
    entity = {"start": start, "end": len(counted), "label": "PER", "text": counted[start:]}
    (sentence,), bad = read(lines({"text": written, "entities": [entity]}))
    assert [unicodedata.normalize("NFC", text) for _, text in marked(sentence)] == ["Zoë"]
    assert bad.counts == {"entities whose offsets were corrected by their text": 1}


def test_an_invisible_character_at_the_edge_of_an_entity_is_trimmed() -> None:
    (sentence,), bad = read(lines({"text": "\u200bMira left", "entities": [[0, 5, "PER"]]}))
    assert marked(sentence) == [("PER", "Mira")]
    assert bad.counts == {"entities that began or ended with invisible characters": 1}


@pytest.mark.parametrize("empty", ["entities", "label", "labels"])
@pytest.mark.parametrize("nothing", [[], None, ["news"]])
def test_entities_beside_another_known_key_are_not_lost(empty: str, nothing: Any) -> None:
    (sentence,), _ = read(lines({"text": "Mira left.", empty: nothing, "spans": [MIRA]}))
    assert marked(sentence) == [("PER", "Mira")]


@pytest.mark.parametrize(("start", "end"), [(5, 5), (4, 0), (0, 99)])
def test_an_impossible_entity_is_named_beside_one_with_a_marked_text(start: int, end: int) -> None:
    spans = [{**MIRA, "text": "Mira"}, {"start": start, "end": end, "label": "PER"}]
    with pytest.raises(UserInputError, match=f"0 <= start < end <= 10, not {start} to {end}"):
        read(lines({"text": "Mira left.", "spans": spans}))


@pytest.mark.parametrize("name", ["word", "value", "mention"])
def test_a_marked_text_of_another_name_decides_where_it_occurs(name: str) -> None:
    shifted = {"start": 3, "end": 5, "label": "PER"}  # in UTF-16 units
    (sentence,), bad = read(json.dumps({"text": "\U0001f600 Bo met Al", "spans": [shifted | {name: "Bo"}]}))
    assert marked(sentence) == [("PER", "Bo")]
    assert bad.counts["entities whose offsets were corrected by their text"] == 1
    (sentence,), bad = read(
        json.dumps({"text": "NYC is big", "spans": [{"start": 0, "end": 3, "label": "LOC", name: "New York"}]})
    )
    assert marked(sentence) == [("LOC", "NYC")] and not +bad.counts
