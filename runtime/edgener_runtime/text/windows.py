"""Overlapping windows of long texts: each subword is taken from the window where it is farthest from an edge."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Window:
    """Subwords `start` to `end` (exclusive) run in one row; the logits of `keep_start` to `keep_end` are used."""

    start: int
    end: int
    keep_start: int
    keep_end: int


def plan(length: int, size: int, stride: int) -> list[Window]:
    """Windows of at most `size` subwords over `length`, neighbours sharing at least `stride`; kept parts partition it.

    Special tokens are not counted. Raises ValueError unless 0 <= stride < size.
    """
    if not 0 <= stride < size:
        raise ValueError(f"expected 0 <= stride < size, found stride {stride} and size {size}")
    if length <= size:
        return [Window(0, length, 0, length)]
    starts = [*range(0, length - size, size - stride), length - size]
    cuts = [0, *((later + earlier + size) // 2 for earlier, later in pairwise(starts)), length]
    return [Window(start, start + size, cuts[i], cuts[i + 1]) for i, start in enumerate(starts)]
