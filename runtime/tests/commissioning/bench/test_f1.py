from __future__ import annotations

import pytest

from edgener_runtime.commissioning.bench.f1 import entities_of, entity_f1
from edgener_runtime.commissioning.bench.spec import Gold
from edgener_runtime.decoding.schemes import LabelSet

ONE, OTHER = Gold("FAULT", 0, 8), Gold("PART", 12, 16)


@pytest.mark.parametrize(
    ("gold", "found", "expected"),
    [
        ([[ONE], [OTHER]], [[ONE], [OTHER]], 1.0),
        ([[ONE], [OTHER]], [[OTHER], [ONE]], 0.0),  # of the other text
        ([[ONE, OTHER]], [[ONE]], 2 / 3),
        ([[ONE]], [[ONE, OTHER]], 2 / 3),
        ([[ONE]], [[Gold("PART", 0, 8)]], 0.0),
        ([[ONE]], [[Gold("FAULT", 0, 7)]], 0.0),
        ([[], []], [[], []], 1.0),
        ([[]], [[ONE]], 0.0),
    ],
)
def test_an_entity_counts_where_all_of_it_is_right(
    gold: list[list[Gold]], found: list[list[Gold]], expected: float
) -> None:
    assert entity_f1(gold, found) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("O B-X I-X O", [Gold("X", 2, 5)]),
        ("B-X B-X I-X I-X", [Gold("X", 0, 1), Gold("X", 2, 7)]),
        ("B-X I-Y B-Y I-Y", [Gold("X", 0, 1), Gold("Y", 4, 7)]),
        ("I-X O I-X B-Y", [Gold("Y", 6, 7)]),  # strictly, nothing begins with an I-
        ("B-X O I-X O", [Gold("X", 0, 1)]),
        ("O O O O", []),
    ],
)
def test_labels_of_words_give_entities_by_strict_iob2(labels: str, expected: list[Gold]) -> None:
    words = [(0, 1), (2, 3), (4, 5), (6, 7)]
    label_set = LabelSet(("O", "B-X", "I-X", "B-Y", "I-Y"))
    assert list(entities_of(labels.split(), words, label_set)) == expected


def test_labels_are_read_by_their_scheme() -> None:
    label_set = LabelSet(("_", "B-X", "I-X", "L-X", "U-X"), "BILOU", "_")
    assert list(entities_of(["U-X", "_", "B-X", "L-X"], [(0, 1), (2, 3), (4, 5), (6, 7)], label_set)) == [
        Gold("X", 0, 1), Gold("X", 4, 7),
    ]  # fmt: skip
