"""A queue that serves several owners in turns, so that one with many items does not hold up the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class RoundRobin(Generic[Item]):
    """The first item of each group, then the second of each, and so on; a new group is the last of a round."""

    def __init__(self) -> None:
        self._groups: deque[deque[Item]] = deque()

    def __bool__(self) -> bool:
        return bool(self._groups)

    def __len__(self) -> int:
        return sum(map(len, self._groups))

    def add(self, group: Iterable[Item]) -> None:
        """Add the items of one owner."""
        if items := deque(group):
            self._groups.append(items)

    def peek(self) -> Item:
        """The next item."""
        return self._groups[0][0]

    def pop(self) -> Item:
        """Remove the next item, and turn to the next group."""
        group = self._groups.popleft()
        item = group.popleft()
        if group:
            self._groups.append(group)
        return item
