"""Windows over long texts: nothing is left out, and each subword is taken where it has most around it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener_runtime.text.windows import Window, plan

sizes = st.integers(1, 40).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1)))


def context(window: Window, subword: int) -> int:
    """Subwords between `subword` and the nearer edge of the window."""
    return min(subword - window.start, window.end - 1 - subword)


@given(st.integers(0, 300), sizes)
def test_what_is_kept_of_the_windows_is_the_text_once(length: int, size_and_stride: tuple[int, int]) -> None:
    windows = plan(length, *size_and_stride)
    assert [i for window in windows for i in range(window.keep_start, window.keep_end)] == list(range(length))


@given(st.integers(0, 300), sizes)
def test_windows_fit_the_model_and_lie_in_the_text(length: int, size_and_stride: tuple[int, int]) -> None:
    size, stride = size_and_stride
    for window in plan(length, size, stride):
        assert 0 <= window.start <= window.keep_start <= window.keep_end <= window.end <= length
        assert window.end - window.start == min(size, length)


@given(st.integers(0, 300), sizes)
def test_neighbours_share_at_least_the_stride(length: int, size_and_stride: tuple[int, int]) -> None:
    size, stride = size_and_stride
    for one, next_one in pairwise(plan(length, size, stride)):
        assert one.start < next_one.start
        assert one.end - next_one.start >= stride


@given(st.integers(0, 200), sizes)
def test_each_subword_is_kept_by_the_window_where_it_is_farthest_from_an_edge(
    length: int, size_and_stride: tuple[int, int]
) -> None:
    windows = plan(length, *size_and_stride)
    for keeper in windows:
        for subword in range(keeper.keep_start, keeper.keep_end):
            holders = [window for window in windows if window.start <= subword < window.end]
            assert context(keeper, subword) == max(context(window, subword) for window in holders)


@pytest.mark.parametrize("length", [0, 1, 10])
def test_a_text_that_fits_is_one_window(length: int) -> None:
    assert plan(length, 10, 3) == [Window(0, length, 0, length)]


def test_one_subword_more_is_a_second_window() -> None:
    assert plan(11, 10, 3) == [Window(0, 10, 0, 5), Window(1, 11, 5, 11)]


@pytest.mark.parametrize(("size", "stride"), [(10, 10), (10, -1), (0, 0)])
def test_windows_that_could_not_advance_are_refused(size: int, stride: int) -> None:
    with pytest.raises(ValueError, match="expected 0 <= stride < size"):
        plan(5, size, stride)
