"""Whole layers: which ones to leave out is tried, since it decides most of what is left.

F1 before any training ranged from .64 to .93 over the ways to leave out two of six layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

from .architectures import layers_of, set_layers

MOST_WAYS = 40  # all are tried up to this number, and beyond it one layer after another is left out

Score = Callable[[tuple[int, ...]], float]
"""The entity F1 of a model with only the layers of these numbers."""


@dataclass(frozen=True)
class LayerChoice:
    """The numbers of the layers that stay, the entity F1 with them before any training, and how many ways were tried.

    `lowest` is the F1 of the worst way.
    """

    kept: tuple[int, ...]
    f1: float
    tried: int
    lowest: float


def choose_layers(count: int, kept: int, score: Score) -> LayerChoice:
    """The best `kept` of `count` layers by their score before any training; of equal ones, the earliest layers."""
    scores: dict[tuple[int, ...], float] = {}
    if comb(count, kept) <= MOST_WAYS:
        scores = {way: score(way) for way in combinations(range(count), kept)}
    else:
        best = tuple(range(count))
        while len(best) > kept:
            tried = {way: score(way) for way in combinations(best, len(best) - 1)}
            best = max(tried, key=lambda way: tried[way])
            scores |= tried
    last = {way: f1 for way, f1 in scores.items() if len(way) == kept}
    best = max(last, key=lambda way: last[way])
    return LayerChoice(best, last[best], len(scores), min(last.values()))


def keep_layers(model: Any, kept: Sequence[int]) -> None:
    """Leave out the layers that are not in `kept`; config.json has their new number."""
    import torch

    layers = layers_of(model)
    set_layers(model, torch.nn.ModuleList(layers[number] for number in kept))


@contextmanager
def only_layers(model: Any, kept: Sequence[int]) -> Iterator[None]:
    """The model with only these layers, for as long as the block lasts."""
    whole = layers_of(model)
    keep_layers(model, kept)
    try:
        yield
    finally:
        set_layers(model, whole)
