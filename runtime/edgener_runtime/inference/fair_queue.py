"""A queue that serves several owners by their share of the work, so that none holds up the others.

Start-time fair queueing (Goyal, Vin and Cheng 1996): an owner's turn comes when its items cost least so far.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(eq=False)
class _Group(Generic[Item]):
    """The items of one owner, and when its turn comes, in units of cost."""

    turn: float
    items: deque[Item]


class FairQueue(Generic[Item]):
    """Each item has a cost; the groups that wait get equal shares of it, and a new group starts without a debt."""

    def __init__(self, cost: Callable[[Item], float]) -> None:
        self._cost = cost
        self._groups: list[_Group[Item]] = []  # in order of arrival
        self._now = 0.0

    def __bool__(self) -> bool:
        return bool(self._groups)

    def __len__(self) -> int:
        return sum(len(group.items) for group in self._groups)

    def add(self, group: Iterable[Item]) -> None:
        """Add the items of one owner."""
        if items := deque(group):
            self._groups.append(_Group(self._now, items))

    def peek(self) -> Item:
        """The next item."""
        return self._next().items[0]

    def pop(self) -> Item:
        """Remove the next item."""
        group = self._next()
        item = group.items.popleft()
        self._now = group.turn
        group.turn += self._cost(item)
        if not group.items:
            self._groups.remove(group)
        return item

    def _next(self) -> _Group[Item]:
        return min(self._groups, key=lambda group: group.turn)
