"""Strange masks: made right, and a variant that mishandles one is seen to mask_deviations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgener.parity.measures.masks import (
    AT_LEAST,
    MASKS,
    TIMES,
    Inputs,
    MaskDeviation,
    MaskedText,
    holed,
    left_padded,
    mask_deviations,
    mask_texts,
    unmasked,
)

PADDING = 0


def right_padded(*lengths: int) -> Inputs:
    """Rows of ids 1, 2, 3 ... padded with zeros on the right; token types are ten times as large."""
    width = max(lengths)
    ids = np.array([[i + 1 if i < length else PADDING for i in range(width)] for length in lengths], dtype=np.int64)
    return {"input_ids": ids, "attention_mask": (ids > 0).astype(np.int64), "token_type_ids": 10 * ids}


def test_left_padding_moves_every_input_to_the_right_end() -> None:
    moved = left_padded(right_padded(2, 4))
    assert moved["input_ids"].tolist() == [[0, 0, 1, 2], [1, 2, 3, 4]]
    assert moved["attention_mask"].tolist() == [[0, 0, 1, 1], [1, 1, 1, 1]]
    assert moved["token_type_ids"].tolist() == [[0, 0, 10, 20], [10, 20, 30, 40]]


def test_holes_stand_at_every_third_subword_behind_the_first_and_nothing_else_changes() -> None:
    inputs = right_padded(2, 7)
    changed = holed(inputs)
    assert changed["attention_mask"].tolist() == [[1, 0, 0, 0, 0, 0, 0], [1, 0, 1, 1, 0, 1, 1]]
    assert changed["input_ids"] is inputs["input_ids"]


lengths = st.lists(st.integers(1, 9), min_size=1, max_size=5)


@given(lengths)
def test_left_padding_loses_no_subword_and_keeps_their_order(rows: list[int]) -> None:
    before = right_padded(*rows)
    after = left_padded(before)
    for name in before:
        for old, new, length in zip(before[name], after[name], rows, strict=True):
            assert new[len(new) - length :].tolist() == old[:length].tolist()
    assert (np.diff(after["attention_mask"], axis=1) >= 0).all()
    assert after["attention_mask"].sum(axis=1).tolist() == rows


@given(lengths)
def test_every_mask_leaves_each_text_a_subword_and_adds_none(rows: list[int]) -> None:
    before = right_padded(*rows)
    for name, mask in MASKS.items():
        kept = mask(before)["attention_mask"].sum(axis=1)
        assert (kept >= 1).all() and (kept <= rows).all(), name


@given(lengths)
def test_the_inputs_are_not_changed_in_place(rows: list[int]) -> None:
    inputs = right_padded(*rows)
    copy = {name: array.copy() for name, array in inputs.items()}
    for mask in MASKS.values():
        mask(inputs)
    for name, array in inputs.items():
        np.testing.assert_array_equal(array, copy[name])


# --- how far a variant strays


PLAIN = "right-padded"


class Model:
    """Logits are the ids under the mask, plus an error under one kind of mask, and nonsense where nothing is seen."""

    def __init__(self, error: float = 0.0, wrong: str = "none", unseen: float = 0.0) -> None:
        self.error, self.wrong, self.unseen = error, wrong, unseen

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        mask = inputs["attention_mask"][..., None]
        falls = (np.diff(mask[..., 0], axis=1) <= 0).all()
        kind = "open" if mask.all() else PLAIN if falls else "left-padded" if mask[-1].all() else "holed"
        logits = inputs["input_ids"][..., None] * np.array([1.0, -1.0])
        logits = logits * (1 + self.error * (kind == self.wrong))
        return np.where(mask == 1, logits, self.unseen).astype(np.float32)


@pytest.fixture
def texts() -> tuple[MaskedText, ...]:
    return mask_texts(Model(), right_padded(2, 7))


def test_each_kind_of_mask_is_run(texts: tuple[MaskedText, ...]) -> None:
    assert [text.mask for text in texts] == list(MASKS) == [PLAIN, "left-padded", "holed"]
    for text in texts:
        np.testing.assert_array_equal(text.logits, Model().run(text.inputs))
        np.testing.assert_array_equal(text.open_logits, Model().run(unmasked(text.inputs)))


def test_the_same_model_does_not_stray(texts: tuple[MaskedText, ...]) -> None:
    assert mask_deviations(Model(), texts) == dict.fromkeys(MASKS, MaskDeviation(0.0, 0.0))


@pytest.mark.parametrize("wrong", list(MASKS))
def test_a_mask_that_is_mishandled_strays_by_that_share_and_no_other_does(
    wrong: str, texts: tuple[MaskedText, ...]
) -> None:
    found = mask_deviations(Model(0.3, wrong), texts)
    assert {mask: found[mask].masked for mask in MASKS} == pytest.approx(dict.fromkeys(MASKS, 0.0) | {wrong: 0.3})
    assert all(found[mask].unmasked == 0 for mask in MASKS)


def test_what_quantisation_does_without_a_mask_is_what_a_mask_may_do_twice(texts: tuple[MaskedText, ...]) -> None:
    found = mask_deviations(Model(0.3, "open"), texts)
    assert all(found[mask].masked == 0 and found[mask].unmasked == pytest.approx(0.3) for mask in MASKS)
    assert found[PLAIN].limit == pytest.approx(TIMES * 0.3)
    assert MaskDeviation(0.0, 0.001).limit == AT_LEAST


def test_what_is_said_of_padding_does_not_count(texts: tuple[MaskedText, ...]) -> None:
    assert mask_deviations(Model(unseen=1e6), texts) == dict.fromkeys(MASKS, MaskDeviation(0.0, 0.0))


def test_where_pytorch_says_zero_the_distance_is_as_it_is() -> None:
    inputs = right_padded(1) | {"input_ids": np.zeros((1, 1), dtype=np.int64)}
    (text, *_) = mask_texts(Model(), inputs)

    class Three:
        def run(self, inputs: Inputs) -> NDArray[np.float32]:
            return np.full((1, 1, 1), 3, dtype=np.float32)

    assert mask_deviations(Three(), [text])[PLAIN].masked == pytest.approx(3 * np.sqrt(2))


def test_without_text_there_is_nothing_to_compare() -> None:
    assert mask_deviations(Model(), ()) == {}
