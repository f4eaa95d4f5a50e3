"""The fresh process that one variant with so many threads gets for a round: a job on stdin, events on stdout."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path

from edgener_runtime.base.memory import peak_resident, resident
from edgener_runtime.base.process import Follow, events
from edgener_runtime.base.serde import from_json
from edgener_runtime.commissioning.bench.drivers.choose import pick_driver
from edgener_runtime.commissioning.bench.drivers.load import Driven, Load
from edgener_runtime.commissioning.bench.drivers.rate import highest_rate
from edgener_runtime.commissioning.bench.drivers.warm_up import WarmedUp, queries_of, warm_up
from edgener_runtime.commissioning.bench.metering.energy import find_meter
from edgener_runtime.commissioning.bench.metering.isolation import pin
from edgener_runtime.commissioning.bench.metering.metered import Gauge
from edgener_runtime.commissioning.bench.results.record import Round
from edgener_runtime.commissioning.bench.results.samples import pack
from edgener_runtime.errors import DeviceError, EdgenerError
from edgener_runtime.inference.words import Words
from edgener_runtime.machine.cpu import usable_cores
from edgener_runtime.machine.devices import CPU

from .f1 import entities_of, entity_f1
from .job import FAILED, LOADED, MEASURED, SCORED, Job, Turn
from .spec import Gold
from .system_under_test import Loaded, Subject, Variant
from .workloads import GoldOfWorks, Works, WorkTexts

UNWANTED = 75  # exit code: stdin was closed
_LEAST_QUERIES = 16  # of a round, however slow the model
_WARM_UP = (0.3, 5.0)  # seconds at least and at most, and as long as the round in between
_OF_CAPACITY = 0.7  # of what one query after the other would be: where the search for a rate begins
_MEGA = 1e6


def main(subject: Subject = Variant) -> int:
    """Do the job that stdin asks for; 0 when all of it was told, failures too."""
    tell = events()
    job = from_json(Job, sys.stdin.readline(), "the job")
    threading.Thread(target=_end_with_the_caller, daemon=True).start()
    try:
        Worker(job, subject, tell).run()
    except (EdgenerError, MemoryError) as error:
        tell(failure_of(error))
    return 0


def _end_with_the_caller() -> None:
    """Nothing comes after the job: the end of stdin says that nobody waits any more."""
    while os.read(sys.stdin.fileno(), 1):  # not through sys.stdin, whose lock Python wants when it ends
        pass
    os._exit(UNWANTED)


def failure_of(error: EdgenerError | MemoryError, case: int | None = None) -> dict[str, object]:
    """The event of an error, of one case or of all."""
    if isinstance(error, MemoryError):
        error = DeviceError("there is not enough memory for it")
    return {"event": FAILED, "case": case, "kind": type(error).__name__, "message": error.message, "hint": error.hint}


class Texts:
    """The texts of a work as a driver knows them, by number; keeps count of the subwords that were run."""

    def __init__(self, loaded: Loaded, work: WorkTexts) -> None:
        self._loaded = loaded
        self._work = work
        self._texts = 0
        self._subwords = 0

    def answer(self, texts: Sequence[int]) -> None:
        """Run the texts of these numbers together."""
        self._loaded.answer([self._work.texts[number] for number in texts])
        self._texts += len(texts)
        self._subwords += sum(self._work.subwords[number] for number in texts)

    def forget(self) -> None:
        """Count anew."""
        self._texts = self._subwords = 0

    @property
    def subwords_a_text(self) -> float:
        """On average."""
        return self._subwords / self._texts


class Worker:
    """Loads the subject, and takes the turns of a job one after the other."""

    def __init__(self, job: Job, subject: Subject, tell: Follow) -> None:
        self._job = job
        self._tell = tell
        self._works = from_json(Works, Path(job.works).read_text(encoding="utf-8"), "the works").works
        _, self._drive = pick_driver(job.driver)
        pin(usable_cores())
        begun = time.perf_counter()
        self._loaded = subject(job)
        self._load_seconds = time.perf_counter() - begun
        self._meter, energy = find_meter(Path("/"), CPU if job.device == "cpu" else self._loaded.provider)
        tell({"event": LOADED, "provider": self._loaded.provider, "library": self._loaded.library, "energy": energy})

    def run(self) -> None:
        """Make the first call, then each turn, then the scores; a turn that fails is told and the others go on."""
        begun = time.perf_counter()
        self._loaded.answer([self._works[self._job.turns[0].work].texts[0]])
        self._first_ms = 1000 * (time.perf_counter() - begun)
        for turn in self._job.turns:
            try:
                self._tell({"event": MEASURED, "case": turn.case, "round": asdict(self._measure(turn))})
            except (EdgenerError, MemoryError) as error:
                self._tell(failure_of(error, turn.case))
        if self._job.gold:
            self._score(Path(self._job.gold))

    def _measure(self, turn: Turn) -> Round:
        begun = datetime.now(timezone.utc).isoformat(timespec="seconds")
        work = self._works[turn.work]
        texts, gauge = Texts(self._loaded, work), Gauge(self._drive, self._meter)
        queries = queries_of(turn.scenario, len(work.texts), turn.samples_per_query)
        warm = warm_up(texts, queries, min(max(turn.seconds, _WARM_UP[0]), _WARM_UP[1]))
        texts.forget()
        rate, driven = self._driven(turn, texts, gauge, warm)
        cost = gauge.cost_of(driven)
        return Round(
            begun, self._load_seconds, self._first_ms, warm.seconds, driven.seconds, driven.texts,
            round(driven.texts * texts.subwords_a_text), cost.cpu_seconds, pack(driven.milliseconds), cost.still,
            _mega(resident()), _mega(peak_resident()), cost.joules, rate,
        )  # fmt: skip

    def _driven(self, turn: Turn, texts: Texts, gauge: Gauge, warm: WarmedUp) -> tuple[float | None, Driven]:
        """The highest rate of a server that keeps the bound, or None; and what was driven."""
        count = len(self._works[turn.work].texts)
        load = Load(turn.scenario, count, turn.seconds, turn.samples_per_query, seed=self._job.seed)
        if turn.scenario == "server":
            return highest_rate(gauge, texts, load, turn.bound_ms, turn.rate or _OF_CAPACITY / warm.query_seconds)
        return None, gauge(texts, replace(load, least=_LEAST_QUERIES))

    def _score(self, file: Path) -> None:
        known = from_json(GoldOfWorks, file.read_text(encoding="ascii"), "the entities of the works").works
        for number in sorted({turn.work for turn in self._job.turns}):
            if gold := known[number]:
                f1 = entity_f1(gold.entities, self._found(self._works[number].texts, gold.words))
                self._tell({"event": SCORED, "work": number, "f1": f1})

    def _found(self, texts: Sequence[str], words: Sequence[Sequence[tuple[int, int]]]) -> list[list[Gold]]:
        """The entities by the labels of words, as they are judged where variants are exported."""
        begun = [Words(text, [start for start, _ in cut]) for text, cut in zip(texts, words, strict=True)]
        return [list(entities_of(*each)) for each in zip(self._loaded.label(begun), words, strict=True)]


def _mega(size: int | None) -> float | None:
    return None if size is None else size / _MEGA
