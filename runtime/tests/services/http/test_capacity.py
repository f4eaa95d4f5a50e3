"""How much a machine answers in time: measured at the start, and again after a refusal: it may have been busy."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from edgener_runtime.errors import EdgenerError

pytest.importorskip("starlette", reason="the extra serve is not installed")

from edgener_runtime.services.http.admission import capacity as module
from edgener_runtime.services.http.admission.capacity import Capacity
from edgener_runtime.services.http.error_responses import RequestError


class Machine:
    """A classifier that takes so many seconds for a text."""

    def __init__(self) -> None:
        self.seconds = 0.2
        self.fault: EdgenerError | None = None
        self.runs = 0
        tokenizer = SimpleNamespace(max_length=8)
        self.classifier = SimpleNamespace(
            manifest=SimpleNamespace(tokenizer=tokenizer), count_subwords=lambda texts: sum(map(len, texts))
        )

    async def predict(self, text: str) -> Sequence[Any]:
        self.runs += 1
        await asyncio.sleep(self.seconds)
        if self.fault:
            raise self.fault
        return []


async def after_a_refusal(capacity: Capacity, machine: Any) -> int | None:
    with contextlib.suppress(RequestError), capacity.hold(["x"], 10**9):
        raise AssertionError("not refused")
    capacity.measure_again(machine, 1)
    await asyncio.sleep(0.6)
    return capacity.most


@pytest.mark.timing
def test_a_machine_that_was_busy_at_the_start_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGE", 0)
    monkeypatch.setattr(module, "_SECONDS", 0.2)

    async def measure() -> None:
        machine, capacity = Machine(), Capacity()
        await capacity.measure(machine, 1)  # type: ignore[arg-type]
        busy = capacity.most
        machine.seconds = 0.02
        quiet = await after_a_refusal(capacity, machine)
        assert busy and quiet and quiet > 2 * busy
        machine.seconds = 0.2  # busy again: what it can do is known
        assert await after_a_refusal(capacity, machine) == quiet
        machine.fault = EdgenerError("it is being closed")
        assert await after_a_refusal(capacity, machine) == quiet
        await capacity.close()

    asyncio.run(measure())


def test_refusals_measure_seldom() -> None:
    async def refuse() -> None:
        machine, capacity = Machine(), Capacity()
        machine.seconds = 0.01
        await capacity.measure(machine, 1)  # type: ignore[arg-type]
        runs = machine.runs
        for _ in range(100):
            capacity.measure_again(machine, 1)  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        assert machine.runs == runs
        await capacity.close()

    asyncio.run(refuse())
