#!/usr/bin/env python3
"""Run the stages of continuous integration, and print what each took and how many tests it ran.

Each stage is a target of the Makefile. First come those that use every core, one after the other, then all others, as
many at a time as there are cores. All of them run, whichever fails, so that one run shows every fault; the exit code is
the worst.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

# Add a stage here; `make NAME` has to exist.
ALONE = ("docs", "test")  # test makes the environment of the others
BESIDE = (  # the longest first, so that no core waits for it at the end
    "test-slow", "test-matrix", "test-trust", "test-optimum", "test-device", "test-arm64", "release-check", "demo",
    "test-nvidia", "test-ops", "test-cluster",
)  # fmt: skip
STAGES = ALONE + BESIDE

_SUMMARY = re.compile(r"^=*\s*\d+ (?:passed|failed|skipped|error|deselected)\b.* in \d[\d.]*s")
_COUNT = re.compile(r"(\d+) (passed|skipped|failed|error)")
COLUMNS = ("stage", "wall min", "CPU min", "passed", "skipped", "result")


@dataclass
class Stage:
    """What one stage took (minutes), its tests by outcome, and the reasons of those it skipped."""

    name: str
    code: int = 0
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
        passed, skipped = (str(self.counts.get(outcome, 0)) for outcome in ("passed", "skipped"))
        result = f"failed ({self.code})" if self.code else "ok"
        return (self.name, f"{self.wall:.1f}", f"{self.cpu:.1f}", passed, skipped, result)


def run(stage: Stage, make: Sequence[str], alone: bool = True) -> None:
    """Run a stage and note what it took; its output comes line by line, or beside others in one piece at the end."""
    started, lines = time.monotonic(), []
    _say(f"{stage.name} begins\n")
    words = [*make, stage.name]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    for line in process.stdout or ():
        stage.read(line)
        _say(line) if alone else lines.append(line)
    _, status, usage = os.wait4(process.pid, 0)  # the only way to the CPU time of one child beside others
    process.returncode = stage.code = os.waitstatus_to_exitcode(status)
    stage.wall, stage.cpu = (time.monotonic() - started) / 60, (usage.ru_utime + usage.ru_stime) / 60
    _say("".join(lines))


def table(stages: Sequence[Stage], wall: float) -> Iterable[str]:
    """The stages, all of them together, which took `wall` minutes, and each reason for a skip once."""
    total = Stage("all", _worst(stages), wall, sum(stage.cpu for stage in stages))
    total.counts = {name: sum(stage.counts.get(name, 0) for stage in stages) for name in ("passed", "skipped")}
    rows = [COLUMNS, *(stage.row() for stage in (*stages, total))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    for stage in stages:
        yield from (f"{stage.name}: {skip}" for skip in dict.fromkeys(stage.skips))


def main(alone: Sequence[str], beside: Sequence[str] = (), make: Sequence[str] = ("make",)) -> int:
    """Run the stages `alone` one by one, then those `beside` each other; the worst of their exit codes."""
    started, stages = time.monotonic(), [Stage(name) for name in (*alone, *beside)]
    for workers, group in ((1, stages[: len(alone)]), (os.cpu_count() or 1, stages[len(alone) :])):
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda stage: run(stage, make, stage.name in alone), group))
    _say("".join(f"{line}\n" for line in table(stages, (time.monotonic() - started) / 60)))
    return _worst(stages)


def _worst(stages: Iterable[Stage]) -> int:
    return max((abs(stage.code) for stage in stages), default=0)


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if sys.argv[1:] else main(ALONE, BESIDE))
