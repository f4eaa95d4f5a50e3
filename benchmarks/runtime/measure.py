"""Measures of processes that a Python runs: how soon they answer, and what they hold."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROBES = Path(__file__).with_name("probes")
TEXT = "U.N. official Rolf Ekeus heads for Baghdad."  # the first of CoNLL-2003 is about so long
_IMPORT = "from time import perf_counter as now; start = now(); import edgener_runtime; print(now() - start)"


@dataclass(frozen=True)
class Spread:
    """The median of several runs, the least and the most."""

    median: float
    least: float
    most: float
    runs: int


def spread(values: list[float]) -> Spread:
    """Of at least one value."""
    return Spread(statistics.median(values), min(values), max(values), len(values))


def first_entity(python: Path, bundle: Path, variant: str, runs: int) -> dict[str, Spread]:
    """Of the start of a process up to its first entity: seconds, CPU seconds, and bytes of memory.

    CPU seconds depend less on what else the machine does; they count all threads. One more run warms up.
    """
    found = [_first_entity(python, bundle, variant) for _ in range(runs + 1)][1:]
    return {key: spread([one[key] for one in found]) for key in found[0]}


def import_seconds(python: Path, runs: int) -> Spread:
    """Seconds that `import edgener_runtime` takes in a new process. One more run warms up."""
    return spread([float(_output(python, "-c", _IMPORT)) for _ in range(runs + 1)][1:])


def sizes(python: Path) -> dict[str, int]:
    """Bytes of each distribution."""
    found: dict[str, int] = json.loads(_output(python, PROBES / "sizes.py"))
    return found


def soak(python: Path, bundle: Path, variant: str, texts: int, loads: int) -> list[dict[str, Any]]:
    """What soak.py and reloads.py printed."""
    printed = _output(python, PROBES / "soak.py", bundle, variant, texts)
    printed += _output(python, PROBES / "reloads.py", bundle, variant, loads)
    return [json.loads(line) for line in printed.splitlines()]


def growth(said: list[dict[str, Any]]) -> dict[str, float]:
    """The promises' measures of what `soak` returned: memory as a share, threads and files as counts."""
    [start], [closed] = ([line for line in said if line["at"] == at] for at in ("start", "closed"))
    texts, loads, unloaded = ([line for line in said if line["at"] == at] for at in ("texts", "loads", "unloaded"))
    return {
        "soak_growth": texts[-1]["rss"] / texts[0]["rss"] - 1,
        "threads_left": closed["threads"] - start["threads"],
        "files_left": closed["files"] - start["files"],
        "reload_growth": loads[-1]["rss"] / loads[0]["rss"] - 1,
        "reload_threads_left": unloaded[-1]["threads"] - unloaded[0]["threads"],
        "reload_files_left": unloaded[-1]["files"] - unloaded[0]["files"],
    }


def _first_entity(python: Path, bundle: Path, variant: str) -> dict[str, float]:
    command = [python, PROBES / "first_entity.py", bundle, variant, TEXT]
    before = _cpu_seconds_of_children()
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment()) as process:
        assert process.stdout
        found = process.stdout.readline()
        seconds = time.perf_counter() - start
        memory = process.stdout.readline()
    if process.returncode or not int(found):
        raise RuntimeError(f"no entity came from {bundle}, {variant}")
    cpu = _cpu_seconds_of_children() - before
    return {"cold_start_s": seconds, "cold_start_cpu_s": cpu, "rss_bytes": float(memory)}


def _cpu_seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _output(python: Path, *arguments: object) -> str:
    command = [str(python), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=_environment(), check=True)
    return done.stdout


def _environment() -> dict[str, str]:
    """Bytecode is kept, as it is for an installed program, whatever the environment here says."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
