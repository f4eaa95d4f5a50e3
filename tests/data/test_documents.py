"""Windows of documents: which sentences go together, how they are joined, and that each stands in one text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener.data.documents import document_windows, has_documents, join_sentences, with_windows
from edgener.data.read import DataSpec, read_split
from edgener.data.text.joining import join_tokens
from edgener.data.types import Sentence, Span


def sentence(words: Sequence[str], *spans: Span, document: int = 1) -> Sentence:
    return Sentence(*join_tokens(words), spans, document=document)


def numbered(documents: Sequence[int]) -> list[Sentence]:
    return [sentence([f"w{number}"], document=document) for number, document in enumerate(documents)]


def texts(windows: Sequence[Sequence[Sentence]]) -> list[str]:
    return [" ".join(part.text for part in window) for window in windows]


@pytest.mark.parametrize(
    ("documents", "sizes", "expected"),
    [
        ([1, 1, 1], [4, 4, 4], ["w0 w1", "w2"]),
        ([1, 1, 1], [4, 4, 2], ["w0 w1 w2"]),
        ([1, 1, 2, 2], [1, 1, 1, 1], ["w0 w1", "w2 w3"]),
        ([0, 0, 1, 1], [1, 1, 1, 1], ["w0", "w1", "w2 w3"]),
        ([1, 1, 1], [1, 50, 1], ["w0", "w1", "w2"]),
        ([1, 2, 1], [1, 1, 1], ["w0", "w1", "w2"]),
        ([], [], []),
    ],
)
def test_windows_are_consecutive_sentences_of_a_document_that_fit(
    documents: list[int], sizes: list[int], expected: list[str]
) -> None:
    assert texts(document_windows(numbered(documents), sizes, 10)) == expected


def test_entities_keep_their_words_when_sentences_are_joined() -> None:
    one = sentence(["Mira", "Weber", "left", "."], Span("PER", 0, 2))
    two = sentence(["Basel", "too"], Span("LOC", 0, 1))
    joined = join_sentences([one, two])
    assert joined.text == "Mira Weber left . Basel too"
    assert joined.tokens == [*one.tokens, *two.tokens]
    assert joined.tags() == [*one.tags(), *two.tags()] == ["B-PER", "I-PER", "O", "O", "B-LOC", "O"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([["他", "走", "。"], ["东", "京", "。"]], "他走。东京。"),
        ([["他", "在", "Basel"], ["Bern", "在", "东"]], "他在Basel Bern在东"),
        ([["Mira", "left", "."], ["「", "no", "」"]], "Mira left . 「no」"),
        ([["산", "은"], ["물", "은"]], "산 은 물 은"),
    ],
)
def test_sentences_are_joined_as_the_words_of_their_script_are(words: list[list[str]], expected: str) -> None:
    assert join_sentences([sentence(each) for each in words]).text == expected


def test_texts_with_spaces_at_their_edges_keep_their_offsets() -> None:
    raw = Sentence(" Mira  left ", ((1, 5), (7, 11)), (Span("PER", 0, 1),), document=1)
    joined = join_sentences([raw, raw])
    assert joined.text == " Mira  left   Mira  left " and joined.tokens == ["Mira", "left"] * 2
    assert joined.spans == (Span("PER", 0, 1), Span("PER", 2, 3))


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 12)), max_size=20), st.floats(0, 1), st.integers(0, 3)
)  # fmt: skip
def test_each_sentence_stands_in_one_text_and_the_share_is_met(
    rows: list[tuple[int, int]], share: float, seed: int
) -> None:
    sentences = numbered([document for document, _ in rows])
    windows = document_windows(sentences, [size for _, size in rows], 10)
    mixed = with_windows(windows, share, seed)
    assert " ".join(text.text for text in mixed) == " ".join(each.text for each in sentences)
    singles = {each.text for each in sentences}
    joined = sum(len(text.offsets) for text in mixed if text.text not in singles)
    assert joined <= share * len(sentences) + max(map(len, windows), default=0)


def test_the_ends_of_the_share_are_no_window_and_every_window_and_a_seed_draws_others() -> None:
    windows = document_windows(numbered([1] * 40), [1] * 40, 4)
    assert len(with_windows(windows, 0, 0)) == 40
    assert [text.text for text in with_windows(windows, 1, 0)] == texts(windows)
    half = with_windows(windows, 0.5, 0)
    assert half == with_windows(windows, 0.5, 0) != with_windows(windows, 0.5, 1)
    assert [len(text.offsets) for text in half].count(4) == 5


# --- which formats mark documents

CSV = "document,sentence,token,tag\na,1,Mira,B-PER\na,1,left,O\na,2,Basel,B-LOC\nb,1,ok,O\n,,no,O\na,3,so,O\n"
COLUMNS = "Stray O\n\n-DOCSTART- O\n\nMira B-PER\n\nBasel B-LOC\n\n-DOCSTART- O\n\nok O\n"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.csv", CSV, [("Mira left", 1), ("Basel", 1), ("ok no", 2), ("so", 1)]),
        ("a.csv", "doc_id,text,tags\nx,Mira left,B-PER O\ny,ok,O\n", [("Mira left", 1), ("ok", 2)]),
        ("a.csv", "document,token,tag\nx,Mira,B-PER\n,,\n,ok,O\ny,no,O\n", [("Mira", 1), ("ok", 1), ("no", 2)]),
        ("a.csv", "sentence,token,tag\n1,Mira,B-PER\n2,ok,O\n", [("Mira", 0), ("ok", 0)]),
        ("a.txt", COLUMNS, [("Stray", 0), ("Mira", 1), ("Basel", 1), ("ok", 2)]),
        ("a.txt", "Mira B-PER\n\nok O\n", [("Mira", 0), ("ok", 0)]),
    ],
)
def test_documents_of_tables_and_columns(tmp_path: Path, name: str, text: str, expected: list[tuple[str, int]]) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    sentences = read_split(DataSpec(str(tmp_path / name)), "test").sentences
    assert [(sentence.text, sentence.document) for sentence in sentences] == expected
    assert has_documents(sentences) == any(document for _, document in expected)


def test_each_file_of_a_brat_folder_is_a_document_counted_from_1(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(f"Mira left {name}.\nok\n")
        (tmp_path / f"{name}.ann").write_text("T1\tPER 0 4\tMira\n")
    sentences = read_split(DataSpec(str(tmp_path)), "test").sentences
    assert [sentence.document for sentence in sentences] == [1, 1, 2, 2]


def test_the_documents_of_a_split_in_several_files_are_counted_on(tmp_path: Path) -> None:
    for name in ("test-00000-of-00002.txt", "test-00001-of-00002.txt"):
        (tmp_path / name).write_text(COLUMNS)
    sentences = read_split(DataSpec(str(tmp_path)), "test").sentences
    assert [sentence.document for sentence in sentences] == [0, 1, 1, 2, 0, 3, 3, 4]
