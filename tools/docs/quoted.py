"""Renew what documents quote from commands and committed results: python tools/docs/quoted.py [--this-machine]

Tests compare the same parts, each with its own command. --this-machine also renews what has this machine's values.
Needs the build side's environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
DOCS, RESULTS = ROOT / "docs", ROOT / "benchmarks" / "results"
WIDE = {"COLUMNS": "200"}


def main() -> None:
    """Renew each part, and print the pages that changed."""
    sys.path[:0] = [str(ROOT)]
    parts = (*QUOTED, *THIS_MACHINE) if "--this-machine" in sys.argv else QUOTED
    changed = {page for page, begin, end, text in parts if renew(ROOT / page, begin, end, text())}
    variants = ours("edgener", "variants", "--markdown")
    if variants != (DOCS / "reference" / "variants.md").read_text(encoding="utf-8"):
        (DOCS / "reference" / "variants.md").write_text(variants, encoding="utf-8")
        changed.add("docs/reference/variants.md")
    print("\n".join(sorted(changed)) or "nothing changed")  # noqa: T201 - the output of this script


def renew(page: Path, begin: str, end: str, text: str) -> bool:
    """Put a text between two marks of a page; whether that changed it."""
    before = page.read_text(encoding="utf-8")
    head, mark, rest = before.partition(f"{begin}\n")
    _, other, tail = rest.partition(end)
    if not (mark and other):
        raise SystemExit(f"{page}: {begin!r} ... {end!r} is missing")
    after = f"{head}{mark}{text.strip(chr(10))}\n{other}{tail}"
    page.write_text(after, encoding="utf-8")
    return after != before


def ours(package: str, *arguments: str) -> str:
    """What one of our commands prints, where it is wide enough for its tables."""
    return python("-m", package, *arguments)


def python(*arguments: str) -> str:
    """What a Python program prints."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=os.environ | WIDE, capture_output=True, text=True, check=True
    )
    return done.stdout


def table(*parts: str) -> str:
    """A committed result as benchmarks/tables.py prints it, without the file's name."""
    return python("benchmarks/tables.py", str(RESULTS.joinpath(*parts))).split("\n\n", 1)[1]


def devices_table() -> str:
    """The table of devices."""
    from edgener_runtime.machine.probe import describe

    return describe.devices_table()


def platforms() -> str:
    """The tables of JetPacks and CUDA."""
    from edgener_runtime.machine.probe import describe

    return describe.platforms_page()


def printed_devices() -> str:
    """What `devices` prints on this machine, 80 columns wide."""
    done = subprocess.run(
        [sys.executable, "-m", "edgener_runtime", "devices"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


def checks() -> str:
    """The selftest's checks."""
    from edgener_runtime.commissioning.selftest.checks import CHECKS

    return "\n".join(["| check | what it proves |", "|---|---|", *(f"| {one.name} | {one.proves} |" for one in CHECKS)])


def coverage() -> str:
    """How often intervals are right."""
    from benchmarks.interval_coverage import Counted
    from benchmarks.interval_coverage import table as as_table

    written = json.loads((RESULTS / "bench" / "coverage.json").read_text(encoding="utf-8"))
    return as_table([Counted(**row) for row in written["counted"]])


def trials() -> str:
    """What the trials of the gate came to."""
    from benchmarks import compare_trials

    done = compare_trials.load_json(compare_trials.Trials, RESULTS / "bench" / "trials.json")
    return f"```text\n{compare_trials.summary(done)}\n```"


def rounds() -> str:
    """How many rounds the gate needs."""
    with TemporaryDirectory() as folder:
        return python("benchmarks/gate_budget.py", "--out", f"{folder}/budget.json")


def bulk_sizing() -> str:
    """The tables of bulk tagging, one per committed measurement."""
    files = sorted(map(str, (RESULTS / "bulk").glob("*.json")))
    return python("benchmarks/bulk_tables.py", *files)


def encoders() -> str:
    """The table of architectures."""
    from edgener_exporters.architectures import architectures_table
    from edgener_exporters.variants import VARIANTS

    return architectures_table(VARIANTS)


def selftests() -> str:
    """What was run where."""
    files = sorted(map(str, (ROOT / "benchmarks" / "devices").glob("*.json")))
    return ours("edgener", "report", "--markdown", *files)


def model_card() -> str:
    """The committed model card, its headings one level lower."""
    card = (RESULTS / "bundle" / "conll2003-model-card.txt").read_text(encoding="utf-8")
    return "\n".join(f"#{line}" if line.startswith("#") else line for line in card.splitlines())


def update_costs() -> str:
    """What updates cost a million devices, from what one was measured to need."""
    return python("benchmarks/update_costs.py", "--table", str(RESULTS / "updates" / "conll2003.json"))


# A page, the marks before and behind a part of it, and what makes that part.
QUOTED: tuple[tuple[str, str, str, Callable[[], str]], ...] = (
    ("docs/how-to/runtime.md", "<!-- devices -->", "<!-- /devices -->", devices_table),
    ("docs/how-to/selftest.md", "<!-- checks -->", "<!-- /checks -->", checks),
    ("docs/how-to/benchmark.md", "<!-- example -->", "<!-- /example -->", lambda: table("bench", "conll2003.json")),
    ("docs/how-to/compare.md", "<!-- trials -->", "<!-- /trials -->", trials),
    ("docs/how-to/compare.md", "<!-- rounds needed: begin -->", "<!-- rounds needed: end -->", rounds),
    ("docs/how-to/bulk.md", "<!-- sizing -->", "<!-- /sizing -->", bulk_sizing),
    ("docs/how-to/updates.md", "<!-- costs -->", "<!-- /costs -->", update_costs),
    ("docs/reference/model-card.md", "<!-- card -->", "<!-- /card -->", model_card),
    ("docs/explanation/cost.md", "<!-- curves -->", "<!-- /curves -->", lambda: table("cost", "epyc-zen4.json")),
    ("docs/explanation/statistics.md", "<!-- coverage -->", "<!-- /coverage -->", coverage),
    (
        "docs/reference/benchmark-result.md", "<!-- schema -->", "<!-- /schema -->",
        lambda: python("-m", "edgener.bench.schema"),
    ),
    ("docs/reference/devices.md", "<!-- platforms -->", "<!-- /platforms -->", platforms),
    ("docs/reference/supported.md", "<!-- encoders: begin -->", "<!-- encoders: end -->", encoders),
    ("docs/reference/supported.md", "<!-- proven where: begin -->", "<!-- proven where: end -->", selftests),
)  # fmt: skip
THIS_MACHINE = (("docs/reference/devices.md", "$ edgener-runtime devices", "```", printed_devices),)


if __name__ == "__main__":
    main()
