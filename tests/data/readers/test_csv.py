"""Tables with a header, in the shapes that spreadsheets and competitions have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgener.data.read import DataSpec, read_splits
from edgener.data.types import Dataset
from edgener_runtime.errors import UserInputError

from .reading import marked

LISTS = "Sentence #,Sentence,POS,Tag\nSentence: 1,Mira left Basel,\"['N', 'V', 'N']\",\"['B-PER', 'O', 'B-LOC']\"\n"
SHAPES = {
    "mark on the first row": (
        "Sentence #,Word,POS,Tag\nSentence: 1,Mira,N,B-PER\n,left,V,O\n,Basel,N,B-LOC\nSentence: 2,ok,J,O\n"
    ),
    "number on every row": "sentence_id,words,labels\n1,Mira,B-PER\n1,left,O\n1,Basel,B-LOC\n2,ok,O\n",
    "semicolons": "sent_id;token;ner_tag\n1;Mira;B-PER\n1;left;O\n1;Basel;B-LOC\n2;ok;O\n",
    "tabs": "sentence\ttoken\ttag\n1\tMira\tB-PER\n1\tleft\tO\n1\tBasel\tB-LOC\n2\tok\tO\n",
    "blank rows": "token,tag\nMira,B-PER\nleft,O\nBasel,B-LOC\n,\nok,O\n",
    "a list per row": LISTS + "Sentence: 2,ok,['J'],['O']\n",
    "words per row": "text,labels\nMira left Basel,B-PER O B-LOC\nok,O\n",
    "plain labels": "sentence,token,tag\n1,Mira,PER\n1,left,O\n1,Basel,LOC\n2,ok,O\n",
}


def whole(tmp_path: Path, text: str, name: str = "a.csv", **options: Any) -> Dataset:
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    return read_splits(DataSpec(str(tmp_path / name), **options))["all"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_common_shapes_are_read_alike(tmp_path: Path, shape: str, end: str) -> None:
    dataset = whole(tmp_path, SHAPES[shape].replace("\n", end), "a.tsv" if shape == "tabs" else "a.csv")
    assert [sentence.text for sentence in dataset.sentences] == ["Mira left Basel", "ok"]
    assert marked(dataset.sentences[0]) == [("PER", "Mira"), ("LOC", "Basel")]
    assert dataset.format == "csv" and not dataset.repairs


def test_cells_may_be_quoted_and_hold_delimiters_and_line_ends(tmp_path: Path) -> None:
    dataset = whole(tmp_path, 'sentence,token,tag\n1,"Weber, Mira",B-PER\n1,"say ""no""",O\n1,"two\nlines",O\n')
    assert dataset.sentences[0].tokens == ["Weber, Mira", 'say "no"', "two\nlines"]


def test_columns_may_be_named(tmp_path: Path) -> None:
    dataset = whole(tmp_path, "sentence,a,b\n1,Mira,B-PER\n2,left,O\n", token_column=2, tag_column=3)
    assert [marked(sentence) for sentence in dataset.sentences] == [[("PER", "Mira")], []]


def test_sentences_may_be_numbered_anew_in_each_document(tmp_path: Path) -> None:
    dataset = whole(tmp_path, "document,sentence,token,tag\na,1,Mira,B-PER\nb,1,Basel,B-LOC\nb,2,ok,O\n")
    found = [(sentence.text, sentence.document) for sentence in dataset.sentences]
    assert found == [("Mira", 1), ("Basel", 2), ("ok", 2)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "sentence,token,tag\n1,Mira,B-PER\n2,Basel,B-LOC\n1,Weber,I-PER\n",
            "a.csv:4: the sentence '1' begins again, behind rows of others",
        ),
        ("id,text\n1,Mira left\n", "names no columns for the sentence, the token and its tag: id, text"),
        (
            "token,tag\nMira,B-PER\nleft,O\n",
            "names no column for the sentence, and no row has as many words in 'token'",
        ),
        ("nr;wort;tag\n1;Mira;B-PER\n", "names no columns for the sentence, the token and its tag: nr, wort, tag"),
        ("nr;token;label\n1;Mira;B-PER\n1;left;O\n", "in 'token' as tags in 'label': nr, token, label"),
        ("text,label\nMira left,GOOD\n", "no row has as many words in 'text' as tags in 'label'"),
        ('sentence,token,tag\n1,"Mi"ra,B-PER\n', "a.csv:2: not a row of a table"),
        ("sentence,token,tag\n1,Mira,B-PER\n1,,O\n", "a.csv:3: found '1,,O', expected a token and a tag"),
        ("sentence,token,tag\n1,Mira,B-PER\n1,left\n", "a.csv:3: found '1,left', expected a token and a tag"),
        ("text,labels\nMira left,B-PER O\nok then,O\n", "a.csv:3: found 'ok then,O', expected a tag for each of 2"),
        ("", "holds no sentences"),
    ],
)
def test_a_table_that_cannot_be_read_says_why(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserInputError) as error:
        whole(tmp_path, text)
    assert message in error.value.message


@pytest.mark.parametrize(("delimiter", "mark"), [(",", '"'), (";", '"'), ("\t", '"'), ("\t", '"x')])
def test_a_quotation_mark_that_is_a_token_joins_no_rows(tmp_path: Path, delimiter: str, mark: str) -> None:
    rows = ["sentence word tag", "1 Ute B-PER", f"1 {mark} O", "1 ruft O", f"1 {mark} O", "2 Ulm B-LOC", ""]
    dataset = whole(tmp_path, "\n".join(rows).replace(" ", delimiter))
    assert [sentence.tokens for sentence in dataset.sentences] == [["Ute", mark, "ruft", mark], ["Ulm"]]


def test_rows_in_one_cell_are_broken(tmp_path: Path) -> None:
    text = 'sentence,word,tag,note\n1,Ute,B-PER,"a, b"\n1,",O,x\n1,ruft,O,x\n1,",O,x\n2,Ulm,B-LOC,x\n'
    with pytest.raises(UserInputError, match=r"a.csv:3: .*expected a token and a tag"):
        whole(tmp_path, text)


@pytest.mark.parametrize(
    "text", ["sentence,word,tag\n1,Ute,1\n1,ruft,0\n", "tokens,ner_tags\n\"['Ute', 'ruft']\",\"[1, 0]\"\n"]
)
def test_numbered_tags_need_names(tmp_path: Path, text: str) -> None:
    dataset = whole(tmp_path, text, label_names=("O", "B-PER"))
    assert [marked(sentence) for sentence in dataset.sentences] == [[("PER", "Ute")]]
    with pytest.raises(UserInputError, match=r"a.csv:2: its tags are numbers such as 1") as error:
        whole(tmp_path, text)
    assert error.value.hint and "--label-names" in error.value.hint
    with pytest.raises(UserInputError, match="found '1', expected tags from 0 to 0, as there are 1 names"):
        whole(tmp_path, text, label_names=("O",))
    with pytest.raises(UserInputError, match="no tags that are numbers"):
        whole(tmp_path, "sentence,word,tag\n1,Ute,B-PER\n", label_names=("O",))
