"""Texts without labels: how they are read, and which are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgener.data.types import Dataset
from edgener.train.unlabelled import with_unlabelled
from edgener_runtime.errors import UserInputError

Few = dict[str, Dataset]
Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write("texts.txt", line, line)` is the path of a file with these lines."""

    def make(name: str, *lines: str) -> str:
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return str(tmp_path / name)

    return make


def test_without_a_file_the_splits_stay_as_they_are(few: Few) -> None:
    assert with_unlabelled(few, None) == few


def test_a_text_per_line_or_per_record_becomes_a_sentence_without_entities(few: Few, write: Write) -> None:
    texts = ["Pump 7 leaks.", "  The valve is shut ", "Überdruck, 3 bar"]
    lines = with_unlabelled(few, write("texts.txt", texts[0], "", *texts[1:]))["unlabelled"]
    records = with_unlabelled(few, write("texts.jsonl", *(json.dumps({"text": text, "id": 1}) for text in texts)))
    assert [sentence.text for sentence in lines.sentences] == [text.strip() for text in texts]
    assert [sentence.text for sentence in records["unlabelled"].sentences] == texts
    assert [sentence.line for sentence in lines.sentences] == [1, 3, 4]
    assert lines.sentences[0].tokens == ["Pump", "7", "leaks", "."] and not lines.labels
    assert {name: records[name] for name in few} == few


def test_paragraphs_and_single_words_are_texts_too(few: Few, write: Write) -> None:
    prose = ["One sentence. Then another one. And a third. And so on.", "A paragraph. Two more. Three. Four."]
    for lines in (prose, ["Oslo", "Bergen"]):
        assert len(with_unlabelled(few, write("texts.txt", *lines))["unlabelled"].sentences) == 2


def test_a_sentence_of_train_may_be_among_them(few: Few, write: Write) -> None:
    with_unlabelled(few, write("texts.txt", few["train"].sentences[0].text))


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("texts.jsonl", ['{"text": "a b"}', '{"text": "  "}'], "texts.jsonl:2: has no text"),
        ("texts.txt", ["a b", "c", "a  b"], "texts.txt:3: has a text that an earlier line has"),
        ("texts.txt", ["a", "b", *"aaabbb", "c"], "texts.txt:3: has a text that an earlier line has; so have 5 others: "
                                                "4, 5, 6, 7, 8"),
        ("texts.txt", [*"ab", *"ab" * 4], "so have 7 others: 4, 5, 6, 7, 8 ..."),
        ("texts.jsonl", ['{"text": "a"}', '{"text": 3}'], "texts.jsonl:2: found '{\"text\": 3}', expected"),
        ("texts.jsonl", ['{"text": "a"}', "{"], "texts.jsonl:2: "),
        ("texts.txt", [], "texts.txt holds no sentences"),
        ("texts.txt", ["", "  "], "texts.txt holds no sentences"),
        ("texts.jsonl", ['{"text": "Oslo", "entities": [{"start": 0, "end": 4, "label": "NAME"}]}'],
         "texts.jsonl is labelled text (text-spans), which --unlabelled does not take"),
    ],
)  # fmt: skip
def test_a_bad_text_is_refused_with_its_line(few: Few, write: Write, name: str, lines: list[str], message: str) -> None:
    with pytest.raises(UserInputError) as caught:
        with_unlabelled(few, write(name, *lines))
    assert message in caught.value.message and caught.value.exit_code == 2
    assert caught.value.hint


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_text_that_is_scored_is_refused_whatever_its_spaces(few: Few, write: Write, split: str) -> None:
    text = few[split].sentences[3].text
    spaced = "  ".join(text.split())
    with pytest.raises(UserInputError) as caught:
        with_unlabelled(few, write("texts.txt", "quite another", spaced))
    assert f"texts.txt:2: has a sentence of the {split} split, on which the model is scored" in caught.value.message
    others = {**few, split: replace(few[split], sentences=few[split].sentences[:3])}
    with_unlabelled(others, write("texts.txt", "quite another", spaced))


@pytest.mark.parametrize("name", ["nowhere.txt", "."])
def test_a_file_that_cannot_be_read_is_named(few: Few, tmp_path: Path, name: str) -> None:
    with pytest.raises(UserInputError, match=f"there is no file {tmp_path / name} of texts"):
        with_unlabelled(few, str(tmp_path / name))


def test_a_file_that_is_not_text_is_named(few: Few, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_bytes(b"PK\x03\x04\x00\x00" * 99)
    with pytest.raises(UserInputError, match=r"texts\.txt"):
        with_unlabelled(few, str(tmp_path / "texts.txt"))
