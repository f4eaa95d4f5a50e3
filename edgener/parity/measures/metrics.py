"""Scores of predicted tags: entities as strict as their scheme (seqeval), and a table by tag."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from edgener.data.tags import tags_of
from edgener.data.types import Span
from edgener_runtime.decoding.schemes import DEFAULT, allowed_entities

Tags = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Score:
    """Precision, recall and F1 (0 to 1) over `support` gold items."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class EntityScores:
    """Entity scores: over all (micro), the mean over labels (macro), and by label."""

    micro: Score
    macro: Score
    labels: dict[str, Score]


_NO_ENTITIES = EntityScores(Score(0.0, 0.0, 0.0, 0), Score(0.0, 0.0, 0.0, 0), {})


@dataclass(frozen=True)
class TagReport:
    """Token scores by tag, with their averages; `accuracy` is the share of tokens with the right tag."""

    tags: dict[str, Score]
    averages: dict[str, Score]
    accuracy: float


def allowed_spans(tags: Sequence[str], scheme: str) -> list[Span]:
    """The entities whose tags are as the scheme demands."""
    return [Span(*entity) for entity in allowed_entities(tags, scheme)]


def entity_scores(gold: Tags, predicted: Tags, scheme: str = DEFAULT) -> EntityScores:
    """Precision, recall and F1 of entities with equal label, start and end (seqeval).

    `gold` is in IOB2, `predicted` in `scheme`; entities whose tags the scheme does not allow do not count. seqeval gets
    both in IOB2, whatever the scheme.
    """
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    predicted = [tags_of(allowed_spans(tags, scheme), len(tags)) for tags in predicted]
    if not any(tag != "O" for tags in (*gold, *predicted) for tag in tags):
        return _NO_ENTITIES
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # labels without a prediction have no precision; 0 is printed, as in seqeval
        report = classification_report(
            [list(tags) for tags in gold],
            [list(tags) for tags in predicted],
            mode="strict",
            scheme=IOB2,
            output_dict=True,
            zero_division=0,
        )
    scores = {
        name: Score(float(row["precision"]), float(row["recall"]), float(row["f1-score"]), int(row["support"]))
        for name, row in report.items()
    }
    labels = {name: score for name, score in scores.items() if not name.endswith(" avg")}
    if not labels:  # tags without an entity, such as a single I-: seqeval's mean over no label is NaN
        return _NO_ENTITIES
    return EntityScores(scores["micro avg"], scores["macro avg"], labels)


def tag_report(gold: Tags, predicted: Tags) -> TagReport:
    """One row per tag, then micro (with and without O), macro and weighted averages."""
    import numpy as np

    true, guess = (np.array([tag for tags in side for tag in tags], dtype=object) for side in (gold, predicted))
    tags = sorted(set(true) | set(guess), key=lambda tag: (tag == "O", tag[2:], tag))
    hits = {tag: int(((true == tag) & (guess == tag)).sum()) for tag in tags}
    guessed = {tag: int((guess == tag).sum()) for tag in tags}
    support = {tag: int((true == tag).sum()) for tag in tags}
    rows = {tag: _score(hits[tag], guessed[tag], support[tag]) for tag in tags}
    present = [rows[tag] for tag in tags]
    inside = [tag for tag in tags if tag != "O"]
    averages = {
        "micro": _score(sum(hits.values()), len(guess), len(true)),
        "micro without O": _score(*(sum(counts[tag] for tag in inside) for counts in (hits, guessed, support))),
        "macro": _mean(present, [1] * len(present)),
        "weighted": _mean(present, [row.support for row in present]),
    }
    return TagReport(rows, averages, float((true == guess).mean()) if len(true) else 0.0)


def _score(hits: int, guessed: int, support: int) -> Score:
    precision = hits / guessed if guessed else 0.0
    recall = hits / support if support else 0.0
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return Score(precision, recall, f1, support)


def _mean(rows: list[Score], weights: list[int]) -> Score:
    total = sum(weights) or 1
    precision, recall, f1 = (
        sum(weight * value for weight, value in zip(weights, values, strict=True)) / total
        for values in ([row.precision for row in rows], [row.recall for row in rows], [row.f1 for row in rows])
    )
    return Score(precision, recall, f1, sum(row.support for row in rows))
