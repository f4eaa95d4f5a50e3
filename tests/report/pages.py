"""Reports made by hand, their pages, and a headless Chromium to read them in."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgener.parity.budgets import Budget
from edgener.parity.compare import ParityReport, compare, judged_report, run_reference
from edgener.parity.gate import judge
from edgener.parity.measures.diff import Change, FoundEntity
from edgener.report.export_page import write_html
from edgener_exporters.variants import VARIANTS
from edgener_runtime.bundle.manifest import Speed, Spread

from ..parity.made import Scripted, dataset

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
GOLD = ("B-LOC I-LOC O", "B-PER O B-PER", "O O O", "B-LOC O O")
PYTORCH = ("B-LOC I-LOC O", "B-PER O B-PER", "O O B-PER", "B-LOC O O")
CHANGED = ("B-LOC I-LOC O", "B-PER O B-LOC", "O O O", "B-LOC O O")
PARTS = ("query", "key", "value", "attention_output", "feed_forward_1", "feed_forward_2")
NOISE = {
    f"layer.{layer}.{part}": {"int8-dynamic": 0.001 * (1 + layer) * (1 + i) ** 2, "int8-static": 0.002 * (1 + i)}
    for layer in range(12)
    for i, part in enumerate(PARTS)
} | {"projection": {"int8-dynamic": 0.0, "int8-static": 0.3}}
PROVENANCE: Mapping[str, Any] = {
    "versions": {"python": "3.11.9"}, "training": None, "calibration": {"sentences": 512}, "seeds": [1, 2]
}  # fmt: skip
ATTACK = "</script><img src=x onerror=document.title='gone'><b>Paris"


def report_of(name: str, tags: Sequence[str] = CHANGED) -> ParityReport:
    """A variant that said those tags."""
    data = dataset(*GOLD)
    reference = run_reference(Scripted(data.sentences, PYTORCH), data)  # type: ignore[arg-type]
    report = compare(reference, name, Scripted(data.sentences, tags))
    budgets = (Budget("f1_drop", 0.1), Budget("churn", 0.0, "each"), Budget("batch_effect", 0.5))
    return judged_report(report, judge(VARIANTS[name], report.estimates, budgets))


def change(kind: str, text: str, old: tuple[str, str] | None, new: tuple[str, str] | None) -> Change:
    """A change in a text; each side is a label and the words that have it."""
    sides = [
        pair and FoundEntity(pair[0], at := text.index(pair[1]), at + len(pair[1]), pair[1]) for pair in (old, new)
    ]
    return Change(kind, 0, 1, text, sides[0], sides[1], 0.9, 0.4, 0.05)


CHANGES = (
    change("lost", "She lives in Paris now", ("LOC", "Paris"), None),
    change("gained", "May left early", None, ("PER", "May")),
    change("relabelled", "Paris Hilton sang", ("LOC", "Paris Hilton"), ("PER", "Paris Hilton")),
    change("moved", "in New York City today", ("LOC", "New York City"), ("LOC", "New York")),
    change("lost", f"{ATTACK} now", ("LOC", ATTACK), None),
    change("lost", "הוא גר בתל אביב עכשיו", ("<LOC>", "תל אביב"), None),
    change("gained", "東京タワーに行った 🙂", None, ("LOC", "東京タワー")),
)


def reports_of(changes: Sequence[Change] = CHANGES) -> list[ParityReport]:
    """Two variants, the first with those changes."""
    return [replace(report_of("int8-dynamic"), changes=tuple(changes)), report_of("fp32", PYTORCH)]


def speed_of(latency: float) -> Speed:
    """A speed whose rounds spread by a tenth."""
    around = [Spread(value, 0.95 * value, 1.05 * value) for value in (latency, 50_000 / latency)]
    return Speed(*around, "avx2", 2)


SPEED = {"int8-dynamic": speed_of(6.1), "fp32": speed_of(14.2)}
SIZES = {"int8-dynamic": 23_000_000, "fp32": 90_400_000}


def written(
    folder: Path,
    reports: Sequence[ParityReport] | None = None,
    speed: Mapping[str, Speed] | None = SPEED,
    noise: Mapping[str, Mapping[str, float]] | None = NOISE,
    provenance: Mapping[str, Any] = PROVENANCE,
) -> Path:
    """The page of those reports in a folder, which is made."""
    folder.mkdir(exist_ok=True)
    write_html(reports or reports_of(), speed, provenance, folder, sizes=SIZES, sensitivities=noise)
    return folder / "report.html"
