"""Isolation of a measurement: the cores that it uses, and the activity of other processes during it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from edgener_runtime.commissioning.bench.results.record import Isolation, Round
from edgener_runtime.machine.probe.reading import HERE, read_number, read_text

from .counters import CpuTime, allowed_cores, celsius, cpu_time, throttled
from .notes import machine_notes
from .reference_workload import reference_workload_ms

__all__ = ["Watch", "machine_notes", "marks", "pin"]

BUSY_CORES, STOLEN_SHARE, DRIFT_SHARE = 0.1, 0.02, 0.05  # above these a round's figures are doubtful
_LEAST_SECONDS = 0.3  # of a round, so that ticks of 10 ms can resolve a tenth of a core


def pin(cores: int, root: Path = HERE) -> tuple[int, ...]:
    """Pin this process, its threads and children to a number of the cores that it may use; returns their numbers.

    Cores of most capacity come first, second threads of a core last. Does nothing and returns an empty tuple if the
    system has no affinity. `root` contains /sys.
    """
    allowed = allowed_cores()
    if not allowed:
        return ()
    chosen = _best_cores(root, sorted(allowed))[: max(1, cores)]
    os.sched_setaffinity(0, chosen)
    return tuple(sorted(chosen))


class Watch:
    """A context manager around a round, with `isolation` after its end. `root` contains /proc and /sys."""

    isolation: Isolation

    def __init__(self, root: Path = HERE) -> None:
        self._root = root
        self._cores = allowed_cores()

    def __enter__(self) -> Watch:
        self._reference_ms = reference_workload_ms()
        self._throttled = throttled(self._root)
        self._cpu = cpu_time(self._root, self._cores)
        self._start = time.perf_counter()
        return self

    def __exit__(self, *exception: object) -> None:
        seconds, cpu = time.perf_counter() - self._start, cpu_time(self._root, self._cores)
        slowed, degrees = throttled(self._root), celsius(self._root)
        others, stolen = _shares(self._cpu, cpu, seconds)
        self.isolation = Isolation(
            reference_ms=(self._reference_ms + reference_workload_ms()) / 2,
            others=others,
            stolen=stolen,
            throttled=None if slowed is None or self._throttled is None else slowed - self._throttled,
            celsius=degrees,
        )


def marks(rounds: Sequence[Round]) -> tuple[str, ...]:
    """Warnings on the figures of these rounds, each with its cause and the number of rounds."""
    return tuple(_marks([measured.isolation for measured in rounds]))


def _marks(found: Sequence[Isolation]) -> Iterator[str]:
    if len(found) == 1:
        yield "one round: the spread between processes is unknown"
    others = [share for share in (each.others for each in found) if share is not None and share > BUSY_CORES]
    stolen = [share for share in (each.stolen for each in found) if share is not None and share > STOLEN_SHARE]
    slowed = [each.throttled for each in found if each.throttled]
    usual = median(each.reference_ms for each in found) if found else 0.0
    drifts = [each.reference_ms / usual - 1 for each in found if abs(each.reference_ms / usual - 1) > DRIFT_SHARE]
    if others:
        yield f"busy: other processes used {max(others):.1f} cores{_of(others, found)}"
    if stolen:
        yield f"busy: the hypervisor took {max(stolen):.0%} of the CPU's time{_of(stolen, found)}"
    if slowed:
        yield f"throttled: the CPU slowed down, or a limit halted it, {sum(slowed)} times{_of(slowed, found)}"
    if drifts:
        furthest = max(drifts, key=abs)
        yield f"drifting: the reference workload took {furthest:+.0%} against the median{_of(drifts, found)}"


def _of(some: Sequence[object], all_of_them: Sequence[object]) -> str:
    return f" in {len(some)} of {len(all_of_them)} rounds"


def _shares(before: CpuTime | None, after: CpuTime | None, seconds: float) -> tuple[float | None, float | None]:
    """The cores that other processes used, and the share of the demanded CPU time that was stolen."""
    if before is None or after is None or seconds < _LEAST_SECONDS:
        return None, None
    used, stolen, own = after.used - before.used, after.stolen - before.stolen, after.own - before.own
    demanded = used + stolen
    return max(0.0, used - own) / seconds, stolen / demanded if demanded > 0 else 0.0


def _best_cores(root: Path, cores: Sequence[int]) -> list[int]:
    """The cores in the order of their use."""
    cpus = root / "sys" / "devices" / "system" / "cpu"
    seen: dict[str, int] = {}
    ranks: list[tuple[int, int, int]] = []
    for core in cores:
        siblings = read_text(cpus / f"cpu{core}" / "topology" / "thread_siblings_list") or str(core)
        seen[siblings] = seen.get(siblings, -1) + 1
        ranks.append((-(read_number(cpus / f"cpu{core}" / "cpu_capacity") or 0), seen[siblings], core))
    return [core for *_, core in sorted(ranks)]
