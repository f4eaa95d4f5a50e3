"""Which profile a batch runs in, what it is padded to, and how many rows may run together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener_runtime.backends.base import ANY, BatchShapes
from edgener_runtime.backends.tensorrt.profiles import Profile, profiles_for
from edgener_runtime.backends.tensorrt.shapes import fitting, lengths_of, shapes_of

ALONE, TOGETHER = Profile((1, 1), (1, 32), (1, 512)), Profile((1, 8), (8, 32), (8, 128))
BOTH = (ALONE, TOGETHER)


@pytest.mark.parametrize(
    ("rows", "subwords", "expected"),
    [
        (1, 16, (0, (1, 16))),  # both take it; the one for a text alone has less room
        (2, 16, (1, (2, 16))),
        (8, 128, (1, (8, 128))),
        (1, 512, (0, (1, 512))),
        (2, 7, None),  # too short for the one, too many for the other
        (8, 129, None),
        (9, 16, None),
        (1, 513, None),
    ],
)
def test_the_profile_with_the_least_room_is_taken(
    rows: int, subwords: int, expected: tuple[int, tuple[int, int]] | None
) -> None:
    assert fitting(BOTH, rows, subwords) == expected


def test_a_profile_that_wants_more_rows_gets_them() -> None:
    assert fitting([Profile((4, 1), (8, 32), (8, 64))], 2, 16) == (0, (4, 16))


def test_lengths_are_those_that_some_profile_takes_and_the_longest_of_each() -> None:
    assert lengths_of(BOTH) == (16, 32, 64, 128, 192, 256, 384, 512)
    assert lengths_of([Profile((1, 20), (1, 40), (1, 100))]) == (32, 64, 100)
    assert lengths_of([Profile((1, 1), (1, 5), (1, 10))]) == (10,)


def test_rows_run_together_as_far_as_a_profile_of_that_length_takes_them() -> None:
    shapes = shapes_of(BOTH, lengths_of(BOTH))
    assert [shapes.most_rows(subwords, 20) for subwords in (4, 16, 128, 129)] == [1, 8, 8, 1]
    assert shapes.most_rows(600, 20) == 20  # none takes them: the session says so


def test_onnxruntime_takes_any_batch() -> None:
    assert (ANY.padded(17), ANY.most_rows(17, 1000)) == (17, 1000)


@given(subwords=st.integers(1, 600), lengths=st.sets(st.integers(1, 512)))
def test_padding_never_cuts_and_goes_no_further_than_the_next_length(subwords: int, lengths: set[int]) -> None:
    padded = BatchShapes(tuple(sorted(lengths))).padded(subwords)
    assert padded >= subwords
    assert padded == subwords or (padded in lengths and not any(subwords <= each < padded for each in lengths))


@given(max_length=st.integers(1, 512), rows=st.integers(1, 16), subwords=st.integers(1, 512), batch=st.integers(1, 64))
def test_every_batch_of_a_bundle_runs_in_the_profiles_that_are_made_for_it(
    max_length: int, rows: int, subwords: int, batch: int
) -> None:
    profiles = profiles_for([], max_length, rows)
    shapes = shapes_of(profiles, lengths_of(profiles))
    padded = shapes.padded(min(subwords, max_length))
    assert fitting(profiles, shapes.most_rows(padded, batch), padded) is not None
