"""Labels of tokens from logits of subwords, the same for PyTorch and for the runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from edgener.data.align import continued_subwords, first_subwords
from edgener.data.tags import spread
from edgener.data.types import Sentence
from edgener_runtime.decoding.schemes import OUTSIDE, LabelSet
from edgener_runtime.pipeline import TokenLogits


class Tagger(Protocol):
    """A model with labels and logits of subwords: PyTorch, or a variant in the runtime."""

    @property
    def label_set(self) -> LabelSet:
        """The labels by number, and their scheme."""

    def logits(self, texts: Iterable[str]) -> Iterator[TokenLogits]:
        """Logits of each text's subwords, in order."""


@dataclass(frozen=True)
class Answers:
    """A model's answers on sentences: logits of each one's subwords, and tags (role and type) of its tokens."""

    label_set: LabelSet
    scored: list[TokenLogits]
    tags: list[list[str]]


def token_tags(sentence: Sentence, scored: TokenLogits, label_set: LabelSet) -> list[str]:
    """One tag per token, that of its first subword.

    A token without a subword continues the tag before it if the two share a subword; otherwise it is O.
    """
    best = scored.logits.argmax(axis=-1).tolist()
    offsets = [(start, end) for start, end in scored.offsets.tolist()]
    first = first_subwords(sentence.offsets, offsets, sentence.text)
    shared = continued_subwords(sentence.offsets, offsets)
    tags: list[str] = []
    for subword, continued in zip(first, shared, strict=True):
        if subword >= 0:
            tags.append(label_set.tags[best[subword]])
        elif continued:
            tags[-1:] = spread(tags[-1])
        else:
            tags.append(OUTSIDE)
    return tags


def answer(model: Tagger, sentences: Sequence[Sentence], step: Callable[[], None]) -> Answers:
    """Run a model on sentences; `step()` is called after each."""
    answers = Answers(model.label_set, [], [])
    for sentence, scored in zip(sentences, model.logits(s.text for s in sentences), strict=True):
        answers.scored.append(scored)
        answers.tags.append(token_tags(sentence, scored, model.label_set))
        step()
    return answers


def tag(model: Tagger, sentences: Sequence[Sentence], step: Callable[[], None] = lambda: None) -> list[list[str]]:
    """A model's tags of each sentence; `step()` is called after each."""
    return answer(model, sentences, step).tags
