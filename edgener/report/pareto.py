"""The Pareto front: what nothing else beats in both figures at once."""

from __future__ import annotations

from collections.abc import Mapping


def front(costs: Mapping[str, tuple[float, float]]) -> list[str]:
    """The names whose costs (both better when smaller) no other keeps or lowers, from the least first cost on."""
    kept: list[str] = []
    for name in sorted(costs, key=lambda name: costs[name]):
        if not kept or costs[name][1] < costs[kept[-1]][1]:
            kept.append(name)
    return kept
