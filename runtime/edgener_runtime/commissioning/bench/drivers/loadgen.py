"""The driver that uses MLPerf's own load generator, and reads the latencies that it measured with its own clock."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Protocol

from edgener_runtime.errors import DeviceError

from .batcher import Batcher, Ticket
from .load import Driven, Load, System
from .scenarios import SCENARIOS
from .schedule import checked, most_waiting, offline_count, sized

_FASTEST_NS = 20_000  # the duration of sending a query; no answer is faster
_FASTER = 8  # times the estimated speed before queries run out and the round ends early

# A sample's start in microseconds of the trace, with its query and its latency. The whole trace is not valid JSON.
_SAMPLE = re.compile(rb'\{"name":"Sample",[^{}]*"ph":"b",[^{}]*"ts":([\d.]+),"args":\{([^{}]*)\}\}')
_ARGUMENTS = re.compile(rb'"(query_seq|complete_ns)":(\d+)')


def drive(system: System, load: Load) -> Driven:
    """Send a load to a system. Raises what the system raises, OverrunError, UserInputError for an invalid load, and
    DeviceError if the load generator logs other queries than were answered."""
    load = sized(system, checked(load))
    import mlperf_loadgen

    with tempfile.TemporaryDirectory(prefix="edgener-loadgen-") as folder:
        answering = _ANSWERING[load.scenario](mlperf_loadgen, system, load)
        try:
            _run(mlperf_loadgen, answering, load, folder)
        finally:
            answering.close()
        if answering.failure:
            raise answering.failure
        return _read(Path(folder) / "mlperf_log_trace.json", answering.answered)


class _Answering(Protocol):
    """The callbacks of the load generator. They must not raise: C++ code would be in the way of the exception."""

    answered: int

    @property
    def failure(self) -> BaseException | None:
        """The first failure."""

    def issue(self, ids: list[int], texts: list[int]) -> None:
        """Take a query."""

    def flush(self) -> None:
        """No more queries follow."""

    def fail(self, failure: BaseException) -> None:
        """Answer nothing from now on, so that the test ends soon."""

    def close(self) -> None:
        """Free all resources."""


class _AtOnce:
    """Answers a query in the thread that sends it."""

    def __init__(self, loadgen: Any, system: System, load: Load) -> None:
        self.answered = 0
        self.failure: BaseException | None = None
        self._loadgen, self._system = loadgen, system

    def issue(self, ids: list[int], texts: list[int]) -> None:
        done = [self._loadgen.QuerySampleResponse(each, 0, 0) for each in ids]
        if not self.failure:
            try:
                self._system.answer(texts)
            except BaseException as error:  # noqa: BLE001 - raised when the test has ended
                self.failure = error
        self.answered += len(done)
        self._loadgen.QuerySamplesComplete(done)

    def flush(self) -> None:
        """Nothing waits."""

    def fail(self, failure: BaseException) -> None:
        self.failure = self.failure or failure

    def close(self) -> None:
        """Nothing to free."""


class _AsTheyCome:
    """Queues queries, and answers those that wait together."""

    def __init__(self, loadgen: Any, system: System, load: Load) -> None:
        self.answered = 0
        self._loadgen = loadgen
        self._batcher = Batcher(system, load.together, most_waiting(load), self._report)
        self.fail, self.flush, self.close = self._batcher.fail, self._batcher.release, self._batcher.close

    @property
    def failure(self) -> BaseException | None:
        return self._batcher.failure

    def issue(self, ids: list[int], texts: list[int]) -> None:
        for each, text in zip(ids, texts, strict=True):
            self._batcher.put(Ticket(text, each))

    def _report(self, batch: Sequence[Ticket]) -> None:
        self.answered += len(batch)
        self._loadgen.QuerySamplesComplete([self._loadgen.QuerySampleResponse(each.sender, 0, 0) for each in batch])


_ANSWERING: dict[str, Callable[[Any, System, Load], _Answering]] = {
    "single-stream": _AtOnce,
    "multi-stream": _AtOnce,
    "offline": _AtOnce,
    "server": _AsTheyCome,
}


def _run(loadgen: Any, answering: _Answering, load: Load, folder: str) -> None:
    """Run a test in a thread of its own: Ctrl-C reaches this one, which can wait for the test to end."""
    system = loadgen.ConstructFastSUT(answering.issue, answering.flush)
    texts = loadgen.ConstructQSL(load.texts, load.texts, lambda _: None, lambda _: None)
    logs = loadgen.LogSettings()
    logs.log_output.outdir = folder
    logs.enable_trace = True
    audit = str(Path(folder) / "none")  # else it reads settings from a file in the working folder
    with ThreadPoolExecutor(1, "edgener-bench-loadgen") as thread:
        test = thread.submit(loadgen.StartTestWithLogSettings, system, texts, _settings(loadgen, load), logs, audit)
        try:
            test.result()
        except BaseException as error:
            answering.fail(error)
            wait([test])  # not join: if Ctrl-C interrupts one, Python treats the thread as ended
            raise
    loadgen.DestroyFastSUT(system)
    loadgen.DestroyQSL(texts)


def _settings(loadgen: Any, load: Load) -> Any:
    settings = loadgen.TestSettings()
    common: dict[str, Any] = {
        "scenario": getattr(loadgen.TestScenario, SCENARIOS[load.scenario].mlperf),
        "mode": loadgen.TestMode.PerformanceOnly,
        "min_duration_ms": round(1000 * load.seconds),
        "min_query_count": load.least,
        "qsl_rng_seed": load.seed,
        "sample_index_rng_seed": load.seed,
        "schedule_rng_seed": load.seed + 1,
    }
    for name, value in (common | _OWN_SETTINGS[load.scenario](load)).items():
        setattr(settings, name, value)
    return settings


_OWN_SETTINGS: dict[str, Callable[[Load], dict[str, Any]]] = {
    "single-stream": lambda load: {"single_stream_expected_latency_ns": _expected_ns(load, 1)},
    "multi-stream": lambda load: {
        "multi_stream_expected_latency_ns": _expected_ns(load, load.samples_per_query),
        "multi_stream_samples_per_query": load.samples_per_query,
    },
    "offline": lambda load: {"min_duration_ms": 0, "min_query_count": offline_count(load)},
    "server": lambda load: {"server_target_qps": load.rate, "server_max_async_queries": most_waiting(load)},
}


def _expected_ns(load: Load, texts: int) -> int:
    """A query's latency, from which the load generator decides how many queries to prepare."""
    return max(_FASTEST_NS, round(1e9 * texts / ((load.expected or 1.0) * _FASTER)))


def _read(trace: Path, answered: int) -> Driven:
    """The latencies in a trace; all samples of a query end together."""
    import numpy as np

    samples = [(float(start), dict(_ARGUMENTS.findall(rest))) for start, rest in _SAMPLE.findall(_content(trace))]
    if len(samples) != answered or not answered:
        raise DeviceError(
            f"MLPerf's load generator logged {len(samples)} texts, {answered} were answered",
            "Free some space for temporary files, or use the built-in driver: --driver builtin",
        )
    numbers = np.array([int(rest[b"query_seq"]) for _, rest in samples])
    _, first = np.unique(numbers, return_index=True)
    due = np.array([start for start, _ in samples])[first] / 1000
    taken = np.array([int(rest[b"complete_ns"]) for _, rest in samples])[first] / 1e6
    ends = due + taken
    return Driven(taken[np.argsort(ends, kind="stable")], float(ends.max() - due.min()) / 1000, answered)


def _content(trace: Path) -> bytes:
    """A file, or nothing without one: the load generator runs without its logs if it cannot write them."""
    return trace.read_bytes() if trace.is_file() else b""
