"""The entity diff: what kind of change, how close the call was, and where changes gather."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener.data.types import Sentence
from edgener.parity.measures.counts import Count, count_entities, count_sentences
from edgener.parity.measures.diff import KINDS, Bucket, Change, DiffSummary, FoundEntity, changes, summarise, to_jsonl
from edgener.parity.measures.tagging import Answers
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.pipeline import TokenLogits

from .. import made
from ..made import LABELS, answers, said, sentence, with_logits

TYPES = ("LOC", "PER")


def diff(pytorch: str, variant: str, text: str = "") -> list[Change]:
    """The changes of one sentence, from both sides' tags."""
    sentences = [sentence(pytorch, text)]
    return list(changes(sentences, said(sentences, pytorch), said(sentences, variant)))


def spans(change: Change) -> tuple[str | None, str | None]:
    """Label and text on either side."""
    return _shown(change.pytorch), _shown(change.variant)


def _shown(side: FoundEntity | None) -> str | None:
    return f"{side.label} {side.text}" if side else None


# --- kinds


@pytest.mark.parametrize(
    ("pytorch", "variant", "kind", "sides"),
    [
        ("B-LOC I-LOC O", "O O O", "lost", ("LOC a b", None)),
        ("O O O", "O B-PER O", "gained", (None, "PER b")),
        ("B-LOC I-LOC O", "B-PER I-PER O", "relabelled", ("LOC a b", "PER a b")),
        ("B-LOC I-LOC O", "B-LOC O O", "moved", ("LOC a b", "LOC a")),
        ("O B-LOC O", "B-LOC I-LOC I-LOC", "moved", ("LOC b", "LOC a b c")),
        ("B-LOC I-LOC O", "O B-LOC I-LOC", "moved", ("LOC a b", "LOC b c")),
    ],
)
def test_a_change_is_of_one_kind(pytorch: str, variant: str, kind: str, sides: tuple[str | None, str | None]) -> None:
    (change,) = diff(pytorch, variant)
    assert (change.kind, spans(change)) == (kind, sides)


def test_another_label_on_other_tokens_is_a_loss_and_a_gain() -> None:
    found = diff("B-LOC I-LOC", "B-PER O")
    assert [change.kind for change in found] == ["lost", "gained"]
    assert [spans(change) for change in found] == [("LOC a b", None), (None, "PER a")]


def test_an_entity_cut_in_two_is_moved_and_another_gained() -> None:
    assert [(change.kind, change.label) for change in diff("B-LOC I-LOC I-LOC", "B-LOC B-LOC I-LOC")] == [
        ("moved", "LOC"),
        ("gained", "LOC"),
    ]


def test_a_stray_inside_tag_is_the_same_entity() -> None:
    assert diff("B-LOC I-LOC", "I-LOC I-LOC") == []


def test_changes_stand_in_the_texts_order_with_their_characters() -> None:
    text = "Größe 42 in 東京"
    found = diff("B-PER O O B-LOC", "O B-PER O B-PER", text)
    assert [change.kind for change in found] == ["lost", "gained", "relabelled"]
    assert found[0].pytorch == FoundEntity("PER", 0, 5, "Größe")
    assert found[2].pytorch == FoundEntity("LOC", 12, 14, "東京")
    assert all(text[side.start : side.end] == side.text for c in found for side in (c.pytorch, c.variant) if side)


def test_each_change_says_where_its_sentence_stands() -> None:
    sentences = [sentence("O"), sentence("O O", "second one")]
    (change,) = changes(sentences, said(sentences, "O", "B-LOC O"), said(sentences, "O", "O O"))
    assert (change.sentence, change.line, change.text) == (1, 1, "second one")


# --- scores and margins


def logits_of(*rows: Sequence[float]) -> list[list[float]]:
    """Logits whose probabilities are those."""
    return [[math.log(p) for p in row] for row in rows]


def hand_made(pytorch: list[list[float]], variant: list[list[float]]) -> list[Change]:
    sentences = [sentence("O " * len(pytorch))]
    sides = [answers(sentences, [with_logits(sentences[0], rows)]) for rows in (pytorch, variant)]
    return list(changes(sentences, *sides))


def test_both_scores_are_of_pytorchs_entity() -> None:
    (change,) = hand_made(
        logits_of([0.1, 0.6, 0.1, 0.1, 0.1], [0.2, 0.1, 0.5, 0.1, 0.1]),  # B-LOC I-LOC
        logits_of([0.5, 0.2, 0.1, 0.1, 0.1], [0.7, 0.1, 0.1, 0.05, 0.05]),  # O O
    )
    assert change.kind == "lost"
    assert change.score_pytorch == pytest.approx((0.6 + 0.5) / 2)
    assert change.score_variant == pytest.approx((0.2 + 0.1) / 2)
    assert change.margin == pytest.approx(0.5 - 0.2)  # the second token was the closer call


def test_of_a_gained_entity_both_scores_are_of_the_gained_one() -> None:
    (change,) = hand_made(logits_of([0.5, 0.4, 0.05, 0.03, 0.02]), logits_of([0.3, 0.6, 0.04, 0.03, 0.03]))
    assert change.kind == "gained"
    assert change.score_pytorch == pytest.approx(0.4) and change.score_variant == pytest.approx(0.6)
    assert change.margin == pytest.approx(0.1)


def test_the_margin_of_a_moved_entity_looks_at_all_tokens_of_both() -> None:
    (change,) = hand_made(
        logits_of([0.1, 0.6, 0.1, 0.1, 0.1], [0.48, 0.04, 0.44, 0.02, 0.02]),  # B-LOC O, and the O was nearly an I-LOC
        logits_of([0.1, 0.6, 0.1, 0.1, 0.1], [0.1, 0.1, 0.6, 0.1, 0.1]),  # B-LOC I-LOC
    )
    assert change.kind == "moved"
    assert change.margin == pytest.approx(0.04)


def test_tokens_that_share_a_subword_score_by_it_whatever_tags_the_model_has() -> None:
    """`°C` is one subword of two tokens; the second continues as I-UNIT, a tag that this model does not have."""
    labels = ("O", "B-UNIT")
    degrees = Sentence("90 °C", ((0, 2), (3, 4), (4, 5)), ())
    offsets = np.array([(0, 2), (3, 5)], dtype=np.int64)
    sides = [
        answers([degrees], [TokenLogits(np.array([5, 6]), offsets, np.array(rows, dtype=np.float32))], labels)
        for rows in (logits_of([0.9, 0.1], [0.3, 0.7]), logits_of([0.9, 0.1], [0.6, 0.4]))
    ]
    assert sides[0].tags == [["O", "B-UNIT", "I-UNIT"]]
    (change,) = changes([degrees], *sides)
    assert (change.kind, spans(change)) == ("lost", ("UNIT °C", None))
    assert change.score_pytorch == pytest.approx(0.7) and change.score_variant == pytest.approx(0.4)


def test_a_tag_that_only_pytorch_knows_has_no_score_in_the_variant() -> None:
    sentences = [sentence("B-PER")]
    pytorch, variant = (
        said(sentences, "B-PER"),
        answers(sentences, [with_logits(sentences[0], [[0, 1]])], ("O", "B-LOC")),
    )
    (change,) = changes(sentences, pytorch, variant)
    assert change.kind == "relabelled" and change.score_variant == 0


# --- as a file


def test_a_change_is_one_line_of_json_that_reads_back() -> None:
    found = diff("B-PER O O B-LOC", "O B-PER O B-PER", "Größe 42 in 東京")
    lines = to_jsonl(found).splitlines()
    assert len(lines) == len(found) == 3
    assert "東京" in lines[2]
    for line, change in zip(lines, found, strict=True):
        record = json.loads(line)
        sides = {name: (FoundEntity(**record[name]) if record[name] else None) for name in ("pytorch", "variant")}
        assert Change(**(record | sides)) == change


def test_a_line_break_in_the_text_breaks_no_line() -> None:
    assert len(to_jsonl(diff("B-LOC O", "O O", "one\ntwo three\u2028four")).split("\n")) == 2


def test_a_lone_surrogate_can_be_written() -> None:
    line = to_jsonl(diff("B-LOC O", "O O", "\ud83d x"))
    assert json.loads(line.encode("utf-8"))["text"] == "\ufffd x"


def test_without_a_change_there_is_no_line() -> None:
    assert to_jsonl(diff("B-LOC O", "B-LOC O")) == ""


# --- where they gather


def summary(sides: Sequence[tuple[str, str]], ids: Sequence[Sequence[int]] | None = None) -> DiffSummary:
    """From both sides' tags, a sentence each; `ids` are the subwords where they matter."""
    sentences = [sentence(pytorch) for pytorch, _ in sides]
    pytorch, variant = (said(sentences, *tags) for tags in zip(*sides, strict=True))
    if ids:
        pairs = zip(ids, pytorch.scored, strict=True)
        scored = [TokenLogits(np.array(row), each.offsets, each.logits) for row, each in pairs]
        pytorch = Answers(LabelSet(LABELS), scored, pytorch.tags)
    counts = count_sentences(sentences, pytorch, variant, np.zeros((len(sentences), 2)))
    return summarise(list(changes(sentences, pytorch, variant)), sentences, pytorch, counts, 1)


def test_changes_are_counted_by_kind_and_by_label_and_kind() -> None:
    found = summary([("B-LOC O B-PER", "O O B-PER"), ("B-LOC O O", "B-PER O B-PER"), ("B-LOC O O", "O O O")])
    assert found.kinds == {"lost": 2, "gained": 1, "relabelled": 1}
    assert found.labels == {"LOC": {"lost": 2, "relabelled": 1}, "PER": {"gained": 1}}


def test_churn_is_grouped_by_the_tokens_in_the_sentence() -> None:
    short, long = "B-LOC O O O O", "B-LOC" + " O" * 5 + " B-PER" + " O" * 40
    found = summary([(short, short), (short, "O O O O O"), (long, long.replace("B-LOC", "O"))])
    assert found.lengths == {"1 to 5": Bucket(2, 0.25), "over 40": Bucket(2, 0.25)}


@pytest.mark.parametrize(
    ("tokens", "name"),
    [
        (1, "1 to 5"),
        (5, "1 to 5"),
        (6, "6 to 10"),
        (10, "6 to 10"),
        (20, "11 to 20"),
        (21, "21 to 40"),
        (41, "over 40"),
    ],
)
def test_a_sentence_counts_in_the_first_bucket_that_holds_it(tokens: int, name: str) -> None:
    tags = "B-LOC" + " O" * (tokens - 1)
    assert list(summary([(tags, tags)]).lengths) == [name]


def test_churn_is_grouped_by_the_share_of_unknown_subwords() -> None:
    tags = "B-LOC" + " O" * 19
    known, one, all_ = [5] * 20, [1] + [5] * 19, [1] * 20
    sides = [(tags, tags), (tags, tags), (tags, "O" + " O" * 19)]
    found = summary(sides, [known, one, all_])
    assert found.unknown == {"none": Bucket(1, 0.0), "up to 5%": Bucket(1, 0.0), "more": Bucket(1, 0.5)}


def test_a_bucket_without_entities_of_pytorchs_shows_what_was_gained() -> None:
    assert summary([("O O", "B-LOC O")]).lengths == {"1 to 5": Bucket(0, 0.5)}


# --- what always holds

sides = st.integers(1, 8).flatmap(
    lambda length: st.tuples(*[st.lists(st.sampled_from(LABELS), min_size=length, max_size=length).map(" ".join)] * 2)
)


@given(sides)
def test_nothing_differs_from_itself(both: tuple[str, str]) -> None:
    assert diff(both[0], both[0]) == []


@given(sides)
def test_the_kinds_add_up_to_the_churn(both: tuple[str, str]) -> None:
    pytorch, variant = both
    counts = count_entities(TYPES, [["O"] * len(pytorch.split())], [pytorch.split()], [variant.split()])
    kinds = Counter(change.kind for change in diff(pytorch, variant))
    assert (
        kinds["lost"] / 2 + kinds["gained"] / 2 + kinds["relabelled"] + kinds["moved"]
        == counts[..., Count.CHANGED].sum()
    )


@given(sides)
def test_the_other_way_round_what_was_lost_is_gained(both: tuple[str, str]) -> None:
    there, back = (Counter(change.kind for change in diff(*pair)) for pair in (both, both[::-1]))
    assert [back[kind] for kind in ("gained", "lost", "relabelled", "moved")] == [there[kind] for kind in KINDS]


@given(sides, st.floats(0.5, 20), st.floats(0.5, 20))
def test_scores_and_margins_are_probabilities(both: tuple[str, str], sure: float, other: float) -> None:
    sentences = [sentence(both[0])]
    ours, theirs = (
        answers(sentences, [made.scored(sentences[0], tags, how)])
        for tags, how in zip(both, (sure, other), strict=True)
    )
    for change in changes(sentences, ours, theirs):
        assert all(0 <= number <= 1 for number in (change.score_pytorch, change.score_variant, change.margin))
        assert change.pytorch != change.variant
