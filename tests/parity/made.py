"""Sentences, answers and models made by hand: every token is one subword, and says what the test wrote down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgener.data.tags import spans_of
from edgener.data.types import Dataset, Sentence
from edgener.parity.measures.masks import Inputs
from edgener.parity.measures.tagging import Answers, token_tags
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.pipeline import TokenLogits

LABELS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
UNKNOWN = 1
_SURE = 5.0


def sentence(tags: str, text: str = "") -> Sentence:
    """A sentence with those gold tags; its tokens are the words of `text`, else a, b, c ..."""
    words = text.split(" ") if text else [chr(ord("a") + i) for i in range(len(tags.split()))]
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])
    offsets = tuple((int(start), int(start) + len(word)) for start, word in zip(starts, words, strict=False))
    return Sentence(" ".join(words), offsets, spans_of(tags.split())[0], line=1)


def dataset(*gold: str) -> Dataset:
    """Sentences with those gold tags and different texts."""
    sentences = [sentence(tags, " ".join(f"w{n}.{i}" for i in range(len(tags.split())))) for n, tags in enumerate(gold)]
    return Dataset("mine.txt", "test", tuple(replace(each, line=n + 1) for n, each in enumerate(sentences)), "conll")


def scored(of: Sentence, tags: str, sure: float = _SURE, labels: Sequence[str] = LABELS) -> TokenLogits:
    """A logit of `sure` for each token's tag and 0 for the others."""
    columns = [labels.index(tag) for tag in tags.split()]
    logits = sure * np.eye(len(labels), dtype=np.float32)[columns].reshape(-1, len(labels))
    return with_logits(of, logits)


def with_logits(of: Sentence, logits: object) -> TokenLogits:
    """Those logits, (tokens, labels)."""
    ids = np.arange(10, 10 + len(of.offsets), dtype=np.int64)
    return TokenLogits(ids, np.array(of.offsets, dtype=np.int64).reshape(-1, 2), np.array(logits, dtype=np.float32))


def answers(
    sentences: Sequence[Sentence], all_scored: Sequence[TokenLogits], labels: Sequence[str] = LABELS
) -> Answers:
    """What a model with those logits said."""
    pairs, known = zip(sentences, all_scored, strict=True), LabelSet(tuple(labels))
    return Answers(known, list(all_scored), [token_tags(each, logits, known) for each, logits in pairs])


def said(sentences: Sequence[Sentence], *tags: str) -> Answers:
    """Answers with those tags, a sentence each."""
    return answers(sentences, [scored(each, words) for each, words in zip(sentences, tags, strict=True)])


class Scripted:
    """A model that gives each sentence the tags written down for it, others beside other texts or in padding."""

    label_set, undecided = LabelSet(LABELS), False
    unknown_id = UNKNOWN

    def __init__(
        self,
        sentences: Sequence[Sentence],
        tags: Sequence[str],
        beside: Mapping[int, str] | None = None,
        padded: Mapping[int, str] | None = None,
    ) -> None:
        self._sentences = {each.text: (number, each) for number, each in enumerate(sentences)}
        self._tags, self._beside, self._padded = tags, beside or {}, padded or {}

    def logits(self, texts: Iterable[str], padding: int = 0) -> Iterator[TokenLogits]:
        asked = list(texts)
        changed = self._beside if len(asked) > 1 else self._padded if padding else {}
        for text in asked:
            number, each = self._sentences[text]
            yield scored(each, changed.get(number, self._tags[number]))

    def inputs(self, texts: Sequence[str]) -> Inputs:
        mask = np.tri(len(texts), 6, 2, dtype=np.int64)
        return {"input_ids": 7 * mask, "attention_mask": mask}

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = np.repeat(inputs["input_ids"][..., None], len(LABELS), axis=-1).astype(np.float32)
        return logits
