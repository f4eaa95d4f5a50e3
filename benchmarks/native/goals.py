"""What is asked of int8-native, and whether a run shows it: by the whole interval of a figure, as in the gate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edgener_runtime.base.tables import markdown_table
from edgener_runtime.commissioning.bench.results.record import Interval

from .leads import BASE, HIGHER_IS_BETTER, OURS, lead, model_bytes, same_bits

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Goal:
    """A bound of a figure of a part: at least `bound`, or at most where `is_most`. `find` returns one value or many."""

    what: str
    part: str
    bound: float
    find: Callable[[Figures], Iterable[Interval]]
    is_most: bool = False
    form: str = ".2f"

    def worst(self, figures: Figures) -> Interval | None:
        """The figure that is furthest from the bound on the wrong side, or None where none was measured."""
        found = [*self.find(figures)]
        key = (lambda each: -each.value) if self.is_most else (lambda each: each.value)
        return min(found, key=key, default=None)

    def verdict(self, found: Interval) -> str:
        """Whether the interval shows it, shows the opposite, or neither."""
        if self.is_most:
            return "yes" if found.high <= self.bound else "no" if found.low > self.bound else "open"
        return "yes" if found.low >= self.bound else "no" if found.high < self.bound else "open"


def goals_table(parts: Mapping[str, Any]) -> str:
    """The goals of the parts that were measured."""
    rows = []
    for goal in GOALS:
        if goal.part in parts and (found := goal.worst(parts[goal.part]["figures"])):
            value, low, high, bound = (
                f"{each:{goal.form}}" for each in (found.value, found.low, found.high, goal.bound)
            )
            of = value if low == high else f"{value} ({low} to {high})"
            rows.append([goal.what, f"at {'most' if goal.is_most else 'least'} {bound}", of, goal.verdict(found)])
    return markdown_table(["goal", "bound", "found, the worst", "shown"], rows)


def _speeds(key: str) -> Callable[[Figures], Iterable[Interval]]:
    """The leads in a figure of sentences, by the number of cores."""

    def find(figures: Figures) -> Iterable[Interval]:
        for found in figures.get("speed", {}).values():
            ours, base = found["rounds"][OURS], found["rounds"][BASE]
            yield lead(ours[key], base[key], key == HIGHER_IS_BETTER)

    return find


def _lengths(figures: Figures) -> Iterable[Interval]:
    for found in figures.get("lengths", {}).values():
        yield from (lead(each[OURS], each[BASE]) for each in found["milliseconds"].values())


def _under(name: str, find: Callable[[Figures], Iterable[Interval]]) -> Callable[[Figures], Iterable[Interval]]:
    """`find` for a part that has no other figures but those."""
    return lambda figures: find({name: figures})


def _memory(figures: Figures) -> Iterable[Interval]:
    yield from (_one(model_bytes(each[OURS]) / model_bytes(each[BASE])) for each in figures.values())


def _faithful(key: str) -> Callable[[Figures], Iterable[Interval]]:
    return lambda figures: [Interval(**each[OURS][key]) for each in figures.values() if each[OURS][key]]


def _same_bits(figures: Figures) -> Iterable[Interval]:
    yield from (_one(float(same_bits(each[OURS]["digests"]))) for each in figures.values())


def _one(value: float) -> Interval:
    return Interval(value, value, value)


_P50 = "p50_ms"
GOALS = (
    Goal(f"throughput, times {BASE}'s", "speed", 1.35, _under("speed", _speeds(HIGHER_IS_BETTER))),
    Goal(f"p50, times as soon as {BASE}", "speed", 1.3, _under("speed", _speeds(_P50))),
    Goal(f"any length, times as soon as {BASE}", "lengths", 1.0, _under("lengths", _lengths)),
    Goal("without AVX-512: throughput", "avx2", 1.0, _speeds(HIGHER_IS_BETTER)),
    Goal("without AVX-512: p50", "avx2", 1.0, _speeds(_P50)),
    Goal("without AVX-512: any length", "avx2", 1.0, _lengths),
    Goal("BERT-base: throughput", "base", 1.0, _speeds(HIGHER_IS_BETTER)),
    Goal("BERT-base: p50", "base", 1.0, _speeds(_P50)),
    Goal("BERT-base: any length", "base", 1.0, _lengths),
    Goal(f"memory of the model, times {BASE}'s", "memory", 1.2, _memory, is_most=True),
    Goal("churn", "faithful", 0.0045, _faithful("churn"), is_most=True, form=".2%"),
    Goal("F1 against PyTorch", "faithful", -0.002, _faithful("f1_difference"), form="+.4f"),
    Goal("data with the same bits in any batch and with any threads", "faithful", 1.0, _same_bits, form=".0%"),
    Goal(
        "other answers in the soak", "soak", 0, lambda figures: [_one(figures["different"])], is_most=True, form=".0f"
    ),
)
