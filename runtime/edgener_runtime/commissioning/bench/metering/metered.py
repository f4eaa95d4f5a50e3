"""A metered driver: it measures CPU time, energy and isolation around each load."""

from __future__ import annotations

import time
from dataclasses import dataclass

from edgener_runtime.commissioning.bench.drivers.load import Driven, Load, LoadDriver, System
from edgener_runtime.commissioning.bench.drivers.schedule import sized
from edgener_runtime.commissioning.bench.results.record import Isolation

from .energy import Meter
from .isolation import Watch


@dataclass(frozen=True)
class Cost:
    """CPU seconds of all threads, joules if there is a meter, and the isolation of the measurement."""

    cpu_seconds: float
    joules: float | None
    isolation: Isolation


class MeteredDriver:
    """A driver that sends loads through another one, and records the cost of each."""

    def __init__(self, drive: LoadDriver, meter: Meter | None) -> None:
        self._drive = drive
        self._meter = meter
        self._costs: list[tuple[Driven, Cost]] = []

    def __call__(self, system: System, load: Load) -> Driven:
        """Raises what the driver raises. The estimate of the load's size does not count."""
        with Watch() as watch:
            load = sized(system, load)  # after the reference workload, or the first queries would run on idle cores
            joules, used = self._joules(), time.process_time()
            driven = self._drive(system, load)
            used, spent = time.process_time() - used, self._joules()
        consumed = None if joules is None or spent is None else spent - joules
        self._costs.append((driven, Cost(used, consumed, watch.isolation)))
        return driven

    def cost_of(self, driven: Driven) -> Cost:
        """The cost of a load that this driver sent."""
        return next(cost for known, cost in self._costs if known is driven)

    def _joules(self) -> float | None:
        return self._meter.joules() if self._meter else None
