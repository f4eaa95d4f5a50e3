"""Predictions with their scores, and whether they are right: of tokens and of entities, from one run of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from edgener.data.align import first_subwords, subword_tokens
from edgener.data.tags import tags_of
from edgener.data.types import Sentence
from edgener.parity.measures.tagging import Answers
from edgener_runtime.decoding.decode import Decoder, Scored
from edgener_runtime.decoding.entity import Decoding, Entity, ScoreSettings
from edgener_runtime.decoding.schemes import OUTSIDE
from edgener_runtime.pipeline import TokenLogits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ScoredTokens:
    """Tokens: the logits (tokens, labels) of the first subword of each, and the numbers (tokens,) of the gold labels.

    Tokens without a subword, and those whose gold label the model does not have, are left out.
    """

    logits: NDArray[np.float32]
    gold: NDArray[np.int64]


@dataclass(frozen=True)
class ScoredEntity:
    """An entity that a model finds: its label, its score, and whether label, start and end are those of a gold one."""

    label: str
    score: float
    correct: bool


def scored_tokens(sentences: Sequence[Sentence], answers: Answers) -> ScoredTokens:
    """The tokens of sentences that a model has answered."""
    import numpy as np

    labels = answers.label_set
    numbers = {tag: number for number, tag in enumerate(labels.tags)} | {OUTSIDE: labels.names.index(labels.outside)}
    rows, gold = [np.empty((0, len(labels.names)), dtype=np.float32)], []
    for sentence, scored in zip(sentences, answers.scored, strict=True):
        tags = tags_of(sentence.spans, len(sentence.offsets), labels.scheme)
        first = first_subwords(sentence.offsets, _offsets(scored), sentence.text)
        known = [(row, numbers[tag]) for row, tag in zip(first, tags, strict=True) if row >= 0 and tag in numbers]
        rows.append(scored.logits[[row for row, _ in known]])
        gold += [number for _, number in known]
    return ScoredTokens(np.concatenate(rows), np.array(gold, dtype=np.int64))


def scored_entities(sentences: Sequence[Sentence], answers: Answers, settings: ScoreSettings) -> list[ScoredEntity]:
    """All entities of sentences that a model has answered, with the scores and the aggregation of the settings.

    The words are the tokens of the data, so that PyTorch's answers and the runtime's are decoded alike.
    """
    texts = [sentence.text for sentence in sentences]
    found = Decoder(answers.label_set, settings).entities(texts, _scored(sentences, answers), Decoding(thresholds={}))
    return judged_entities(sentences, found)


def judged_entities(sentences: Sequence[Sentence], found: Sequence[Sequence[Entity]]) -> list[ScoredEntity]:
    """The entities that were found in sentences, each compared with the gold ones of its sentence."""
    return [
        ScoredEntity(entity.label, entity.score, _span(entity) in gold)
        for sentence, entities in zip(sentences, found, strict=True)
        for gold in [_gold(sentence)]
        for entity in entities
    ]


def _scored(sentences: Sequence[Sentence], answers: Answers) -> Scored:
    """The logits of all texts as the decoder takes them; the words are the tokens of the data."""
    import numpy as np

    subwords = [_offsets(scored) for scored in answers.scored]
    empty = np.empty((0, len(answers.label_set.names)), dtype=np.float32)
    return Scored(
        np.concatenate([empty, *(scored.logits for scored in answers.scored)]),
        list(chain.from_iterable(subwords)),
        lambda: list(chain.from_iterable(map(_continues, sentences, subwords))),
        list(map(len, subwords)),
    )


def _continues(sentence: Sentence, subwords: list[tuple[int, int]]) -> list[bool]:
    tokens = subword_tokens(sentence.offsets, subwords, sentence.text)
    return [token == before >= 0 for before, token in pairwise([-1, *tokens])]


def _offsets(scored: TokenLogits) -> list[tuple[int, int]]:
    return [(start, end) for start, end in scored.offsets.tolist()]


def _gold(sentence: Sentence) -> set[tuple[str, int, int]]:
    return {(span.label, sentence.offsets[span.start][0], sentence.offsets[span.end - 1][1]) for span in sentence.spans}


def _span(entity: Entity) -> tuple[str, int, int]:
    """Label, start and end, without the space that some tokenizers count to a word."""
    return entity.label, entity.start + len(entity.text) - len(entity.text.lstrip()), entity.end
