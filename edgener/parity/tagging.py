"""From what a model says of subwords to one label a token, the same for PyTorch and for the runtime."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from edgener.data.align import first_subwords
from edgener.data.types import Sentence
from edgener_runtime.pipeline import TokenLogits


class Tagger(Protocol):
    """What knows its labels and scores the subwords of texts: the PyTorch model, or a variant in the runtime."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The tags, by number."""

    def logits(self, texts: Iterable[str]) -> Iterator[TokenLogits]:
        """Logits of each text's subwords, in order."""


def token_tags(sentence: Sentence, scored: TokenLogits, labels: Sequence[str]) -> list[str]:
    """One tag a token, that of its first subword; a token the tokenizer left nothing of is O."""
    best = scored.logits.argmax(axis=-1) if len(scored.logits) else []
    first = first_subwords(sentence.offsets, [(int(start), int(end)) for start, end in scored.offsets], sentence.text)
    return [labels[best[subword]] if subword >= 0 else "O" for subword in first]


def tag(model: Tagger, sentences: Sequence[Sentence], step: Any = None) -> list[list[str]]:
    """The tags a model gives each sentence; `step()` is called after each for a progress bar."""
    tags = []
    for sentence, scored in zip(sentences, model.logits(s.text for s in sentences), strict=True):
        tags.append(token_tags(sentence, scored, model.labels))
        if step:
            step()
    return tags
