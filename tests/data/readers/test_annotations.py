"""JSON of annotation tools, each as its tool writes it, and records that are broken in every way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener.data.readers.annotations import SHAPES, read_annotations
from edgener.data.readers.lines import BadLines
from edgener.data.types import Sentence
from edgener_runtime.errors import UserInputError

TEXT = "泵 P-101 漏油 at seal"
ENTITIES = [(0, 7, "EQUIPMENT"), (8, 10, "FAULT")]


def read(text: str, skip: bool = False) -> tuple[list[Sentence], BadLines]:
    bad = BadLines(Path("file.json"), skip)
    return read_annotations(text, bad)[0], bad


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


@pytest.mark.parametrize("tool", RECORDS)
@pytest.mark.parametrize("form", ["lines", "array", "pretty array", "one record"])
def test_every_tool_s_export_is_read_as_array_and_as_lines(tool: str, form: str) -> None:
    record = RECORDS[tool]
    written = {
        "lines": f"{json.dumps(record)}\n\n{json.dumps(record, ensure_ascii=False)}\n",
        "array": json.dumps([record, record]),
        "pretty array": json.dumps([record, record], indent=2, ensure_ascii=False),
        "one record": json.dumps(record),
    }[form]
    sentences, bad = read(written)
    assert len(sentences) == (1 if form == "one record" else 2)
    for sentence in sentences:
        assert sentence.text == TEXT
        assert marked(sentence) == [("EQUIPMENT", "泵 P-101"), ("FAULT", "漏油")]
    assert not +bad.counts


def test_the_shape_is_told() -> None:
    names = {shape.name for shape in SHAPES}
    told = {read_annotations(json.dumps(record), BadLines(Path("f")))[1] for record in RECORDS.values()}
    told.add(read_annotations('{"tokens": [], "entities": []}', BadLines(Path("f")))[1])
    assert told == names


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


@pytest.mark.parametrize("key", ["entities", "label", "spans"])
def test_an_empty_text_and_an_empty_list_are_sentences_without_entities(key: str) -> None:
    sentences, bad = read(f'{{"text": "", "{key}": []}}\n{{"tokens": [], "{key}": []}}\n{{"text": " ", "{key}": []}}\n')
    assert [(sentence.offsets, sentence.spans) for sentence in sentences] == [((), ())] * 3
    assert not bad.counts["records without an entity list"]


def test_records_without_an_entity_list_are_told() -> None:
    sentences, bad = read('{"text": "a b"}\n{"tokens": ["a"], "ner_tags": [3]}\n["a", {}]\n')
    assert len(sentences) == 3
    assert bad.counts["records without an entity list"] == 3


def test_full_width_combining_and_astral_characters_count_one_each() -> None:
    text = "\U0001f527 ＡＢＣ　cafe\u0301 \U00020000"
    entities = [[0, 1, "A"], [2, 5, "B"], [6, 11, "C"], [12, 13, "D"]]
    (sentence,), _ = read(json.dumps({"text": text, "label": entities}))
    assert marked(sentence) == [("A", "\U0001f527"), ("B", "ＡＢＣ"), ("C", "cafe\u0301"), ("D", "\U00020000")]


def test_several_labels_on_one_region_keep_the_first_and_count_the_rest() -> None:
    record = {"text": "abc", "label": [{"start": 0, "end": 3, "labels": ["Z", "A"]}]}
    (sentence,), bad = read(json.dumps(record))
    assert marked(sentence) == [("Z", "abc")]
    assert bad.counts["nested entities dropped"] == 1


def test_a_cancelled_annotation_is_passed_over() -> None:
    task = label_studio()
    task["annotations"].insert(0, {"was_cancelled": True, "result": []})
    assert len(read(json.dumps([task]))[0][0].spans) == 2
    assert read(json.dumps([{"data": {"text": "a"}, "annotations": []}]))[0][0].spans == ()


def test_a_text_cut_in_the_middle_of_an_emoji_is_kept() -> None:
    (sentence,), _ = read('{"text": "ok \\ud83d", "entities": [{"start": 3, "end": 4, "label": "X"}]}')
    assert sentence.text == "ok \ud83d" and len(sentence.spans) == 1


BROKEN_RECORDS = [
    ("5", 'an object with "text" or "tokens"'),
    ("null", 'an object with "text" or "tokens"'),
    ('{"body": "x"}', 'an object with "text" or "tokens"'),
    ('["a", "b"]', 'an object with "text" or "tokens"'),
    ('{"text": 7, "entities": []}', "a text, or a list of tokens"),
    ('{"text": null, "entities": []}', "a text, or a list of tokens"),
    ('{"tokens": ["a", ""], "entities": []}', "a text, or a list of tokens"),
    ('{"tokens": ["a", 3], "entities": []}', "a text, or a list of tokens"),
    ('{"text": "abc", "entities": {}}', "a list of entities"),
    ('{"text": "abc", "entities": ["X"]}', 'entities as {"start", "end", "label"}'),
    ('{"text": "abc", "entities": [[0, 1]]}', 'entities as {"start", "end", "label"}'),
    ('{"text": "abc", "entities": [[0, 4, "X"]]}', "0 <= start < end <= 3, not 0 to 4"),
    ('{"text": "abc", "entities": [[-1, 2, "X"]]}', "0 <= start < end <= 3, not -1 to 2"),
    ('{"text": "abc", "entities": [[2, 2, "X"]]}', "0 <= start < end <= 3, not 2 to 2"),
    ('{"text": "abc", "entities": [[2, 1, "X"]]}', "0 <= start < end <= 3, not 2 to 1"),
    ('{"text": "abc", "entities": [["0", 1, "X"]]}', "0 <= start < end <= 3, not '0' to 1"),
    ('{"text": "abc", "entities": [[false, 1, "X"]]}', "not False to 1"),
    ('{"text": "abc", "entities": [[0, true, "X"]]}', "not 0 to True"),
    ('{"text": "abc", "entities": [[0, 1.0, "X"]]}', "not 0 to 1.0"),
    ('{"text": "abc", "entities": [{"end": 1, "label": "X"}]}', "not None to 1"),
    ('{"text": "abc", "entities": [{"start": 0, "end": 1}]}', "an entity with a label, not None"),
    ('{"text": "abc", "entities": [[0, 1, " "]]}', "an entity with a label, not ' '"),
    ('{"text": "abc", "entities": [[0, 1, "A\\nB"]]}', "an entity with a label"),
    ('{"text": "abc", "entities": [[0, 1, []]]}', "an entity with a label, not []"),
    ('{"tokens": ["a", "b"], "entities": [{"start": 0, "end": 3, "type": "X"}]}', "0 <= start < end <= 2"),
    ('{"data": {"title": "x"}, "annotations": []}', "a text, or a list of tokens"),
    ('{"data": {"text": "x"}, "annotations": [5]}', "annotations as a list of objects"),
    ('{"data": {"text": "x"}, "annotations": {"result": []}}', "annotations as a list of objects"),
    ('{"data": {"text": "x"}, "annotations": [{"result": [3]}]}', "a result as a list of objects"),
]


@pytest.mark.parametrize(("record", "expected"), BROKEN_RECORDS)
def test_a_broken_record_is_told_with_its_line_or_skipped_and_counted(record: str, expected: str) -> None:
    good = '{"text": "good", "entities": []}'
    for text in (f"{good}\n\n{record}\n{good}\n", f"[{good},\n\n{record},{good}]"):
        with pytest.raises(UserInputError) as error:
            read(text)
        assert error.value.message.startswith("file.json:3: found ") and expected in error.value.message
        sentences, bad = read(text, skip=True)
        assert [sentence.text for sentence in sentences] == ["good", "good"]
        assert bad.counts["broken lines skipped"] == 1


@pytest.mark.parametrize(
    "line",
    ['{"text": "a", ', "oops", "{'text': 'a'}", "[" * 100_000, '{"a": ' + "9" * 9999 + "}"],
    ids=["half", "bare word", "Python", "deep", "huge number"],
)
def test_a_line_that_is_no_json_is_told_or_skipped_and_counted(line: str) -> None:
    text = f'{{"text": "good", "entities": []}}\n{line}\n{{"text": "too", "entities": []}}\n'
    with pytest.raises(UserInputError, match=r"file\.json:2: found .*, expected one JSON record a line \("):
        read(text)
    sentences, bad = read(text, skip=True)
    assert [sentence.text for sentence in sentences] == ["good", "too"]
    assert bad.counts["broken lines skipped"] == 1


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('[{"text": "a"},\n{"text": "b"}', "line 2, column 14"),
        ('[{"text": "a"}\n{"text": "b"}]', "line 2, column 1"),
        ('[{"text": "a"}]\n[{"text": "b"}]', "line 2, column 1"),
        ('[\n{"text": "a",}]', "line 2"),
        ('[{"text": ' + "[" * 100_000, "recursion"),
    ],
    ids=["unclosed", "no comma", "two arrays", "comma too many", "deep"],
)
@pytest.mark.parametrize("skip", [False, True])
def test_an_array_that_is_no_json_is_an_error_even_where_lines_are_skipped(text: str, where: str, skip: bool) -> None:
    with pytest.raises(UserInputError) as error:
        read(text, skip)
    assert error.value.message.startswith("file.json: expected a JSON array of records (")
    assert where in error.value.message


@pytest.mark.parametrize("text", ["[]", " [ ]\n", ""])
def test_nothing_but_an_empty_array_has_no_sentences(text: str) -> None:
    assert read(text)[0] == []


def test_sentences_know_the_line_they_begin_on() -> None:
    records = [{"text": text, "entities": []} for text in "abc"]
    assert [sentence.line for sentence in read("\n[\n" + ",\n\n".join(map(json.dumps, records)) + "]")[0]] == [3, 5, 7]
    assert [sentence.line for sentence in read("\n" + "\n\n".join(map(json.dumps, records)))[0]] == [2, 4, 6]
    assert [s.line for s in read(json.dumps(records, indent=1))[0]] == [2, 6, 10]


KEYS = st.sampled_from(["text", "tokens", "entities", "label", "data", "annotations", "result", "value", "labels",
                        "start", "end", "type", "was_cancelled"])  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 4) | st.floats() | st.text(max_size=4),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(KEYS, inside, max_size=4),
    max_leaves=12,
)


@given(records=st.lists(JSON, max_size=3), lines=st.booleans(), skip=st.booleans())
def test_any_json_is_read_or_refused(records: list[Any], lines: bool, skip: bool) -> None:
    records = [{"text": "good"}, *records]
    text = "\n".join(map(json.dumps, records)) if lines else json.dumps(records)
    try:
        sentences, bad = read(text, skip)
    except UserInputError:
        assert not skip
        return
    assert len(sentences) + bad.counts["broken lines skipped"] == len(records)


LABELLED = st.lists(st.tuples(st.text(min_size=1, max_size=4), st.sampled_from(["", "X", "Y"])), min_size=1, max_size=6)


@given(pieces=LABELLED)
def test_character_spans_come_back_as_the_text_they_were(pieces: list[tuple[str, str]]) -> None:
    text, entities = "", []
    for piece, label in pieces:
        if label:
            entities.append({"start": len(text), "end": len(text) + len(piece), "label": label})
        text += piece
    (sentence,), _ = read(json.dumps({"text": text, "entities": entities}))
    assert sentence.text == text
    assert marked(sentence) == [(label, piece.strip()) for piece, label in pieces if label and piece.strip()]
