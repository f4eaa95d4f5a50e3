"""Sentences whose words someone else cut."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgener_runtime import Decoding, TokenClassifier, UserInputError
from edgener_runtime.inference.words import Words

pytestmark = pytest.mark.compat

WORDS = ["Feed", "pump", "P-101", ":", "oil", "leak", ",", "seal", "worn"]


def test_a_word_has_the_label_of_its_first_subword(classifier: TokenClassifier) -> None:
    text = " ".join(WORDS)
    subwords = {entity.start: entity.label for entity in classifier.predict(text, Decoding("none"))}
    starts = [sum(len(word) + 1 for word in WORDS[:i]) for i in range(len(WORDS))]
    assert classifier.tag(WORDS) == [subwords.get(start, "O") for start in starts]
    assert set(classifier.tag(WORDS)) != {"O"}


def test_words_of_many_sentences_are_as_alone(classifier: TokenClassifier) -> None:
    sentences = [WORDS, [], WORDS[:3], ["泵", "漏", "油"], [""], ["oil", "", "leak"]] * 60
    together = classifier.tag_batch(sentences)
    assert [len(tags) for tags in together] == [len(words) for words in sentences]
    assert together[:6] == [classifier.tag(words) for words in sentences[:6]] == together[-6:]


def test_a_word_that_leaves_nothing_is_outside(classifier: TokenClassifier) -> None:
    assert classifier.tag(["", "\u200d", " "]) == ["O"] * 3
    with_nothing, without = classifier.tag(["oil", "", "leak"]), classifier.tag(["oil", "leak"])
    assert [with_nothing[0], with_nothing[2]] == without


@settings(max_examples=40)
@given(st.lists(st.text(max_size=8), max_size=8))
def test_any_words_have_a_label_each(classifier: TokenClassifier, words: list[str]) -> None:
    assert len(classifier.tag(words)) == len(words)
    strict = classifier.tag(words, Decoding("average", strict=True))
    assert len(strict) == len(words)


def test_strict_words_begin_before_they_go_on(classifier: TokenClassifier) -> None:
    before = "O"
    for tag in classifier.tag(WORDS * 20, Decoding("first", strict=True)):
        assert not tag.startswith("I-") or before[2:] == tag[2:]
        before = tag


@pytest.mark.parametrize("words", ["oil leak", "泵"])
def test_a_text_is_not_a_list_of_words(classifier: TokenClassifier, words: Any) -> None:
    with pytest.raises(UserInputError, match="expected a list of its words"):
        classifier.tag(words)


@pytest.mark.parametrize("aggregation", ["none", "simple"])
def test_an_aggregation_of_subwords_is_refused(classifier: TokenClassifier, aggregation: str) -> None:
    with pytest.raises(UserInputError, match="labels subwords"):
        classifier.tag(WORDS, Decoding(aggregation))


def test_words_are_labelled_where_they_begin_in_a_text_of_its_own(classifier: TokenClassifier) -> None:
    text, words = "Oil leak at pump P-101", ["Oil", "leak", "at", "pump", "P-101"]
    starts = [text.index(word) for word in words]
    assert classifier.label_words([Words(text, starts)]) == classifier.tag_batch([words])


def test_subwords_before_the_first_word_label_none(classifier: TokenClassifier) -> None:
    text, known = "Oil leak at pump P-101", classifier.tag(["Oil", "leak", "at", "pump", "P-101"])
    found = classifier.label_words([Words(text, [12, 17]), Words(text, []), Words(text, [0, 4, 9, 12, 17])])
    assert found == [known[3:], [], known]
