"""The entity diff: each entity that a variant loses, gains, relabels or moves, with the margin of the decision."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from edgener.data.align import first_subwords
from edgener.data.tags import spans_of
from edgener.data.types import Sentence, Span
from edgener_runtime.decoding.decode import softmax
from edgener_runtime.pipeline import TokenLogits
from edgener_runtime.text.tokenize import without_surrogates

from .counts import Count, Counts
from .tagging import Answers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

KINDS = ("lost", "gained", "relabelled", "moved")


@dataclass(frozen=True)
class FoundEntity:
    """An entity with its character offsets."""

    label: str
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Change:
    """One entity that differs: `pytorch` is None where it was gained, `variant` where it was lost.

    The scores are the mean probabilities of PyTorch's entity (else of the gained one) in each model, over its tokens.
    `margin` is the smallest difference of probability between PyTorch's label and its second best on these tokens:
    near 0, PyTorch itself was close to another label.
    """

    kind: str
    sentence: int
    line: int
    text: str
    pytorch: FoundEntity | None
    variant: FoundEntity | None
    score_pytorch: float
    score_variant: float
    margin: float

    @property
    def label(self) -> str:
        """PyTorch's label, or that of the gained entity."""
        return next(entity.label for entity in (self.pytorch, self.variant) if entity)


def changes(sentences: Sequence[Sentence], pytorch: Answers, variant: Answers) -> Iterator[Change]:
    """The entities that differ, in the text's order."""
    for number, sentence in enumerate(sentences):
        if pytorch.tags[number] != variant.tags[number]:
            clean = replace(sentence, text=without_surrogates(sentence.text))  # as the models and files have it
            yield from _changes(number, clean, pytorch, variant)


def to_jsonl(found: Sequence[Change]) -> str:
    """JSON Lines with one change per line."""
    return "".join(json.dumps(asdict(change), ensure_ascii=False) + "\n" for change in found)


class _Pair(NamedTuple):
    """An entity that differs, in both models."""

    pytorch: Span | None
    variant: Span | None

    @property
    def entity(self) -> Span:
        """PyTorch's, or the gained one."""
        return next(span for span in self if span)

    @property
    def kind(self) -> str:
        if self.pytorch and self.variant:
            return "relabelled" if _same_tokens(self.pytorch, self.variant) else "moved"
        return "lost" if self.pytorch else "gained"


def _changes(number: int, sentence: Sentence, pytorch: Answers, variant: Answers) -> Iterator[Change]:
    sides = (pytorch, variant)
    spans = [set(spans_of(answers.tags[number])[0]) for answers in sides]
    scores = [_token_scores(sentence, answers.scored[number]) for answers in sides]
    for pair in sorted(_paired(*spans), key=lambda pair: pair.entity.start):
        entity = pair.entity
        tags = (pytorch if pair.pytorch else variant).tags[number][entity.start : entity.end]
        score_pytorch, score_variant = (
            _mean_score(side[entity.start : entity.end], tags, answers.label_set.tags)
            for side, answers in zip(scores, sides, strict=True)
        )
        yield Change(
            pair.kind,
            number,
            sentence.line,
            sentence.text,
            _named(pair.pytorch, sentence),
            _named(pair.variant, sentence),
            score_pytorch,
            score_variant,
            _margin(scores[0], pair),
        )


def _paired(pytorch: set[Span], variant: set[Span]) -> Iterator[_Pair]:
    """Each entity that only one side has, with its counterpart: the same tokens, else the same label overlapping."""
    lost, gained = (sorted(side, key=lambda span: span.start) for side in (pytorch - variant, variant - pytorch))
    for matches in (_same_tokens, _overlap):
        for expected in list(lost):
            found = next((span for span in gained if matches(expected, span)), None)
            if found:
                lost.remove(expected)
                gained.remove(found)
                yield _Pair(expected, found)
    yield from (_Pair(span, None) for span in lost)
    yield from (_Pair(None, span) for span in gained)


def _same_tokens(a: Span, b: Span) -> bool:
    return (a.start, a.end) == (b.start, b.end)


def _overlap(a: Span, b: Span) -> bool:
    return a.label == b.label and a.start < b.end and b.start < a.end


def _named(span: Span | None, sentence: Sentence) -> FoundEntity | None:
    if span is None:
        return None
    start, end = sentence.offsets[span.start][0], sentence.offsets[span.end - 1][1]
    return FoundEntity(span.label, start, end, sentence.text[start:end])


def _token_scores(sentence: Sentence, scored: TokenLogits) -> Floats:
    """Probabilities (tokens, labels) by the first subword of each token; NaN for one without."""
    import numpy as np

    first = np.array(first_subwords(sentence.offsets, scored.offsets.tolist(), sentence.text), dtype=int)
    scores = np.full((len(first), scored.logits.shape[-1]), np.nan, dtype=np.float32)
    scores[first >= 0] = softmax(scored.logits)[first[first >= 0]]
    return scores


def _mean_score(scores: Floats, tags: Sequence[str], labels: Sequence[str]) -> float:
    """The mean over tokens with a subword; an unknown tag scores 0."""
    import numpy as np

    seen = [(row, tag) for row, tag in zip(scores, tags, strict=True) if np.isfinite(row).all()]
    own = [float(row[labels.index(tag)]) if tag in labels else 0.0 for row, tag in seen]
    return sum(own) / max(1, len(own))


def _margin(scores: Floats, pair: _Pair) -> float:
    import numpy as np

    tokens = sorted({token for span in pair if span for token in range(span.start, span.end)})
    ranked = np.sort(scores[tokens], axis=-1)
    gaps = (ranked[:, -1] - ranked[:, -2])[np.isfinite(ranked[:, -1])]
    return float(gaps.min()) if len(gaps) else 0.0


# --- counts


@dataclass(frozen=True)
class Bucket:
    """A group of sentences: PyTorch's entities, and their churn."""

    entities: int
    churn: float


@dataclass(frozen=True)
class DiffSummary:
    """Changes by kind, by label and kind, and churn by tokens in the sentence and by share of unknown subwords."""

    kinds: dict[str, int]
    labels: dict[str, dict[str, int]]
    lengths: dict[str, Bucket]
    unknown: dict[str, Bucket]


_LENGTHS = ((5, "1 to 5"), (10, "6 to 10"), (20, "11 to 20"), (40, "21 to 40"), (float("inf"), "over 40"))
_UNKNOWN = ((0.0, "none"), (0.05, "up to 5%"), (0.2, "up to 20%"), (1.0, "more"))


def summarise(
    found: Sequence[Change], sentences: Sequence[Sentence], pytorch: Answers, counts: Counts, unknown_id: int | None
) -> DiffSummary:
    """Counts of changes; `unknown_id` is the id of the unknown subword."""
    by_label: dict[str, Counter[str]] = {}
    for change in found:
        by_label.setdefault(change.label, Counter())[change.kind] += 1
    lengths = [len(sentence.offsets) for sentence in sentences]
    unknown = [float((scored.input_ids == unknown_id).mean()) if len(scored.input_ids) else 0.0
               for scored in pytorch.scored]  # fmt: skip
    return DiffSummary(
        kinds=_by_kind(Counter(change.kind for change in found)),
        labels={label: _by_kind(kinds) for label, kinds in sorted(by_label.items())},
        lengths=_buckets(lengths, _LENGTHS, counts),
        unknown=_buckets(unknown, _UNKNOWN, counts),
    )


def _by_kind(counts: Counter[str]) -> dict[str, int]:
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


def _buckets(values: Sequence[float], bounds: Sequence[tuple[float, str]], counts: Counts) -> dict[str, Bucket]:
    """Sentences grouped by the first bound that is not below their value."""
    import numpy as np

    numbers = np.searchsorted([bound for bound, _ in bounds], values)
    sums = np.zeros((len(bounds), len(Count)))
    np.add.at(sums, numbers, counts.entities.sum(axis=1))
    return {
        name: Bucket(int(row[Count.ENTITIES]), float(row[Count.CHANGED] / max(1, row[Count.ENTITIES])))
        for (_, name), row in zip(bounds, sums, strict=True)
        if row[Count.ENTITIES] or row[Count.CHANGED]
    }
