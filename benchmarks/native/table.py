"""The results as tables of Markdown: medians, the least and the most of the rounds, ratios with their intervals.

A ratio is the median of those of the rounds, with its 95 % interval from their order; above 1 int8-native is ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from edgener_runtime.base.tables import markdown_table
from edgener_runtime.commissioning.bench.results.record import Interval

from .goals import goals_table
from .leads import BASE, HIGHER_IS_BETTER, OURS, Rounds, lead, model_bytes, same_bits

_FORMS = {"subwords_per_second": ",.0f", "p50_ms": ".2f", "p95_ms": ".2f"}


def markdown(record: Mapping[str, Any]) -> str:
    """All parts that were measured, each under its heading."""
    parts = record["native"]
    shown = [(name, parts[name], TABLES[name](parts[name]["figures"])) for name in TABLES if name in parts]
    tables = (f"## {_HEADINGS[name]}\n\n{_machine(part)}\n\n{table}" for name, part, table in shown)
    return "\n".join([f"## What is asked of it\n\n{goals_table(parts)}", *tables])


def page(record: Mapping[str, Any]) -> str:
    """The tables as a file of their own."""
    return f"# int8-native beside the stock variants of a bundle\n\n{markdown(record)}"


def _machine(part: Mapping[str, Any]) -> str:
    """Where and when a part was measured."""
    quick = " Too short to mean anything (--quick)." if part["quick"] else ""
    return (
        f"{part['cpu']} ({part['isa']}), {part['date'][:10]}, load average {part['load_average'][0]} at the end, "
        f"onnxruntime {part['onnxruntime']}, {part['operators']}; {part['data']}.{quick}"
    )


def _speed(figures: Mapping[str, Any]) -> str:
    rows = [
        [cores, name, *(_spread(own[key], form) for key, form in _FORMS.items()), *_leads(found["rounds"], own)]
        for cores, found in figures.items()
        for name, own in found["rounds"].items()
    ]
    columns = ["cores", "variant", "subwords/s", "p50 ms", "p95 ms"]
    return markdown_table([*columns, *(f"{OURS}: {what}" for what in ("throughput", "p50", "p95"))], rows)


def _leads(rounds: Mapping[str, Mapping[str, Rounds]], other: Mapping[str, Rounds]) -> list[str]:
    ours = rounds[OURS]
    if other is ours:
        return [""] * len(_FORMS)
    return [_times(lead(ours[key], other[key], key == HIGHER_IS_BETTER)) for key in _FORMS]


def _lengths(figures: Mapping[str, Any]) -> str:
    first = next(iter(next(iter(figures.values()))["milliseconds"].values()))
    others = [name for name in first if name != OURS]
    rows = [
        [cores, length, *(_spread(found[name], ".2f") for name in (OURS, *others)),
         *(_times(lead(found[OURS], found[name])) for name in others)]
        for cores, each in figures.items() for length, found in each["milliseconds"].items()
    ]  # fmt: skip
    columns = ["cores", "subwords", *(f"{name} ms" for name in (OURS, *others))]
    return markdown_table([*columns, *(f"to {name}" for name in others)], rows)


def _memory(figures: Mapping[str, Any]) -> str:
    rows = []
    for cores, variants in figures.items():
        base = model_bytes(variants[BASE])
        rows += [
            [cores, name, *(f"{found[key] / 1e6:.0f}" for key in ("libraries", "loaded", "after_texts")),
             f"{model_bytes(found) / 1e6:.0f}", f"{model_bytes(found) / base:.2f}"]
            for name, found in variants.items()
        ]  # fmt: skip
    columns = ["cores", "variant", "libraries MB", "loaded MB", "after texts MB", "model MB", f"to {BASE}"]
    return markdown_table(columns, rows)


def _avx2(figures: Mapping[str, Any]) -> str:
    if "not_measured" in figures:
        return f"Not measured: {figures['not_measured']}\n"
    return f"Operators on {', '.join(figures['instruction_sets'])}.\n\n{_base(figures)}"


def _base(figures: Mapping[str, Any]) -> str:
    return f"{_speed(figures['speed'])}\n{_lengths(figures['lengths'])}"


def _faithful(figures: Mapping[str, Any]) -> str:
    rows = [
        [data, name, f"{found['entities']:,}", *(_plain(found[key], ".4f") for key in ("f1_pytorch", "f1")),
         _interval(found["f1_difference"], "+.4f"), _interval(found["churn"], ".2%"),
         _interval(found["batch_effect"], ".2%"), "yes" if same_bits(found["digests"]) else "no"]
        for data, variants in figures.items() for name, found in variants.items()
    ]  # fmt: skip
    columns = ["data", "variant", "entities", "F1 in PyTorch", "F1", "against PyTorch", "churn", "batch effect"]
    return markdown_table([*columns, "same bits"], rows)


def _soak(figures: Mapping[str, Any]) -> str:
    first, last = figures["passes"][0], figures["passes"][-1]
    before, closed = figures["before"], figures["closed"]
    row = [
        f"{figures['texts']:,}", str(figures["different"]), f"{first['bytes'] / 1e6:.0f}", f"{last['bytes'] / 1e6:.0f}",
        f"{first['threads']}, {last['threads']}", *(f"{before[key]}, {closed[key]}" for key in ("threads", "files")),
    ]  # fmt: skip
    columns = ["texts", "other answers than at first", "MB after a pass", "MB at the end", "threads, at the end"]
    return markdown_table([*columns, "threads before and after", "files before and after"], [row])


def _spread(values: Rounds, form: str) -> str:
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def _times(found: Interval) -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def _interval(found: Mapping[str, float] | None, form: str) -> str:
    return f"{found['value']:{form}} ({found['low']:{form}} to {found['high']:{form}})" if found else "-"


def _plain(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


TABLES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "speed": _speed, "lengths": _lengths, "memory": _memory, "avx2": _avx2, "base": _base, "faithful": _faithful,
    "soak": _soak,
}  # fmt: skip
_HEADINGS = {
    "speed": "Sentences, alone and together",
    "lengths": "A text alone, by its subwords",
    "memory": "Memory of a process",
    "avx2": "Without AVX-512",
    "base": "A BERT-base with random weights",
    "faithful": "Against PyTorch",
    "soak": "Soak",
}
