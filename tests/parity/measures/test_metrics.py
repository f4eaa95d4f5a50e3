"""Entity scores against hand counts and seqeval, the table by tag against scikit-learn."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener.data.tags import spans_of
from edgener.parity.measures.metrics import Score, entity_scores, tag_report

TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER", "B-设备", "I-设备")


@st.composite
def sides(draw: st.DrawFn) -> tuple[list[list[str]], list[list[str]]]:
    """Gold and predicted tags of the same sentences; any tag may follow any other."""
    lengths = draw(st.lists(st.integers(1, 8), min_size=1, max_size=6))
    gold, predicted = (
        [draw(st.lists(st.sampled_from(TAGS), min_size=n, max_size=n)) for n in lengths] for _ in range(2)
    )
    return gold, predicted


def as_tuple(score: Score) -> tuple[float, float, float, int]:
    return score.precision, score.recall, score.f1, score.support


# --- entities


def test_precision_and_recall_count_whole_entities() -> None:
    gold = [["B-LOC", "I-LOC", "O", "B-PER"], ["B-PER", "O"]]
    predicted = [["B-LOC", "I-LOC", "O", "B-LOC"], ["B-PER", "B-PER"]]
    scores = entity_scores(gold, predicted)
    # right: LOC 0-2 and PER 0-1; guessed 2 LOC and 2 PER; gold 1 LOC and 2 PER
    assert as_tuple(scores.labels["LOC"]) == pytest.approx((1 / 2, 1, 2 / 3, 1))
    assert as_tuple(scores.labels["PER"]) == pytest.approx((1 / 2, 1 / 2, 1 / 2, 2))
    assert as_tuple(scores.micro) == pytest.approx((2 / 4, 2 / 3, 4 / 7, 3))
    assert scores.macro.f1 == pytest.approx((2 / 3 + 1 / 2) / 2)


@pytest.mark.parametrize(
    "predicted",
    [
        ["B-LOC", "O", "O", "O"],  # too short
        ["B-LOC", "I-LOC", "I-LOC", "O"],  # too long
        ["B-PER", "I-PER", "O", "O"],  # another label
        ["I-LOC", "I-LOC", "O", "O"],  # no beginning: strict IOB2 does not count it
        ["B-LOC", "I-PER", "O", "O"],  # goes on as another label
        ["B-LOC", "B-LOC", "O", "O"],  # two instead of one
    ],
)
def test_an_entity_that_is_not_the_very_same_scores_nothing(predicted: list[str]) -> None:
    assert entity_scores([["B-LOC", "I-LOC", "O", "O"]], [predicted]).micro.f1 == 0


def test_a_label_that_was_never_guessed_or_never_there_has_a_row_of_zeros() -> None:
    scores = entity_scores([["B-LOC", "O"]], [["O", "B-PER"]])
    assert as_tuple(scores.labels["LOC"]) == (0, 0, 0, 1)
    assert as_tuple(scores.labels["PER"]) == (0, 0, 0, 0)


@pytest.mark.parametrize("tags", [[], [[]], [["O", "O"]], [["O", "I-LOC"]]])
def test_without_any_entity_all_scores_are_zero(tags: list[list[str]]) -> None:
    scores = entity_scores([["O"] * len(sentence) for sentence in tags], tags)
    assert scores.micro == scores.macro == Score(0, 0, 0, 0)
    assert scores.labels == {}


def test_no_warning_reaches_the_user(recwarn: pytest.WarningsRecorder) -> None:
    entity_scores([["B-LOC", "O"]], [["O", "B-PER"]])
    assert list(recwarn) == []


@given(sides())
def test_entity_scores_are_seqevals_strict_iob2(tags: tuple[list[list[str]], list[list[str]]]) -> None:
    from seqeval.metrics import f1_score, precision_score, recall_score
    from seqeval.scheme import IOB2

    scores = entity_scores(*tags)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [
            score(*tags, mode="strict", scheme=IOB2, average=average, zero_division=0)
            for average in ("micro", "macro")
            for score in (precision_score, recall_score, f1_score)
            if scores.labels
        ]
    ours = [value for side in (scores.micro, scores.macro) for value in (side.precision, side.recall, side.f1)]
    assert ours == pytest.approx(found or [0] * 6)


@given(sides())
def test_a_perfect_prediction_of_well_formed_tags_scores_one(tags: tuple[list[list[str]], list[list[str]]]) -> None:
    gold = [sentence for sentence in tags[0] if spans_of(sentence)[1] == 0]
    if any(tag != "O" for sentence in gold for tag in sentence):
        assert entity_scores(gold, gold).micro.f1 == 1


# --- tokens


def test_the_table_by_tag_equals_a_count_by_hand() -> None:
    gold = [["B-LOC", "I-LOC", "O", "O"], ["B-PER", "O"]]
    predicted = [["B-LOC", "O", "O", "B-PER"], ["B-PER", "O"]]
    report = tag_report(gold, predicted)
    rows = {tag: as_tuple(score) for tag, score in report.tags.items()}
    assert rows == {
        "B-LOC": (1, 1, 1, 1),
        "I-LOC": (0, 0, 0, 1),
        "B-PER": pytest.approx((1 / 2, 1, 2 / 3, 1)),
        "O": pytest.approx((2 / 3, 2 / 3, 2 / 3, 3)),
    }
    assert as_tuple(report.averages["micro"]) == pytest.approx((4 / 6, 4 / 6, 4 / 6, 6))
    assert as_tuple(report.averages["micro without O"]) == pytest.approx((2 / 3, 2 / 3, 2 / 3, 3))
    assert report.averages["macro"].f1 == pytest.approx((1 + 0 + 2 / 3 + 2 / 3) / 4)
    assert report.averages["weighted"].f1 == pytest.approx((1 + 0 + 2 / 3 + 3 * 2 / 3) / 6)
    assert report.accuracy == pytest.approx(4 / 6)


def test_a_tags_beginning_stands_above_its_inside_and_o_stands_last() -> None:
    tags = [["I-PER", "O", "B-PER", "I-LOC", "B-LOC"]]
    assert list(tag_report(tags, tags).tags) == ["B-LOC", "I-LOC", "B-PER", "I-PER", "O"]


def test_no_tokens_score_zero() -> None:
    report = tag_report([[]], [[]])
    assert (report.tags, report.accuracy) == ({}, 0)
    assert {as_tuple(score) for score in report.averages.values()} == {(0, 0, 0, 0)}


@given(sides())
def test_the_table_by_tag_is_scikit_learns(tags: tuple[list[list[str]], list[list[str]]]) -> None:
    from sklearn.metrics import accuracy_score, classification_report

    gold, predicted = ([tag for sentence in side for tag in sentence] for side in tags)
    report = tag_report(*tags)
    oracle = classification_report(gold, predicted, output_dict=True, zero_division=0)
    theirs = {name: row for name, row in oracle.items() if name != "accuracy"}
    ours = {**report.tags, "macro avg": report.averages["macro"], "weighted avg": report.averages["weighted"]}
    assert set(ours) == set(theirs)
    for name, score in ours.items():
        row = theirs[name]
        expected = (row["precision"], row["recall"], row["f1-score"], row["support"])
        assert as_tuple(score) == pytest.approx(expected)
    assert report.accuracy == pytest.approx(accuracy_score(gold, predicted))


@given(sides())
def test_micro_averages_are_scikit_learns_over_all_tags_and_over_entity_tags(
    tags: tuple[list[list[str]], list[list[str]]],
) -> None:
    from sklearn.metrics import precision_recall_fscore_support

    gold, predicted = ([tag for sentence in side for tag in sentence] for side in tags)
    report = tag_report(*tags)
    for name, labels in (("micro", TAGS), ("micro without O", TAGS[1:])):
        expected = precision_recall_fscore_support(gold, predicted, labels=labels, average="micro", zero_division=0)
        score = report.averages[name]
        assert (score.precision, score.recall, score.f1) == pytest.approx(expected[:3])
        assert score.support == sum(tag in labels for tag in gold)
