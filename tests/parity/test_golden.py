"""Which texts become golden vectors, how far their logits may be, and that a saturating kernel is found by them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edgener.parity.golden import MOST, AnsweredText, bounds, choose
from edgener_runtime.decoding.schemes import LabelSet

LABELS = LabelSet(("O", "B-LOC", "I-LOC", "B-PER", "I-PER"))
SURE, TIED = 5.0, 0.1


def answered(text: str, labels: Sequence[int], distance: float = 0.0, sure: float = SURE) -> AnsweredText:
    """A text with these labels, the logits of which are `sure` and that far from PyTorch's."""
    logits = sure * np.eye(len(LABELS.names), dtype=np.float32)[list(labels)].reshape(-1, len(LABELS.names))
    return AnsweredText(text, logits + np.float32(distance), logits)


def test_the_empty_the_longest_the_most_disturbed_and_one_of_each_type_are_chosen() -> None:
    pool = [
        *(answered(f"plain {number}", [0]) for number in range(5)),
        answered("long", [0] * 9),
        *(answered(f"far {number}", [0], distance=number) for number in range(1, 6)),
        answered("Anna", [3, 4]),
        answered("Basel", [1], distance=0.2),
        answered("Bern", [1], distance=0.1),
    ]
    samples = [answered("泵", [0], distance=2), answered("é", [0], distance=3), answered("ß", [0]), answered("x", [0])]
    assert choose(pool, samples, LABELS, limit=0.1) == {
        "": "empty", "long": "longest",
        "far 5": "disturbed most", "far 4": "disturbed most", "far 3": "disturbed most", "far 2": "disturbed most",
        "é": "Unicode", "泵": "Unicode", "ß": "Unicode",
        "Basel": "has LOC", "Anna": "has PER",
    }  # fmt: skip


def test_a_type_is_shown_by_a_text_that_is_no_tie() -> None:
    pool = [answered("far", [0, 0], distance=9)] * 4 + [
        *(answered(f"far {number}", [0], distance=9) for number in range(4)),
        answered("tied", [1], distance=3, sure=TIED),
        answered("clear", [1], distance=1),
    ]
    assert choose(pool, [], LABELS, limit=TIED)["clear"] == "has LOC"
    assert "tied" not in choose(pool, [], LABELS, limit=TIED)


def test_a_type_that_a_chosen_text_has_needs_no_other() -> None:
    pool = [answered("Anna in Basel", [3, 0, 1]), answered("Anna", [3]), answered("Basel", [1])]
    chosen = choose([*pool, *(answered(f"far {number}", [0], 1) for number in range(4))], [], LABELS, limit=0.1)
    assert "Anna" not in chosen and "Basel" not in chosen


def test_they_are_a_handful() -> None:
    many = LabelSet(("O", *(f"B-T{number}" for number in range(100))))
    rows = [np.eye(101, dtype=np.float32)[[number]] * SURE for number in range(101)]
    pool = [AnsweredText(f"text {number}", row, row) for number, row in enumerate(rows)]
    assert len(choose(pool, pool, many, limit=0.1)) == MOST


def test_without_text_there_is_the_empty_one() -> None:
    assert choose([], [], LABELS, limit=0.1) == {"": "empty"}


@pytest.mark.parametrize(
    ("precision", "distances", "band", "limit"),
    [
        ("fp32", (4e-6, 4e-6, 1e-5), 0.01, 0.01),
        ("fp16", (0.0, 0.007, 0.06), 0.05, 0.06),
        ("int8", (0.02, 0.04, 0.09), 0.1, 0.1),
        ("int8", (0.3, 0.4582, 1.2042), 0.23, 1.2),
        ("int8", (0.3, 0.4598, 1.2038), 0.23, 1.2),
        ("int8", (), 0.1, 0.1),
    ],
)
def test_the_bounds_come_from_the_distances_and_the_rounding(
    precision: str, distances: tuple[float, ...], band: float, limit: float
) -> None:
    texts = [answered("", []), *(answered("a", [0], distance) for distance in distances)]
    assert bounds(precision, texts) == (band, limit)
