"""One tag a token from the logits of subwords, whatever the tokenizer did to the token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from edgener.data.types import Sentence
from edgener.parity.measures.tagging import tag, token_tags
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.pipeline import TokenLogits

LABELS = ("O", "B-UNIT", "I-UNIT")


def scored(*subwords: tuple[int, int, str]) -> TokenLogits:
    """Subwords as (start, end, tag) with a logit of 1 for the tag."""
    offsets = np.array([(start, end) for start, end, _ in subwords], dtype=np.int64).reshape(-1, 2)
    logits = np.eye(3, dtype=np.float32)[[LABELS.index(name) for _, _, name in subwords]].reshape(-1, 3)
    return TokenLogits(np.zeros(len(subwords), dtype=np.int64), offsets, logits)


def sentence(text: str, *offsets: tuple[int, int]) -> Sentence:
    return Sentence(text, offsets, ())


def test_a_token_takes_the_tag_of_its_first_subword() -> None:
    answer = scored((0, 3, "B-UNIT"), (3, 7, "O"), (8, 10, "O"), (10, 12, "I-UNIT"))
    assert token_tags(sentence("bearing temp", (0, 7), (8, 12)), answer, LabelSet(LABELS)) == ["B-UNIT", "O"]


def test_a_token_within_another_ones_subword_goes_on_with_its_tag() -> None:
    degrees = sentence("90 °C", (0, 2), (3, 4), (4, 5))
    assert token_tags(degrees, scored((0, 2, "O"), (3, 5, "B-UNIT")), LabelSet(LABELS)) == ["O", "B-UNIT", "I-UNIT"]
    assert token_tags(degrees, scored((0, 2, "O"), (3, 5, "O")), LabelSet(LABELS)) == ["O", "O", "O"]


def test_a_token_that_the_tokenizer_dropped_is_outside_even_in_an_entity() -> None:
    zero_width = sentence("bar \u200b abs", (0, 3), (4, 5), (6, 9))
    assert token_tags(zero_width, scored((0, 3, "B-UNIT"), (6, 9, "I-UNIT")), LabelSet(LABELS)) == [
        "B-UNIT",
        "O",
        "I-UNIT",
    ]


def test_a_subwords_leading_space_is_not_part_of_a_token() -> None:
    answer = scored((0, 3, "O"), (3, 7, "B-UNIT"))  # byte-level BPE: " bar" belongs to "bar"
    assert token_tags(sentence("two bar", (0, 3), (4, 7)), answer, LabelSet(LABELS)) == ["O", "B-UNIT"]


def test_an_empty_sentence_and_a_text_without_subwords_have_no_entities() -> None:
    assert token_tags(sentence(""), scored(), LabelSet(LABELS)) == []
    assert token_tags(sentence("\u200b", (0, 1)), scored(), LabelSet(LABELS)) == ["O"]


class Echo:
    """A model that tags the first character of each text as a whole entity."""

    label_set = LabelSet(LABELS)

    def logits(self, texts: Iterable[str]) -> Iterator[TokenLogits]:
        for text in texts:
            yield scored((0, 1, "B-UNIT"), (1, len(text), "O"))


def test_every_sentence_is_tagged_in_order_and_counted() -> None:
    sentences: Sequence[Sentence] = [sentence("泵 漏", (0, 1), (2, 3)), sentence("ok", (0, 2))]
    steps: list[int] = []
    assert tag(Echo(), sentences, lambda: steps.append(1)) == [["B-UNIT", "O"], ["B-UNIT"]]
    assert len(steps) == 2
