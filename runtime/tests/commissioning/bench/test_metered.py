"""What a drive costs is what its queries cost, and nothing of what came before."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from edgener_runtime.commissioning.bench.drivers.choose import DRIVERS
from edgener_runtime.commissioning.bench.drivers.load import Driven, Load
from edgener_runtime.commissioning.bench.metering import isolation as isolation
from edgener_runtime.commissioning.bench.metering.metered import MeteredDriver

pytestmark = pytest.mark.timing


class Burning:
    """A system that uses 2 ms of a core for each text."""

    texts = 0

    def answer(self, texts: Sequence[int]) -> None:
        self.texts += len(texts)
        end = time.thread_time() + 0.002 * len(texts)
        while time.thread_time() < end:
            pass


@pytest.mark.parametrize("scenario", ["single-stream", "offline", "server"])
@pytest.mark.parametrize("name", DRIVERS)
def test_only_the_queries_are_counted(name: str, scenario: str) -> None:
    if name == "loadgen":
        pytest.importorskip("mlperf_loadgen")
    metered = MeteredDriver(DRIVERS[name], None)
    driven = metered(Burning(), Load(scenario, 10, 0.8, rate=200))
    beside = metered.cost_of(driven).cpu_seconds - 0.002 * driven.texts
    assert 0 <= beside < 0.0005 * len(driven.milliseconds) + 0.03  # to send each, and to begin and end


def test_an_estimate_that_is_counted_is_found() -> None:
    """As it would be without the metered driver's own estimate."""
    burning, load = Burning(), Load("offline", 10, 0.8)
    used = time.process_time()
    driven = DRIVERS["builtin"](burning, load)
    assert time.process_time() - used >= 0.002 * burning.texts > 0.002 * driven.texts


@pytest.mark.parametrize("scenario", ["single-stream", "offline"])
def test_no_query_meets_cores_that_rest(scenario: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference workload keeps one thread busy: the first query after it took twice as long (on a Zen 4)."""
    happened: list[str] = []

    class Noting(Burning):
        def answer(self, texts: Sequence[int]) -> None:
            happened.append("answer")
            super().answer(texts)

    def drive(system: Noting, load: Load) -> Driven:
        happened.append("drive")
        return DRIVERS["builtin"](system, load)

    monkeypatch.setattr(isolation, "reference_workload_ms", lambda: happened.append("reference") or 1.0)
    MeteredDriver(drive, None)(Noting(), Load(scenario, 10, 0.4))
    before = happened[: happened.index("drive")]
    assert before[0] == "reference" and set(before[1:]) == {"answer"}
