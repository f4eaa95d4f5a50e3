"""The input of a worker's process, and the names of its events: loading, each round, scores, failures."""

from __future__ import annotations

from dataclasses import dataclass

from edgener_runtime.decoding.schemes import LabelSet

LOADED, MEASURED, SCORED, FAILED = "loaded", "measured", "scored", "failed"  # a line's `event`


@dataclass(frozen=True)
class RoundRequest:
    """One round of a case: the numbers of the case and of its workload, and the seconds.

    `rate` is where the search for a server's rate starts; None without an earlier round.
    """

    case: int
    workload: int
    scenario: str
    samples_per_query: int
    bound_ms: float
    seconds: float
    rate: float | None = None


@dataclass(frozen=True)
class WorkerJob:
    """The input of one process: what to load, the file with the workloads, and the rounds to run.

    `gold` is a file with the entities of the workloads for the scores at the end; it is read only then, because it
    would count as memory before. `model` is the bundle's folder, or whatever the worker of another library loads, with
    `label_set` where that does not say itself how its labels are read.
    """

    model: str
    variant: str
    device: str
    threads: int | None
    workloads: str
    driver: str
    seed: int
    rounds: tuple[RoundRequest, ...]
    gold: str | None = None
    label_set: LabelSet | None = None
