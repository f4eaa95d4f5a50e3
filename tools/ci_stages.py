#!/usr/bin/env python3
"""Run the stages of continuous integration in order, and print what each took and how many tests it ran.

Each stage is a target of the Makefile. The first stage that fails ends the run with its exit code; the table shows the
stages so far, and those that did not run.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

# Add a stage here; `make NAME` has to exist.
STAGES = (
    "docs", "test", "test-slow", "test-matrix", "test-arm64", "test-nvidia", "test-cluster", "test-optimum",
    "release-check", "demo",
)  # fmt: skip

_SUMMARY = re.compile(r"^=*\s*\d+ (?:passed|failed|skipped|error|deselected)\b.* in \d[\d.]*s")
_COUNT = re.compile(r"(\d+) (passed|skipped|failed|error)")
COLUMNS = ("stage", "wall min", "CPU min", "passed", "skipped", "result")


@dataclass
class Stage:
    """What one stage took (minutes), its tests by outcome, and the reasons of those it skipped; code None: not run."""

    name: str
    code: int | None = None
    wall: float = 0.0
    cpu: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    skips: list[str] = field(default_factory=list)

    def read(self, line: str) -> None:
        """Take counts and skips from a line of output."""
        if line.startswith("SKIPPED"):
            self.skips.append(line.rstrip())
        if _SUMMARY.match(line):
            for number, outcome in _COUNT.findall(line):
                self.counts[outcome] = self.counts.get(outcome, 0) + int(number)

    def row(self) -> tuple[str, ...]:
        """The stage as the table shows it."""
        if self.code is None:
            return (self.name, "-", "-", "-", "-", "not run")
        passed, skipped = (str(self.counts.get(outcome, 0)) for outcome in ("passed", "skipped"))
        result = f"failed ({self.code})" if self.code else "ok"
        return (self.name, f"{self.wall:.1f}", f"{self.cpu:.1f}", passed, skipped, result)


def run(stage: Stage, make: Sequence[str]) -> None:
    """Run a stage, pass its output on as it comes, and note what it took."""
    started, used = time.monotonic(), _children()
    words = [*make, stage.name]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as made:
        for line in made.stdout or ():
            _say(line)
            stage.read(line)
    stage.code, stage.wall, stage.cpu = made.returncode, (time.monotonic() - started) / 60, (_children() - used) / 60


def table(stages: Sequence[Stage]) -> Iterable[str]:
    """The stages, their sum, and each reason for a skip once."""
    ran = [stage for stage in stages if stage.code is not None]
    total = Stage("all", max((stage.code or 0 for stage in ran), default=0))
    total.wall, total.cpu = (sum(getattr(stage, name) for stage in ran) for name in ("wall", "cpu"))
    total.counts = {name: sum(stage.counts.get(name, 0) for stage in ran) for name in ("passed", "skipped")}
    rows = [COLUMNS, *(stage.row() for stage in (*stages, total))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    for stage in ran:
        yield from (f"{stage.name}: {skip}" for skip in dict.fromkeys(stage.skips))


def main(names: Sequence[str], make: Sequence[str] = ("make",)) -> int:
    """Run the stages until one fails; its exit code, or 0."""
    stages = [Stage(name) for name in names]
    for stage in stages:
        run(stage, make)
        if stage.code:
            break
    _say("".join(f"{line}\n" for line in table(stages)))
    return max(stage.code or 0 for stage in stages)


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _children() -> float:
    """CPU seconds of all processes that this one waited for, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or STAGES))
