"""One turn of a target: a fresh process that runs one round of each of its cases, however the process ends."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from edgener_runtime.base.process import Ended, Event, python_command, run_process
from edgener_runtime.base.serde import from_json
from edgener_runtime.commissioning.bench.results.record import Case, Round
from edgener_runtime.errors import DeviceError

from .cases import CaseState
from .job import FAILED, LOADED, MEASURED, SCORED, RoundRequest, WorkerJob
from .plan import BenchTarget
from .time_budget import TimeBudget

_KILLED = "its process was killed (SIGKILL), as the system does where memory runs out"


class Turn:
    """A target's cases in a round; the events of the process update them and the time budget."""

    def __init__(
        self, target: BenchTarget, entries: Sequence[CaseState], within: float, time_budget: TimeBudget
    ) -> None:
        self._target = target
        self._entries = entries
        self._within = within
        self._time_budget = time_budget
        self._took: dict[Case, float] = {}
        self._scoring = 0.0
        self._last = 0.0

    def run(self, driver: str, workloads: Path, gold: Path | None, number: int) -> None:
        """Run the process for round `number`; the first one also scores, if there is `gold`.

        A case that failed has the reason; nothing but Ctrl-C is raised.
        """
        start = self._last = time.monotonic()
        try:
            ended = run_process(
                python_command(self._target.module),
                json.dumps(asdict(self._job(driver, workloads, None if number else gold, number))),
                self._follow,
                environment=os.environ | {"TMPDIR": str(workloads.parent)},  # for what it leaves there when it dies
            )
        except DeviceError as error:
            self._fail(self._entries, error.message)
        else:
            if ended.code:
                self._fail(self._entries, _how_it_ended(ended))
        shares = {self._target: {entry.case: entry.slices for entry in self._entries}}
        self._time_budget.learn(self._target, time.monotonic() - start - self._scoring, self._took, shares)

    def _job(self, driver: str, workloads: Path, gold: Path | None, number: int) -> WorkerJob:
        target = self._target
        rounds = tuple(self._request(at, entry) for at, entry in enumerate(self._entries))
        return WorkerJob(
            target.model, target.variant, target.device, target.requested_threads, str(workloads), driver, number,
            rounds, str(gold) if gold else None, target.label_set,
        )  # fmt: skip

    def _request(self, at: int, entry: CaseState) -> RoundRequest:
        case = entry.case
        rate = entry.rounds[-1].rate if entry.rounds else None
        return RoundRequest(
            at,
            entry.workload,
            case.scenario,
            case.samples_per_query,
            case.bound_ms or 0.0,
            self._time_budget.slice,
            rate,
        )

    def _follow(self, event: Event) -> None:
        now = time.monotonic()
        _FOLLOW[event["event"]](self, event, now - self._last)
        self._last = now

    def _on_loaded(self, event: Event, seconds: float) -> None:
        for entry in self._entries:
            entry.provider, entry.library, entry.energy = event["provider"], event["library"], event["energy"]

    def _on_measured(self, event: Event, seconds: float) -> None:
        entry = self._entries[event["case"]]
        measured = from_json(Round, json.dumps(event["round"]), "a worker's round")
        entry.add(measured, self._within)
        self._took[entry.case] = seconds - measured.warm_up_seconds

    def _on_scored(self, event: Event, seconds: float) -> None:
        self._scoring += seconds
        for entry in self._entries:
            if entry.workload == event["workload"]:
                entry.f1 = event["f1"]

    def _on_failed(self, event: Event, seconds: float) -> None:
        failed = self._entries if event["case"] is None else [self._entries[event["case"]]]
        self._fail(failed, event["message"])

    def _fail(self, entries: Sequence[CaseState], why: str) -> None:
        for entry in entries:
            entry.why_not = entry.why_not or why


_FOLLOW = {LOADED: Turn._on_loaded, MEASURED: Turn._on_measured, SCORED: Turn._on_scored, FAILED: Turn._on_failed}


def _how_it_ended(ended: Ended) -> str:
    if ended.code == -signal.SIGKILL:
        return _KILLED
    if ended.code < 0:
        number = -ended.code
        name = signal.Signals(number).name if number in signal.valid_signals() else f"signal {number}"
        return f"its process crashed ({name})"
    last = (ended.stderr.splitlines() or ["no output"])[-1]
    return f"its process ended with code {ended.code}: {last}"
