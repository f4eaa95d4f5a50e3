"""Holding still while something is timed: which cores are used, and how quiet the machine was meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from edgener_runtime.commissioning.bench.results.record import Round, Stillness
from edgener_runtime.machine.probe.reading import HERE, read_number, read_text

from .counters import CpuTime, allowed_cores, celsius, cpu_time, throttled
from .notes import machine_notes
from .reference_workload import yardstick

__all__ = ["Watch", "machine_notes", "marks", "pin"]

BUSY_CORES, STOLEN_SHARE, DRIFT_SHARE = 0.1, 0.02, 0.05  # above which a round's figures are to be doubted
_LEAST_SECONDS = 0.3  # of a round, for ticks of 10 ms to tell a tenth of a core from none


def pin(cores: int, root: Path = HERE) -> tuple[int, ...]:
    """Keep this process, its threads and children to so many of the cores that it may use, and give their numbers.

    Those of most capacity come first, and threads of one core last. Empty, and nothing done, where the system has no
    affinity. `root` holds /sys.
    """
    allowed = allowed_cores()
    if not allowed:
        return ()
    chosen = _best_cores(root, sorted(allowed))[: max(1, cores)]
    os.sched_setaffinity(0, chosen)
    return tuple(sorted(chosen))


class Watch:
    """A context manager around a round; `stillness` is there once it is left. `root` holds /proc and /sys."""

    stillness: Stillness

    def __init__(self, root: Path = HERE) -> None:
        self._root = root
        self._cores = allowed_cores()

    def __enter__(self) -> Watch:
        self._yardstick_ms = yardstick()
        self._throttled = throttled(self._root)
        self._cpu = cpu_time(self._root, self._cores)
        self._begun = time.perf_counter()
        return self

    def __exit__(self, *exception: object) -> None:
        seconds, cpu = time.perf_counter() - self._begun, cpu_time(self._root, self._cores)
        slowed, degrees = throttled(self._root), celsius(self._root)
        others, stolen = _shares(self._cpu, cpu, seconds)
        self.stillness = Stillness(
            yardstick_ms=(self._yardstick_ms + yardstick()) / 2,
            others=others,
            stolen=stolen,
            throttled=None if slowed is None or self._throttled is None else slowed - self._throttled,
            celsius=degrees,
        )


def marks(rounds: Sequence[Round]) -> tuple[str, ...]:
    """Why the figures of these rounds are to be doubted, each with what was seen in how many rounds."""
    return tuple(_marks([measured.still for measured in rounds]))


def _marks(still: Sequence[Stillness]) -> Iterator[str]:
    if len(still) == 1:
        yield "one round: how processes differ is not known"
    others = [found for found in (each.others for each in still) if found is not None and found > BUSY_CORES]
    stolen = [found for found in (each.stolen for each in still) if found is not None and found > STOLEN_SHARE]
    slowed = [each.throttled for each in still if each.throttled]
    usual = median(each.yardstick_ms for each in still) if still else 0.0
    drifts = [each.yardstick_ms / usual - 1 for each in still if abs(each.yardstick_ms / usual - 1) > DRIFT_SHARE]
    if others:
        yield f"busy: other processes used {max(others):.1f} cores{_of(others, still)}"
    if stolen:
        yield f"busy: the hypervisor took {max(stolen):.0%} of the CPU's time{_of(stolen, still)}"
    if slowed:
        yield f"throttled: the CPU slowed down, or a limit halted it, {sum(slowed)} times{_of(slowed, still)}"
    if drifts:
        furthest = max(drifts, key=abs)
        yield f"drifting: the yardstick took {furthest:+.0%} against the median{_of(drifts, still)}"


def _of(some: Sequence[object], all_of_them: Sequence[object]) -> str:
    return f" in {len(some)} of {len(all_of_them)} rounds"


def _shares(before: CpuTime | None, after: CpuTime | None, seconds: float) -> tuple[float | None, float | None]:
    """The cores that others used, and the share of the time in which a core was wanted that was stolen."""
    if before is None or after is None or seconds < _LEAST_SECONDS:
        return None, None
    used, stolen, own = after.used - before.used, after.stolen - before.stolen, after.own - before.own
    wanted = used + stolen
    return max(0.0, used - own) / seconds, stolen / wanted if wanted > 0 else 0.0


def _best_cores(root: Path, cores: Sequence[int]) -> list[int]:
    """In the order in which they are to be used."""
    cpus = root / "sys" / "devices" / "system" / "cpu"
    seen: dict[str, int] = {}
    ranks: list[tuple[int, int, int]] = []
    for core in cores:
        siblings = read_text(cpus / f"cpu{core}" / "topology" / "thread_siblings_list") or str(core)
        seen[siblings] = seen.get(siblings, -1) + 1
        ranks.append((-(read_number(cpus / f"cpu{core}" / "cpu_capacity") or 0), seen[siblings], core))
    return [core for *_, core in sorted(ranks)]
