"""The fresh process of one target for a round: a job on stdin, events on stdout."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from edgener_runtime.base.memory import peak_resident, resident
from edgener_runtime.base.process import Follow, events
from edgener_runtime.base.serde import from_json, to_dict
from edgener_runtime.commissioning.bench.drivers.choose import pick_driver
from edgener_runtime.commissioning.bench.drivers.load import Driven, Load
from edgener_runtime.commissioning.bench.drivers.rate import highest_rate
from edgener_runtime.commissioning.bench.drivers.warm_up import WarmedUp, queries_of, warm_up
from edgener_runtime.commissioning.bench.metering.energy import find_meter
from edgener_runtime.commissioning.bench.metering.isolation import pin
from edgener_runtime.commissioning.bench.metering.metered import MeteredDriver
from edgener_runtime.commissioning.bench.results.record import Round
from edgener_runtime.commissioning.bench.results.samples import pack
from edgener_runtime.errors import DeviceError, EdgenerError
from edgener_runtime.inference.words import Words
from edgener_runtime.machine.cpu import usable_cores
from edgener_runtime.machine.devices import CPU

from .f1 import entities_of, entity_f1
from .job import FAILED, LOADED, MEASURED, SCORED, RoundRequest, WorkerJob
from .spec import Gold
from .system_under_test import BundleVariant, SystemLoader, SystemUnderTest
from .workloads import WorkloadGold, Workloads, WorkloadTexts

ABANDONED = 75  # exit code: stdin was closed
_LEAST_QUERIES = 16  # of a round, however slow the model
_WARM_UP = (0.3, 5.0)  # seconds at least and at most, and as long as the round in between
_OF_CAPACITY = 0.7  # of the rate of one query after the other: where the search for a rate starts
_MEGA = 1e6


def main(load: SystemLoader = BundleVariant) -> int:
    """Run the job on stdin; 0 once all of it was reported, failures included."""
    report = events()
    job = from_json(WorkerJob, sys.stdin.readline(), "the job")
    threading.Thread(target=_exit_with_caller, daemon=True).start()
    try:
        Worker(job, load, report).run()
    except (EdgenerError, MemoryError) as error:
        report(failure_of(error))
    return 0


def _exit_with_caller() -> None:
    """Nothing follows the job on stdin, so its end means that the caller is gone."""
    while os.read(sys.stdin.fileno(), 1):  # not through sys.stdin, whose lock Python takes when it exits
        pass
    os._exit(ABANDONED)


def failure_of(error: EdgenerError | MemoryError, case: int | None = None) -> dict[str, object]:
    """The event of an error, for one case or for all."""
    if isinstance(error, MemoryError):
        error = DeviceError("there is not enough memory for it")
    return {"event": FAILED, "case": case, "kind": type(error).__name__, "message": error.message, "hint": error.hint}


class Texts:
    """The texts of a workload by number, as drivers use them; counts the subwords that ran."""

    def __init__(self, system: SystemUnderTest, workload: WorkloadTexts) -> None:
        self._system = system
        self._workload = workload
        self._texts = 0
        self._subwords = 0

    def answer(self, texts: Sequence[int]) -> None:
        """Run the texts with these numbers as one batch."""
        self._system.answer([self._workload.texts[number] for number in texts])
        self._texts += len(texts)
        self._subwords += sum(self._workload.subwords[number] for number in texts)

    def forget(self) -> None:
        """Reset the counts."""
        self._texts = self._subwords = 0

    @property
    def subwords_per_text(self) -> float:
        """On average."""
        return self._subwords / self._texts


class Worker:
    """Loads the system under test, and runs the rounds of a job one after the other."""

    def __init__(self, job: WorkerJob, load: SystemLoader, report: Follow) -> None:
        self._job = job
        self._report = report
        self._workloads = from_json(
            Workloads, Path(job.workloads).read_text(encoding="utf-8"), "the workloads"
        ).workloads
        _, self._drive = pick_driver(job.driver)
        pin(usable_cores())
        start = time.perf_counter()
        self._system = load(job)
        self._load_seconds = time.perf_counter() - start
        self._meter, energy = find_meter(Path("/"), CPU if job.device == "cpu" else self._system.provider)
        report({"event": LOADED, "provider": self._system.provider, "library": self._system.library, "energy": energy})

    def run(self) -> None:
        """Make the first call, then each round, then the scores; after a round that fails the others still run."""
        start = time.perf_counter()
        self._system.answer([self._workloads[self._job.rounds[0].workload].texts[0]])
        self._first_ms = 1000 * (time.perf_counter() - start)
        for request in self._job.rounds:
            try:
                self._report({"event": MEASURED, "case": request.case, "round": to_dict(self._measure(request))})
            except (EdgenerError, MemoryError) as error:
                self._report(failure_of(error, request.case))
        if self._job.gold:
            self._score(Path(self._job.gold))

    def _measure(self, request: RoundRequest) -> Round:
        started = datetime.now(timezone.utc).isoformat(timespec="seconds")
        workload = self._workloads[request.workload]
        texts, metered = Texts(self._system, workload), MeteredDriver(self._drive, self._meter)
        queries = queries_of(request.scenario, len(workload.texts), request.samples_per_query)
        warm = warm_up(texts, queries, min(max(request.seconds, _WARM_UP[0]), _WARM_UP[1]))
        texts.forget()
        rate, driven = self._driven(request, texts, metered, warm)
        cost = metered.cost_of(driven)
        return Round(
            started, self._load_seconds, self._first_ms, warm.seconds, driven.seconds, driven.texts,
            round(driven.texts * texts.subwords_per_text), cost.cpu_seconds, pack(driven.milliseconds), cost.isolation,
            _mega(resident()), _mega(peak_resident()), cost.joules, rate,
        )  # fmt: skip

    def _driven(
        self, request: RoundRequest, texts: Texts, metered: MeteredDriver, warm: WarmedUp
    ) -> tuple[float | None, Driven]:
        """The highest rate of a server within the bound, or None; and the result of that load."""
        count = len(self._workloads[request.workload].texts)
        load = Load(request.scenario, count, request.seconds, request.samples_per_query, seed=self._job.seed)
        if request.scenario == "server":
            return highest_rate(
                metered, texts, load, request.bound_ms, request.rate or _OF_CAPACITY / warm.query_seconds
            )
        return None, metered(texts, replace(load, least=_LEAST_QUERIES))

    def _score(self, file: Path) -> None:
        known = from_json(WorkloadGold, file.read_text(encoding="ascii"), "the entities of the workloads").workloads
        for number in sorted({request.workload for request in self._job.rounds}):
            if gold := known[number]:
                f1 = entity_f1(gold.entities, self._found(self._workloads[number].texts, gold.words))
                self._report({"event": SCORED, "workload": number, "f1": f1})

    def _found(self, texts: Sequence[str], words: Sequence[Sequence[tuple[int, int]]]) -> list[list[Gold]]:
        """The entities by the labels of words, as `edgener export` scores them."""
        inputs = [Words(text, [start for start, _ in cut]) for text, cut in zip(texts, words, strict=True)]
        labels = self._system.label(inputs)
        return [list(entities_of(*each, self._system.label_set)) for each in zip(labels, words, strict=True)]


def _mega(size: int | None) -> float | None:
    return None if size is None else size / _MEGA
