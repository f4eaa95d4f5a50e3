"""The shapes that are tried, and those that a target leaves worth training."""

from __future__ import annotations

import pytest

from edgener.compress.candidates import ModelShape, depths, shapes, worth_training

FULL = ModelShape(6, 1536, 30522)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [(1, [1]), (2, [2, 1]), (3, [3, 2]), (6, [6, 5, 4, 3, 2]), (12, [12, 10, 8, 6, 4, 2])],
)
def test_depths_go_down_to_two_layers_in_few_steps(layers: int, expected: list[int]) -> None:
    assert depths(layers) == expected


def test_the_first_shape_is_the_checkpoints_own() -> None:
    found = shapes(FULL, None)
    assert found[0] == FULL and len(found) == 10
    assert {shape.feed_forward for shape in found} == {1536, 768}


def test_every_candidate_has_the_cut_vocabulary() -> None:
    first, *others = shapes(FULL, 9000)
    assert first == FULL and len(others) == 10
    assert {shape.vocabulary for shape in others} == {9000}


def test_names_say_what_is_less() -> None:
    assert FULL.name(FULL) == "full"
    assert ModelShape(4, 768, 9000).name(FULL) == "4 layers, feed-forward 768, vocabulary 9000"
    assert ModelShape(1, 1536, 30522).name(FULL) == "1 layer"


def test_the_largest_that_meet_are_trained_and_the_smallest_that_do_not() -> None:
    cost = {shape: shape.layers * (768 + shape.feed_forward) for shape in shapes(FULL, None)}
    limit = cost[ModelShape(4, 1536, 30522)]
    trained = worth_training([*cost], lambda shape: cost[shape] <= limit)
    assert trained == [ModelShape(6, 768, 30522), ModelShape(4, 1536, 30522), ModelShape(5, 1536, 30522)]


def test_nothing_is_trained_where_the_checkpoint_meets_the_target() -> None:
    assert worth_training(shapes(FULL, 9000), lambda shape: True) == []


def test_out_of_reach_the_smallest_is_trained() -> None:
    assert worth_training(shapes(FULL, None), lambda shape: False) == [ModelShape(2, 768, 30522)]
