"""Both drivers keep MLPerf's rules and agree; errors and Ctrl-C end them; the same checks find planted faults."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.commissioning.bench.drivers import builtin
from edgener_runtime.commissioning.bench.drivers import choose as drivers
from edgener_runtime.commissioning.bench.drivers.choose import DRIVERS, pick_driver
from edgener_runtime.commissioning.bench.drivers.load import Driven, Load, LoadDriver, OverrunError, System
from edgener_runtime.commissioning.bench.drivers.scenarios import SCENARIOS
from edgener_runtime.commissioning.bench.drivers.schedule import sized
from edgener_runtime.commissioning.bench.results.statistics import percentile
from edgener_runtime.errors import DeviceError, ProviderError, UserInputError

from .rules import LOADS, Slept, broken

pytestmark = pytest.mark.timing

LONG, SOON = 20.0, 5.0  # seconds of a drive that is ended, and until when it must have ended
HAS_LOADGEN = find_spec(drivers.LOADGEN_MODULE) is not None
needs_loadgen = pytest.mark.skipif(not HAS_LOADGEN, reason="mlcommons-loadgen is not installed")
both = pytest.mark.parametrize(
    "drive",
    [
        pytest.param(DRIVERS["builtin"], id="builtin"),
        pytest.param(DRIVERS["loadgen"], id="loadgen", marks=needs_loadgen),
    ],
)
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS)


class Breaks(Slept):
    """A system that raises an error at its third question."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def answer(self, texts: Sequence[int]) -> None:
        if len(self.asked) >= 2 or len(texts) > 3:
            raise self.error
        super().answer(texts)


class Stuck:
    """A system that takes a second."""

    def answer(self, texts: Sequence[int]) -> None:
        time.sleep(1)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("edgener-bench")]


@contextmanager
def ctrl_c(seconds: float) -> Iterator[None]:
    """Ctrl-C after so many seconds, as a terminal sends it to who does not ignore it, unless the block was left."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    main = threading.main_thread().ident or 0
    timer = threading.Timer(seconds, lambda: signal.pthread_kill(main, signal.SIGINT))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)


@both
@every_scenario
def test_the_rules_are_kept(drive: LoadDriver, scenario: str) -> None:
    assert broken(drive, scenario) == []


@needs_loadgen
@pytest.mark.parametrize("scenario", ["single-stream", "multi-stream", "offline"])
def test_the_two_agree(scenario: str) -> None:
    """What they say over what the system saw itself, which a busy machine slows down whoever drives."""

    def ratio(drive: LoadDriver, seed: int) -> float:
        system, load = Slept(), replace(LOADS[scenario], seed=seed)
        said = figure(drive(system, load), load)
        return said / figure(Driven(system.took(), system.seconds, sum(len(asked[2]) for asked in system.asked)), load)

    builtin_ratio, loadgen_ratio = (np.median([ratio(drive, seed) for seed in range(3)]) for drive in DRIVERS.values())
    assert builtin_ratio == pytest.approx(1, abs=0.02)
    assert loadgen_ratio == pytest.approx(builtin_ratio, abs=0.02)


@both
def test_a_server_is_sent_what_theory_knows_the_waits_of(drive: LoadDriver) -> None:
    """M/D/1 at half its capacity waits load * service / 2 / (1 - load), however busy this machine: when the
    queries were due follows from their latencies, and the waits are worked out for a service that never changes."""

    class AtOnce(Slept):
        def answer(self, texts: Sequence[int]) -> None:
            self.asked.append((time.perf_counter(), time.perf_counter(), tuple(texts)))

    load, waits = Load("server", 4, 1.0, rate=1500, together=1), []
    for seed in range(2):
        system = AtOnce()
        taken = drive(system, replace(load, seed=seed)).milliseconds / 1000
        wait, due = 0.0, np.sort([ended for _, ended, _ in system.asked] - taken)
        for gap in np.diff(due):
            wait = max(0.0, wait + 0.5 / 1500 - gap)
            waits.append(wait)
    assert np.mean(waits) == pytest.approx(0.5 / 1500 / 2, rel=0.3)  # five standard errors of so many


def figure(driven: Driven, load: Load) -> float:
    share = SCENARIOS[load.scenario].percentile
    return percentile(driven.milliseconds, share / 100) if share else driven.texts / driven.seconds


def late(system: System, load: Load) -> Driven:
    """Dawdles before it sends a query."""

    class Dawdling:
        def answer(self, texts: Sequence[int]) -> None:
            time.sleep(0.003)
            system.answer(texts)

    return builtin.drive(Dawdling(), load)


def forgetful(system: System, load: Load) -> Driven:
    """Leaves out the slowest queries."""
    driven = builtin.drive(system, load)
    return replace(
        driven, milliseconds=driven.milliseconds[driven.milliseconds < np.quantile(driven.milliseconds, 0.9)]
    )


def generous(system: System, load: Load) -> Driven:
    """Counts a text too many."""
    driven = builtin.drive(system, load)
    return replace(driven, texts=driven.texts + 1)


def flattering(system: System, load: Load) -> Driven:
    """Reports what no clock saw."""
    driven = builtin.drive(system, load)
    return replace(driven, milliseconds=0.9 * driven.milliseconds)


def picky(system: System, load: Load) -> Driven:
    """Sends the short texts only."""
    return builtin.drive(system, replace(load, texts=load.texts // 2))


def impatient(system: System, load: Load) -> Driven:
    """Ends early."""
    return builtin.drive(system, replace(load, seconds=load.seconds / 10))


def considerate(system: System, load: Load) -> Driven:
    """Sends a server the next query when the last is answered, and counts from then: what waits is never seen."""
    return builtin.drive(system, replace(load, scenario="single-stream"))


def even(system: System, load: Load) -> Driven:
    """Sends a server queries at equal distances."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtin, "arrivals", lambda load: iter(np.arange(0, load.seconds, 1 / load.rate)))
        return builtin.drive(system, load)


@pytest.mark.parametrize(
    ("faulty", "scenario", "rule"),
    [
        (late, "single-stream", "the next query is sent when the one before is answered"),
        (late, "multi-stream", "the latency is from the question to its answer"),
        (late, "offline", "the latency is from the question to its answer"),
        (late, "server", "a query is taken up when it is due and the one before is answered"),
        (forgetful, "single-stream", "there is a latency for each query"),
        (forgetful, "server", "there is a latency for each query"),
        (generous, "offline", "texts are as many as were answered"),
        (generous, "multi-stream", "texts are as many as were answered"),
        (flattering, "single-stream", "the latency is from the question to its answer"),
        (picky, "single-stream", "every text is drawn as often as another"),
        (picky, "offline", "every text is sent as often as another"),
        (impatient, "single-stream", "queries are sent until the time is out"),
        (considerate, "server", "queries are due at random times of the rate"),
        (even, "server", "queries are due at random times of the rate"),
    ],
)
def test_a_fault_is_found(faulty: LoadDriver, scenario: str, rule: str) -> None:
    assert rule in broken(faulty, scenario)


@both
@every_scenario
def test_an_error_ends_it_and_is_raised(drive: LoadDriver, scenario: str) -> None:
    error = DeviceError("it broke off")
    start = time.perf_counter()
    with pytest.raises(DeviceError) as raised:
        drive(Breaks(error), replace(LOADS[scenario], seconds=LONG, patience=0.1))
    assert raised.value is error
    assert time.perf_counter() - start < SOON
    assert drive(Slept(), replace(LOADS[scenario], seconds=0.1, least=3)).texts >= 3  # and it can be used again


@both
@every_scenario
def test_an_interrupt_in_the_system_is_raised(drive: LoadDriver, scenario: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        drive(Breaks(KeyboardInterrupt()), replace(LOADS[scenario], seconds=LONG, patience=0.1))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@both
@every_scenario
def test_ctrl_c_ends_it(drive: LoadDriver, scenario: str) -> None:
    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt), ctrl_c(0.3):
        drive(Slept(), replace(LOADS[scenario], seconds=2 if scenario == "offline" else LONG, patience=2))
    assert time.perf_counter() - start < SOON


@both
def test_a_server_that_falls_behind_is_given_up(drive: LoadDriver) -> None:
    start = time.perf_counter()
    with pytest.raises(OverrunError, match="they come faster than they are answered"):
        drive(Stuck(), replace(LOADS["server"], seconds=LONG, patience=0.5))
    assert time.perf_counter() - start < SOON


@both
def test_what_waits_is_answered_together(drive: LoadDriver) -> None:
    system = Slept()
    driven = drive(system, replace(LOADS["server"], rate=600, together=4, seconds=0.3, patience=5))
    assert max(len(texts) for _, _, texts in system.asked) == 4
    assert driven.texts == len(driven.milliseconds) == sum(len(texts) for _, _, texts in system.asked)


@both
@every_scenario
def test_a_real_classifier_is_driven(drive: LoadDriver, scenario: str, classifier: TokenClassifier) -> None:
    class Real:
        def answer(self, texts: Sequence[int]) -> None:
            classifier.predict_batch([f"Ada met Grace in room {text}." for text in texts])

    driven = drive(Real(), Load(scenario, 5, 0.2, rate=50, least=3))
    assert driven.texts >= 3 and driven.seconds > 0 and (driven.milliseconds > 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scenario": "burst"}, "there is no scenario 'burst'"),
        ({"texts": 0}, "texts is 0, expected more than 0"),
        ({"seconds": float("nan")}, "seconds is nan, expected more than 0"),
        ({"least": 0}, "least is 0"),
        ({"scenario": "server", "rate": None}, "the rate of a server is None"),
        ({"scenario": "server", "rate": 0.0}, "the rate of a server is 0.0"),
    ],
)
@both
def test_a_load_that_cannot_be_is_refused(drive: LoadDriver, change: dict[str, object], message: str) -> None:
    with pytest.raises(UserInputError, match=message):
        drive(Slept(), replace(LOADS["single-stream"], **change))  # type: ignore[arg-type]


def test_a_driver_is_picked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick_driver("builtin") == ("builtin", DRIVERS["builtin"])
    assert pick_driver("auto")[0] == ("loadgen" if HAS_LOADGEN else "builtin")
    monkeypatch.setattr(drivers, "find_spec", lambda name: None)
    assert pick_driver("auto")[0] == "builtin"
    with pytest.raises(ProviderError, match="is not installed") as refused:
        pick_driver("loadgen")
    assert "edgener-runtime[bench]" in (refused.value.hint or "")
    with pytest.raises(UserInputError, match="there is no driver 'ab'"):
        pick_driver("ab")


def test_the_load_generator_s_log_is_compared_with_what_was_answered(tmp_path: Path) -> None:
    from edgener_runtime.commissioning.bench.drivers import loadgen

    sample = (
        '{{"name":"Sample","cat":"default","ph":"b","pid":1,"id":{0},"ts":{1}.000,"args":{{"sample_seq":{0},'
        '"query_seq":{0},"sample_idx":4,"issue_start_ns":0,"complete_ns":{2}}}}},\n'
    )
    trace = tmp_path / "trace.json"
    trace.write_text('{"traceEvents":[\n' + sample.format(0, 100, 5_000_000) + sample.format(1, 200, 3_000_000))
    driven = loadgen._read(trace, 2)
    assert driven.milliseconds.tolist() == [3.0, 5.0]  # in the order of their ends
    assert driven.seconds == pytest.approx(0.005)
    for file, answered in ((trace, 3), (tmp_path / "none", 2), (trace, 0)):
        with pytest.raises(DeviceError, match="load generator logged"):
            loadgen._read(file, answered)


@pytest.mark.parametrize("scenario", ["single-stream", "multi-stream", "offline"])
def test_the_estimate_is_near(scenario: str) -> None:
    load = replace(LOADS[scenario], expected=None, seconds=1.0)
    assert sized(Slept(), load).expected == pytest.approx(1 / 0.0039, rel=0.3)
    assert sized(Slept(), replace(load, expected=3.0)).expected == 3.0
