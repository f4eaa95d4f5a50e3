"""Words aligned to subwords, long sentences in windows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgener.data.align import first_subwords, subword_tokens
from edgener.data.sentences import join_tokens
from edgener.data.types import Sentence, Span
from edgener.encoding import TextEncoder, load_tokenizer
from edgener.train.features import IGNORED, build_features

pytestmark = pytest.mark.compat

LABELS = ("O", "B-PART", "I-PART", "B-SUB-PART", "I-SUB-PART")


def sentence(tokens: list[str], *spans: Span) -> Sentence:
    text, offsets = join_tokens(tokens)
    return Sentence(text, offsets, spans)


@pytest.fixture(scope="session", params=["bert-cased", "roberta"])
def tokenizer(request: pytest.FixtureRequest, make_model: Callable[[str], Path]) -> Any:
    return load_tokenizer(str(make_model(request.param)))


@pytest.fixture(scope="session")
def uncased(tiny: Path) -> Any:
    return load_tokenizer(str(tiny))


def encoder(tokenizer: Any, longest: int = 66) -> TextEncoder:
    return TextEncoder(tokenizer, longest, longest // 4, case_channel=True, token_types=True)


def labelled(tokenizer: Any, example: Sentence, all_subwords: bool) -> list[str]:
    """Label of each subword, `-` where it is ignored."""
    [row] = build_features(encoder(tokenizer), [example], LABELS, all_subwords).rows
    return ["-" if label == IGNORED else LABELS[label] for label in row["labels"]]


def test_the_first_subword_of_a_word_carries_its_label_and_the_others_none(
    uncased: Any,
) -> None:
    example = sentence(["Pump", "xyzzyx", "leaks"], Span("PART", 0, 2))
    subwords = uncased.convert_ids_to_tokens(uncased(example.text)["input_ids"])
    found = labelled(uncased, example, all_subwords=False)
    assert len(subwords) == len(found) > 5
    assert [tag for word, tag in zip(subwords, found, strict=True) if word.startswith("##")] == ["-"] * sum(
        word.startswith("##") for word in subwords
    )
    assert [tag for tag in found if tag != "-"] == ["B-PART", "I-PART", "O"]
    assert found[0] == found[-1] == "-"  # [CLS] and [SEP]


def test_labels_on_all_subwords_begin_an_entity_once_and_then_go_on(uncased: Any) -> None:
    example = sentence(["xyzzyx", "plugh", "leaks"], Span("SUB-PART", 0, 2))
    found = labelled(uncased, example, all_subwords=True)
    inside = [tag for tag in found if tag not in ("-", "O")]
    assert inside == ["B-SUB-PART"] + ["I-SUB-PART"] * (len(inside) - 1)
    assert len(inside) > 2
    assert found.count("-") == 2


def test_two_entities_side_by_side_stay_two(uncased: Any) -> None:
    example = sentence(["xyzzyx", "plugh"], Span("PART", 0, 1), Span("PART", 1, 2))
    for all_subwords in (False, True):
        assert labelled(uncased, example, all_subwords).count("B-PART") == 2


TOKENS = st.lists(
    st.text("aPx79-.,°µßİ中文あ가é\u0301🔧", min_size=1, max_size=9)
    | st.sampled_from(["pump", "P-101", "Größe", "bearing"]),
    max_size=60,
)


@st.composite
def sentences(draw: st.DrawFn) -> Sentence:
    tokens = draw(TOKENS)
    edges = sorted(draw(st.sets(st.integers(0, len(tokens)), max_size=8)))
    labels = draw(st.lists(st.sampled_from(["PART", "SUB-PART"]), min_size=8, max_size=8))
    spans = [Span(label, a, b) for label, a, b in zip(labels, edges[::2], edges[1::2], strict=False)]
    return sentence(tokens, *spans)


@settings(deadline=None, max_examples=60)
@given(examples=st.lists(sentences(), min_size=1, max_size=4), longest=st.integers(6, 66), all_subwords=st.booleans())
def test_every_token_is_labelled_in_exactly_one_window(
    tokenizer: Any, examples: list[Sentence], longest: int, all_subwords: bool
) -> None:
    texts = encoder(tokenizer, longest)
    features = build_features(texts, examples, LABELS, all_subwords)
    assert features.sentences == sorted(features.sentences)
    assert set(features.sentences) == set(range(len(examples)))
    for number, (example, encoded) in enumerate(zip(examples, texts.encode([e.text for e in examples]), strict=True)):
        rows = [row for row, origin in zip(features.rows, features.sentences, strict=True) if origin == number]
        assert all(len(row["input_ids"]) == len(row["labels"]) <= longest for row in rows)
        found = [
            (subword, LABELS[label])
            for row in rows
            for subword, label in zip(row["input_ids"], row["labels"], strict=True)
            if label != IGNORED
        ]
        first = first_subwords(example.offsets, encoded.offsets, example.text)
        tags = dict(zip(first, example.tags(), strict=True))
        owners = subword_tokens(example.offsets, encoded.offsets, example.text)
        expected = [
            (index, tags.get(subword) or "I" + example.tags()[owner][1:] if example.tags()[owner] != "O" else "O")
            for subword, (index, owner) in enumerate(zip(encoded.ids, owners, strict=True))
            if owner >= 0 and (all_subwords or subword in tags)
        ]
        assert found == expected


@settings(deadline=None, max_examples=40)
@given(examples=st.lists(sentences(), min_size=1, max_size=5), longest=st.integers(6, 66))
def test_sorted_by_length_the_windows_still_make_up_their_sentences(
    tokenizer: Any, examples: list[Sentence], longest: int
) -> None:
    import numpy as np

    from edgener.train.trainer import sentence_tags

    texts = encoder(tokenizer, longest)
    features = build_features(texts, examples, LABELS).by_length()
    lengths = [len(row["input_ids"]) for row in features.rows]
    assert lengths == sorted(lengths, reverse=True)
    targets = np.full((len(lengths), max(lengths)), IGNORED)
    for padded, row in zip(targets, features.rows, strict=True):
        padded[: len(row["labels"])] = row["labels"]
    predicted = np.where(targets == IGNORED, 3, targets)  # what a model says where nobody asks
    gold, guess = sentence_tags(features, predicted, targets, LABELS)
    assert gold == guess
    for tags, example, encoded in zip(gold, examples, texts.encode([e.text for e in examples]), strict=True):
        first = first_subwords(example.offsets, encoded.offsets, example.text)
        assert tags == [tag for tag, subword in zip(example.tags(), first, strict=True) if subword >= 0]


def test_a_sentence_of_641_tokens_loses_nothing(uncased: Any) -> None:
    example = sentence(["pump", "P-101", "leaks"] * 213 + ["at", "seal"], Span("PART", 640, 641))
    features = build_features(encoder(uncased), [example], LABELS)
    assert len(features.rows) > 10
    kept = [label for row in features.rows for label in row["labels"] if label != IGNORED]
    assert len(kept) == 641
    assert kept[-1] == LABELS.index("B-PART")


def test_an_empty_text_is_one_row_without_labels(uncased: Any) -> None:
    [row] = build_features(encoder(uncased), [sentence([])], LABELS).rows
    assert row["labels"] == [IGNORED, IGNORED]
