"""A queue that serves several owners by their share of the work, so that none holds up the others.

Start-time fair queueing (Goyal, Vin and Cheng 1996): an owner's turn comes when its items cost least so far.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush, heapreplace
from itertools import count
from typing import Generic, TypeVar

Item = TypeVar("Item")
Member = TypeVar("Member")


class _Turns(Generic[Member]):
    """Members that have turns: the next is the one whose turns cost least so far; a new one starts without a debt."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Member]] = []  # cost so far, number of the arrival, member
        self._arrivals = count()
        self._now = 0.0

    def __bool__(self) -> bool:
        return bool(self._heap)

    def add(self, member: Member) -> None:
        heappush(self._heap, (self._now, next(self._arrivals), member))

    def next(self) -> Member:
        return self._heap[0][2]

    def charge(self, cost: float, stays: bool) -> None:
        """The next member had a turn of this cost, and has more to do if it stays."""
        self._now, arrival, member = self._heap[0]
        if stays:
            heapreplace(self._heap, (self._now + cost, arrival, member))
        else:
            heappop(self._heap)


@dataclass(eq=False)
class _Owner(Generic[Item]):
    """An owner and the groups of items that it waits for."""

    key: Hashable
    groups: _Turns[deque[Item]] = field(default_factory=_Turns)


class FairQueue(Generic[Item]):
    """Each item has a cost; the owners that wait get equal shares of it, and so do the groups of one owner."""

    def __init__(self, cost: Callable[[Item], float]) -> None:
        self._cost = cost
        self._turns: _Turns[_Owner[Item]] = _Turns()
        self._owners: dict[Hashable, _Owner[Item]] = {}  # those that wait
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, items: Iterable[Item], owner: Hashable = None) -> None:
        """Add a group of items; without an owner, the group is an owner of its own."""
        group = deque(items)
        if not group:
            return
        key = object() if owner is None else owner
        if key not in self._owners:
            self._owners[key] = _Owner(key)
            self._turns.add(self._owners[key])
        self._owners[key].groups.add(group)
        self._length += len(group)

    def peek(self) -> Item:
        """The next item."""
        return self._turns.next().groups.next()[0]

    def pop(self) -> Item:
        """Remove the next item."""
        owner = self._turns.next()
        group = owner.groups.next()
        item = group.popleft()
        cost = self._cost(item)
        owner.groups.charge(cost, stays=bool(group))
        self._turns.charge(cost, stays=bool(owner.groups))
        if not owner.groups:
            del self._owners[owner.key]
        self._length -= 1
        return item
