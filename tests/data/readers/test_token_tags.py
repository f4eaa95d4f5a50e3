"""Token lists with a tag per token, by name and by number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgener.data.readers.lines import BadLines, Reading
from edgener.data.readers.table import READERS
from edgener_runtime.errors import UserInputError

from .reading import file_of, marked

TOKENS = ["Mira", "Weber", "left", "Basel"]
NAMES = ("O", "B-PER", "I-PER", "B-LOC")
TAGS = ["B-PER", "I-PER", "O", "B-LOC"]


def read(*records: Any, name: str = "token-tags", skip: bool = False, **options: Any) -> Reading:
    text = "\n".join(map(json.dumps, records))
    return READERS[name].read(file_of(text), BadLines(Path("file.json"), skip), options)


def entities(reading: Reading) -> list[tuple[str, str]]:
    return [pair for sentence in reading.sentences for pair in marked(sentence)]


@pytest.mark.parametrize("key", ["ner_tags", "tags", "labels", "ner"])
@pytest.mark.parametrize("tokens", ["tokens", "words"])
@pytest.mark.parametrize("name", ["token-tags", "json"])
def test_tags_are_read_by_name_and_by_number(key: str, tokens: str, name: str) -> None:
    by_name = read({tokens: TOKENS, key: TAGS}, name=name)
    by_number = read({tokens: TOKENS, key: [1, 2, 0, 3]}, name=name, label_names=NAMES)
    assert by_name == by_number
    assert entities(by_name) == [("PER", "Mira Weber"), ("LOC", "Basel")]
    assert (by_name.format, by_name.scheme, by_name.labelled) == ("token-tags", "IOB2", True)


def test_numbers_without_names_are_refused_even_where_lines_are_skipped() -> None:
    for skip in (False, True):
        with pytest.raises(UserInputError, match=r"file\.json:1: its tags are numbers such as 1") as error:
            read({"tokens": TOKENS, "ner_tags": [1, 2, 0, 3]}, skip=skip)
        assert error.value.exit_code == 2 and error.value.hint and "--label-names" in error.value.hint


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"tokens": TOKENS, "ner_tags": [1, 2, 0, 4]}, "found '4', expected tags from 0 to 3, as there are 4 names"),
        ({"tokens": TOKENS, "ner_tags": [1, 2, 0, -100]}, "found '-100', expected tags from 0 to 3"),
        ({"tokens": TOKENS, "ner_tags": [1, 2]}, "a tag for each of 4 tokens, not 2 tags"),
        ({"tokens": TOKENS, "ner_tags": []}, "a tag for each of 4 tokens, not 0 tags"),
        ({"tokens": TOKENS, "ner_tags": "B-PER I-PER O B-LOC"}, "a list of tags under .* not 'B-PER I-PER O B-LOC'"),
        ({"tokens": TOKENS, "tags": [1.0, 2.0, 0.0, 3.0]}, "tags by name or number, not 1.0"),
        (
            {"tokens": TOKENS, "pos_tags": [1, 2, 3, 4]},
            'a list of tags under ner_tags, tags, labels or ner, not "pos_tags"',
        ),
    ],
)
def test_tags_that_do_not_fit_are_broken_records(record: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserInputError, match=expected):
        read(record, label_names=NAMES)


def test_names_of_labels_without_a_prefix_are_the_scheme_io() -> None:
    reading = read({"tokens": TOKENS, "labels": ["PER", "PER", "O", "LOC"]})
    assert entities(reading) == [("PER", "Mira Weber"), ("LOC", "Basel")] and reading.scheme == "IO"
    with pytest.raises(UserInputError, match="found 'LOC', expected tags such as B-LABEL or O"):
        read({"tokens": TOKENS, "labels": ["B-PER", "I-PER", "O", "LOC"]})


@pytest.mark.parametrize(
    "tags", [["B_PER", "I_PER", "O", "B_LOC"], ["B", "I", "O", "B"], ["PER-B", "PER-I", "O", "LOC-B"]]
)
def test_prefixes_of_another_kind_are_not_taken_for_labels(tags: list[str]) -> None:
    with pytest.raises(UserInputError, match="expected tags such as B-LABEL or O"):
        read({"tokens": TOKENS, "tags": tags})


def test_the_scheme_is_that_of_all_records() -> None:
    reading = read(
        {"tokens": ["Mira"], "tags": ["S-PER"]}, {"tokens": TOKENS, "tags": ["B-PER", "E-PER", "O", "S-LOC"]}
    )
    assert reading.scheme == "BIOES" and entities(reading)[1:] == [("PER", "Mira Weber"), ("LOC", "Basel")]


def test_numbers_that_became_text_are_numbers() -> None:
    named = read({"tokens": TOKENS, "ner_tags": ["1", "2", "0", "3"]}, label_names=NAMES)
    assert entities(named) == [("PER", "Mira Weber"), ("LOC", "Basel")]
    with pytest.raises(UserInputError, match="its tags are numbers such as 1, and the file has no names"):
        read({"tokens": TOKENS, "ner_tags": ["1", "2", "0", "3"]})


def test_a_number_among_names_is_a_broken_record() -> None:
    with pytest.raises(UserInputError, match="found '0', expected tags by name"):
        read({"tokens": TOKENS, "ner_tags": ["B-PER", "I-PER", 0, "B-LOC"]})


@pytest.mark.parametrize("key", ["ner_tags", "tags", "labels"])
def test_a_text_may_have_a_tag_per_word(key: str) -> None:
    text = " ".join(TOKENS)
    assert entities(read({"text": text, key: TAGS}, name="json")) == [("PER", "Mira Weber"), ("LOC", "Basel")]
    by_number = read({"text": text, key: [1, 2, 0, 3]}, name="json", label_names=NAMES)
    assert entities(by_number) == [("PER", "Mira Weber"), ("LOC", "Basel")]
    with pytest.raises(UserInputError, match="a tag for each of 4 tokens, not 3 tags"):
        read({"text": text, key: TAGS[1:]}, name="json")


def test_topics_of_a_text_are_not_tags_of_its_words() -> None:
    assert not read({"text": "Mira left", "tags": ["news", "travel"]}, name="json").labelled
