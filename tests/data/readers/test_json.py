"""JSON of annotation tools, each as its tool writes it, and records that are broken in every way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener.data.readers.lines import BadLines
from edgener.data.readers.records import read_records
from edgener.data.readers.table import RECORD_FORMATS
from edgener.data.reasons import LEFT_OUT_RECORDS
from edgener.data.sentences import is_invisible
from edgener_runtime.errors import UserInputError

from .reading import RECORDS, TEXT, marked, read


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


def test_one_record_may_be_on_several_lines() -> None:
    (sentence,), _ = read("\n" + json.dumps(RECORDS["label-studio"], indent=1))
    assert sentence.line == 2 and len(sentence.spans) == 2


def test_the_format_of_the_last_record_is_reported() -> None:
    tags = '{"tokens": ["a"], "ner_tags": ["O"]}'
    written = [*map(json.dumps, RECORDS.values()), '{"tokens": [], "entities": []}', tags]
    found = {read_records(record, BadLines(Path("f")), RECORD_FORMATS)[1] for record in written}
    assert found == {entry.name for entry in RECORD_FORMATS}


def test_records_of_different_formats_may_stand_in_one_file() -> None:
    sentences, _ = read("\n".join(map(json.dumps, RECORDS.values())))
    assert [sentence.text for sentence in sentences] == [TEXT] * len(RECORDS)


@pytest.mark.parametrize("key", ["entities", "label", "spans"])
def test_an_empty_text_and_an_empty_list_are_sentences_without_entities(key: str) -> None:
    sentences, bad = read(f'{{"text": "", "{key}": []}}\n{{"tokens": [], "{key}": []}}\n{{"text": " ", "{key}": []}}\n')
    assert [(sentence.offsets, sentence.spans) for sentence in sentences] == [((), ())] * 3
    assert not bad.counts["records without an entity list"]


def test_records_without_an_entity_list_are_text_without_labels_or_are_left_out_beside_others() -> None:
    bare = '{"text": "a b"}\n{"tokens": ["a"]}\n["a", {}]\n'
    sentences, bad = read(bare)
    assert len(sentences) == 3 and not bad.counts
    sentences, bad = read(bare + '{"text": "c", "entities": []}\n')
    assert [sentence.text for sentence in sentences] == ["c"]
    assert bad.counts == {"records without an entity list": 3}


def test_full_width_combining_and_astral_characters_count_one_each() -> None:
    text = "\U0001f527 ＡＢＣ　cafe\u0301 \U00020000"
    entities = [[0, 1, "A"], [2, 5, "B"], [6, 11, "C"], [12, 13, "D"]]
    (sentence,), _ = read(json.dumps({"text": text, "label": entities}))
    assert marked(sentence) == [("A", "\U0001f527"), ("B", "ＡＢＣ"), ("C", "cafe\u0301"), ("D", "\U00020000")]


def test_a_text_cut_in_the_middle_of_an_emoji_is_kept() -> None:
    (sentence,), _ = read('{"text": "ok \\ud83d", "entities": [{"start": 3, "end": 4, "label": "X"}]}')
    assert sentence.text == "ok \ud83d" and len(sentence.spans) == 1


BROKEN_RECORDS = [
    ("5", 'an object with "text" or "tokens"'),
    ("null", 'an object with "text" or "tokens"'),
    ('{"body": "x"}', 'an object with "text" or "tokens"'),
    ('["a", "b"]', 'an object with "text" or "tokens"'),
    ('{"text": 7, "entities": []}', "a text, or a list of non-empty tokens"),
    ('{"text": null, "entities": []}', "a text, or a list of non-empty tokens"),
    ('{"tokens": ["a", ""], "entities": []}', "a text, or a list of non-empty tokens"),
    ('{"tokens": ["a", 3], "entities": []}', "a text, or a list of non-empty tokens"),
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
    ('{"text": "abc", "entities": [[0, 1, "O"]]}', "an entity with a label, not 'O'"),
    ('{"text": "abc", "entities": [[0, 1, []]]}', "an entity with a label, not []"),
    ('{"tokens": ["a", "b"], "entities": [{"start": 0, "end": 3, "type": "X"}]}', "0 <= start < end <= 2"),
    ('{"data": {"title": 7}, "annotations": [{"result": []}]}', 'the text under the key "text"; none is there'),
    ('{"data": {"text": "x"}, "annotations": [5]}', "annotations as a list of objects"),
    ('{"data": {"text": "x"}, "annotations": {"result": []}}', "annotations as a list of objects"),
    ('{"data": {"text": "x"}, "annotations": [{"result": [3]}]}', "a result as a list of objects"),
]


@pytest.mark.parametrize(("record", "expected"), BROKEN_RECORDS)
def test_a_broken_record_is_an_error_with_its_line_or_skipped_and_counted(record: str, expected: str) -> None:
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
def test_a_line_that_is_not_json_is_an_error_or_skipped_and_counted(line: str) -> None:
    text = f'{{"text": "good", "entities": []}}\n{line}\n{{"text": "too", "entities": []}}\n'
    with pytest.raises(UserInputError, match=r"file\.json:2: found .*, expected one JSON record per line \("):
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
def test_an_array_that_is_not_json_is_an_error_even_where_lines_are_skipped(text: str, where: str, skip: bool) -> None:
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
    records = [{"text": "good", "entities": []}, *records]
    text = "\n".join(map(json.dumps, records)) if lines else json.dumps(records)
    try:
        sentences, bad = read(text, skip)
    except UserInputError:
        assert not skip
        return
    assert len(sentences) + sum(bad.counts[reason] for reason in LEFT_OUT_RECORDS) == len(records)


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
    seen = [(label, piece) for piece, label in pieces if label and not all(map(is_invisible, piece))]
    assert [label for label, _ in marked(sentence)] == [label for label, _ in seen]
    for (_, found), (_, piece) in zip(marked(sentence), seen, strict=True):
        assert found in piece and all(map(is_invisible, piece.replace(found, "", 1)))
