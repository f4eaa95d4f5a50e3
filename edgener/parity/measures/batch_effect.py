"""The batch effect: entities that change with padding and batch-mates, as with dynamic quantisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from edgener.data.tags import spans_of
from edgener.data.types import Sentence
from edgener_runtime.pipeline import TokenLogits

from .tagging import Tagger, token_tags

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Batched(Tagger, Protocol):
    """A variant in the runtime whose batches can be padded."""

    def logits(self, texts: Iterable[str], padding: int = 0) -> Iterator[TokenLogits]:
        """Logits of each text's subwords, in order; texts given together run together."""


def count_batch_effect(
    variant: Batched,
    sentences: Sequence[Sentence],
    beside: Sequence[Sequence[str]],
    step: Callable[[], None],
    most: int | None = None,
) -> NDArray[np.float64]:
    """(sentences, 2): entities that change between a text alone, padded to twice its length and in a batch; and all.

    `beside` are the variant's tags of the texts in batches. `most` evenly spread sentences are counted; None counts
    all.
    """
    import numpy as np

    counts = np.zeros((len(sentences), 2))
    stride = max(1, math.ceil(len(sentences) / most)) if most else 1
    for number, (row, sentence, others) in enumerate(zip(counts, sentences, beside, strict=True)):
        step()
        if number % stride:
            continue
        (alone,) = variant.logits([sentence.text])
        (padded,) = variant.logits([sentence.text], padding=len(alone.input_ids))
        tags = [others, *(token_tags(sentence, answer, variant.label_set) for answer in (padded, alone))]
        in_batch, with_padding, by_itself = (set(spans_of(side)[0]) for side in tags)
        lost, gained = by_itself - (in_batch & with_padding), (in_batch | with_padding) - by_itself
        row[:] = (len(lost) + len(gained)) / 2, len(by_itself)
    return counts
