"""What a drive costs besides time: a driver that reads CPU time, energy and how still the machine was around itself."""

from __future__ import annotations

import time
from dataclasses import dataclass

from edgener_runtime.commissioning.bench.drivers.load import Driven, Driver, Load, System
from edgener_runtime.commissioning.bench.drivers.schedule import sized
from edgener_runtime.commissioning.bench.results.record import Stillness

from .energy import Meter
from .isolation import Watch


@dataclass(frozen=True)
class Cost:
    """CPU seconds of all threads, joules where they are metered, and how still the machine was."""

    cpu_seconds: float
    joules: float | None
    still: Stillness


class Gauge:
    """A driver that sends loads through another, and knows what each of them cost."""

    def __init__(self, drive: Driver, meter: Meter | None) -> None:
        self._drive = drive
        self._meter = meter
        self._costs: list[tuple[Driven, Cost]] = []

    def __call__(self, system: System, load: Load) -> Driven:
        """Raises what the driver raises. What it takes to learn how long the load is to be is not counted."""
        with Watch() as watch:
            load = sized(system, load)  # once the yardstick was taken, or the first queries would meet cores that rest
            joules, used = self._joules(), time.process_time()
            driven = self._drive(system, load)
            used, spent = time.process_time() - used, self._joules()
        burnt = None if joules is None or spent is None else spent - joules
        self._costs.append((driven, Cost(used, burnt, watch.stillness)))
        return driven

    def cost_of(self, driven: Driven) -> Cost:
        """What a drive through this gauge cost."""
        return next(cost for known, cost in self._costs if known is driven)

    def _joules(self) -> float | None:
        return self._meter.joules() if self._meter else None
