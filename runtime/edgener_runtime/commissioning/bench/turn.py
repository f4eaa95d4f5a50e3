"""One turn of one place: a fresh process that makes a round of each of its cases, and whatever way it ends."""

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

from .cases import Entry
from .job import FAILED, LOADED, MEASURED, SCORED, Job, Turn
from .plan import Place
from .time_budget import Pace

_KILLED = "its process was killed (SIGKILL), as the system does where memory runs out"


class Visit:
    """A place's entries in a round; what the process tells is written into them, and into the pace."""

    def __init__(self, place: Place, entries: Sequence[Entry], within: float, pace: Pace) -> None:
        self._place = place
        self._entries = entries
        self._within = within
        self._pace = pace
        self._took: dict[Case, float] = {}
        self._scoring = 0.0
        self._last = 0.0

    def make(self, driver: str, works: Path, gold: Path | None, number: int) -> None:
        """Run the process for round `number`; the first scores where `gold` is known.

        An entry that failed knows why; nothing but Ctrl-C is raised.
        """
        begun = self._last = time.monotonic()
        try:
            ended = run_process(
                python_command(self._place.module),
                json.dumps(asdict(self._job(driver, works, None if number else gold, number))),
                self._follow,
                environment=os.environ | {"TMPDIR": str(works.parent)},  # what it may leave there when it dies
            )
        except DeviceError as error:
            self._fail(self._entries, error.message)
        else:
            if ended.code:
                self._fail(self._entries, _how_it_ended(ended))
        shares = {self._place: {entry.case: entry.slices for entry in self._entries}}
        self._pace.learn(self._place, time.monotonic() - begun - self._scoring, self._took, shares)

    def _job(self, driver: str, works: Path, gold: Path | None, number: int) -> Job:
        place = self._place
        turns = tuple(self._turn(at, entry) for at, entry in enumerate(self._entries))
        return Job(
            place.model, place.variant, place.device, place.asked, str(works), driver, number, turns,
            str(gold) if gold else None,
        )  # fmt: skip

    def _turn(self, at: int, entry: Entry) -> Turn:
        case = entry.case
        rate = entry.rounds[-1].rate if entry.rounds else None
        return Turn(at, entry.work, case.scenario, case.samples_per_query, case.bound_ms or 0.0, self._pace.slice, rate)

    def _follow(self, event: Event) -> None:
        now = time.monotonic()
        _FOLLOW[event["event"]](self, event, now - self._last)
        self._last = now

    def _loaded(self, event: Event, seconds: float) -> None:
        for entry in self._entries:
            entry.provider, entry.library, entry.energy = event["provider"], event["library"], event["energy"]

    def _measured(self, event: Event, seconds: float) -> None:
        entry = self._entries[event["case"]]
        made = from_json(Round, json.dumps(event["round"]), "a worker's round")
        entry.add(made, self._within)
        self._took[entry.case] = seconds - made.warm_up_seconds

    def _scored(self, event: Event, seconds: float) -> None:
        self._scoring += seconds
        for entry in self._entries:
            if entry.work == event["work"]:
                entry.f1 = event["f1"]

    def _failed(self, event: Event, seconds: float) -> None:
        failed = self._entries if event["case"] is None else [self._entries[event["case"]]]
        self._fail(failed, event["message"])

    def _fail(self, entries: Sequence[Entry], why: str) -> None:
        for entry in entries:
            entry.why_not = entry.why_not or why


_FOLLOW = {LOADED: Visit._loaded, MEASURED: Visit._measured, SCORED: Visit._scored, FAILED: Visit._failed}


def _how_it_ended(ended: Ended) -> str:
    if ended.code == -signal.SIGKILL:
        return _KILLED
    if ended.code < 0:
        number = -ended.code
        name = signal.Signals(number).name if number in signal.valid_signals() else f"signal {number}"
        return f"its process crashed ({name})"
    last = (ended.stderr.splitlines() or ["it said nothing"])[-1]
    return f"its process ended with code {ended.code}: {last}"
