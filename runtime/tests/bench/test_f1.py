from __future__ import annotations

import pytest

from edgener_runtime.bench.f1 import entity_f1
from edgener_runtime.bench.spec import Gold
from edgener_runtime.entity import Entity

ONE, OTHER = Gold("FAULT", 0, 8), Gold("PART", 12, 16)


def found(gold: Gold) -> Entity:
    return Entity(gold.label, gold.start, gold.end, 0.9, "text")


@pytest.mark.parametrize(
    ("gold", "told", "expected"),
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
    gold: list[list[Gold]], told: list[list[Gold]], expected: float
) -> None:
    assert entity_f1(gold, [map(found, text) for text in told]) == pytest.approx(expected)
