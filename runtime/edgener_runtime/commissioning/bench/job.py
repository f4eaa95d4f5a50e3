"""What a worker's process is told, and what it tells: events of loading, of each round, of scores, of failures."""

from __future__ import annotations

from dataclasses import dataclass

LOADED, MEASURED, SCORED, FAILED = "loaded", "measured", "scored", "failed"  # a line's `event`


@dataclass(frozen=True)
class Turn:
    """A round of one case: the number of the case and of its work, and how long; `rate` is where a server's search
    begins, None where nothing is known yet."""

    case: int
    work: int
    scenario: str
    samples_per_query: int
    bound_ms: float
    seconds: float
    rate: float | None = None


@dataclass(frozen=True)
class Job:
    """A process's turn: what to load, the file with the works, and the rounds to make.

    `gold` is a file with the entities of the works, to score in the end; read then, as it would count as memory before.
    `model` is the bundle's folder, or whatever the worker of another library loads.
    """

    model: str
    variant: str
    device: str
    threads: int | None
    works: str
    driver: str
    seed: int
    turns: tuple[Turn, ...]
    gold: str | None = None
