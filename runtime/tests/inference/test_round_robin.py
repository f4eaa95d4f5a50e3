"""Items of several owners in turns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener_runtime.inference.round_robin import RoundRobin

pytestmark = pytest.mark.compat


def drained(queue: RoundRobin[str]) -> str:
    return "".join(queue.pop() for _ in range(len(queue)))


def test_each_group_has_its_turn() -> None:
    queue: RoundRobin[str] = RoundRobin()
    for group in ("aaaa", "", "b", "cc"):
        queue.add(group)
    assert (len(queue), queue.peek()) == (7, "a")
    assert drained(queue) == "abcacaa"
    assert not queue


def test_a_group_that_comes_later_waits_for_one_item_of_each_other() -> None:
    queue: RoundRobin[str] = RoundRobin()
    queue.add("aaaa")
    queue.add("bbbb")
    first = queue.pop()
    queue.add("c")
    assert first + drained(queue) == "abacbabab"


@given(st.lists(st.text("abc", max_size=9), max_size=9))
def test_nothing_is_lost_and_each_group_keeps_its_order(groups: list[str]) -> None:
    queue: RoundRobin[tuple[int, int]] = RoundRobin()
    for number, group in enumerate(groups):
        queue.add((number, place) for place in range(len(group)))
    found = [queue.pop() for _ in range(len(queue))]
    assert sorted(found) == [(number, place) for number, group in enumerate(groups) for place in range(len(group))]
    for number, group in enumerate(groups):
        assert [place for owner, place in found if owner == number] == [*range(len(group))]
