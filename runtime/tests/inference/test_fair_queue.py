"""Items of several owners in turns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener_runtime.inference.fair_queue import FairQueue

pytestmark = pytest.mark.compat


def drained(queue: FairQueue[str]) -> str:
    return "".join(queue.pop() for _ in range(len(queue)))


def test_each_group_has_its_turn() -> None:
    queue: FairQueue[str] = FairQueue(lambda _: 1)
    for group in ("aaaa", "", "b", "cc"):
        queue.add(group)
    assert (len(queue), queue.peek()) == (7, "a")
    assert drained(queue) == "abcacaa"
    assert not queue


def test_a_group_that_comes_later_waits_for_at_most_one_item_of_each_other() -> None:
    queue: FairQueue[str] = FairQueue(lambda _: 1)
    queue.add("aaaa")
    queue.add("bbbb")
    first = queue.pop()
    queue.add("c")
    assert first + drained(queue) == "abcababab"


def test_shares_are_of_costs_and_not_of_items() -> None:
    queue: FairQueue[str] = FairQueue(len)
    queue.add(["LLLL"] * 3)
    queue.add(["s"] * 6)
    assert [queue.pop() for _ in range(9)] == ["LLLL", *"ssss", "LLLL", *"ss", "LLLL"]


def test_an_owner_has_one_share_however_many_groups_it_adds() -> None:
    queue: FairQueue[str] = FairQueue(lambda _: 1)
    for group in ("aaa", "bbb", "ccc"):
        queue.add(group, "greedy")
    queue.add("zzz", "modest")
    assert drained(queue) == "azbzczabcabc"


def test_an_owner_that_comes_again_has_no_debt() -> None:
    queue: FairQueue[str] = FairQueue(lambda _: 1)
    queue.add("aa", "first")
    queue.add("bbbb", "second")
    assert [queue.pop() for _ in range(4)] == ["a", "b", "a", "b"]
    queue.add("a", "first")
    assert drained(queue) in ("bab", "abb")


@given(st.lists(st.tuples(st.text("abc", max_size=9), st.sampled_from([None, "x", "y"])), max_size=9))
def test_nothing_is_lost_and_each_group_keeps_its_order(added: list[tuple[str, str | None]]) -> None:
    queue: FairQueue[tuple[int, int]] = FairQueue(lambda _: 1)
    groups = [group for group, _ in added]
    for number, (group, owner) in enumerate(added):
        queue.add(((number, place) for place in range(len(group))), owner)
    found = [queue.pop() for _ in range(len(queue))]
    assert sorted(found) == [(number, place) for number, group in enumerate(groups) for place in range(len(group))]
    for number, group in enumerate(groups):
        assert [place for owner, place in found if owner == number] == [*range(len(group))]
