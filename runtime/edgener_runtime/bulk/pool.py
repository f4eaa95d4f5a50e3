"""Worker processes: each tags chunks; one that dies is replaced, and its chunk repeated once, then set aside."""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from edgener_runtime import errors
from edgener_runtime.base.process import ChildProcess, Ended, Event, python_command
from edgener_runtime.base.serde import from_json, to_dict
from edgener_runtime.errors import DeviceError, EdgenerError

from .spec import Chunk, TaggedChunk, TagSpec
from .worker import FAILED, READY, TAGGED

COMMAND = python_command("edgener_runtime.bulk.worker")
_ATTEMPTS = 2  # of a chunk, or of a start
Check = Callable[[Mapping[str, str]], None]
"""Is called with what each worker runs, and raises where that is not what the others run."""


class WorkerDiedError(Exception):
    """A worker that ended by itself, and how."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(
            f"ended with code {ended.code}: {ended.stderr.splitlines()[-1] if ended.stderr else 'no output'}"
        )


class WorkerProcess:
    """A worker, which `load` lets load the bundle before it can tag chunks."""

    def __init__(self, spec: TagSpec, command: Sequence[str]) -> None:
        self._spec = spec
        self._child = ChildProcess(command, 0, _environment(spec))
        self._events = self._child.events()

    def load(self, check: Check) -> None:
        """Load the bundle. Raises WorkerDiedError, the error with which it could not, or that of `check`."""
        self._child.give(json.dumps(to_dict(self._spec)))
        check(self._next(READY)["engine"])

    def tag(self, chunk: Chunk) -> TaggedChunk:
        """Tag a chunk. Raises WorkerDiedError, and the error of the job where no chunk can be tagged."""
        self._child.give(json.dumps(to_dict(chunk)))
        return from_json(TaggedChunk, json.dumps(self._next(TAGGED)["chunk"]), "a worker's answer")

    def _next(self, kind: str) -> Event:
        event = next(self._events, None)
        if event is None:
            raise WorkerDiedError(self._child.ended())
        if event["event"] == FAILED:
            raise getattr(errors, event["kind"], EdgenerError)(event["message"], event["hint"])
        if event["event"] != kind:
            raise EdgenerError(f"a worker answered {event['event']!r}, expected {kind!r}")
        return event

    def kill(self) -> None:
        """End it at once, also from another thread: what it does is of no use any more."""
        self._child.kill()

    def close(self) -> None:
        """End it, and free what it has here."""
        self._child.kill()
        self._child.__exit__(None)


def _environment(spec: TagSpec) -> dict[str, str]:
    """Tokenising with as many threads as the model has."""
    return {**os.environ, "RAYON_NUM_THREADS": str(spec.threads or 0), "TOKENIZERS_PARALLELISM": "true"}


class WorkerPool:
    """Workers that tag chunks side by side; a context manager that ends them.

    `restarts` is how many were replaced. `log` gets a sentence for each, and `check` what each worker runs.
    """

    def __init__(
        self, spec: TagSpec, workers: int, check: Check, log: Callable[[str], None], command: Sequence[str] = COMMAND
    ) -> None:
        self.restarts = 0
        self._spec, self._command, self._check, self._log = spec, command, check, log
        self._most = 2 * workers  # chunks that wait or run
        self._chunks: queue.SimpleQueue[Chunk | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[TaggedChunk | BaseException] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._processes: list[WorkerProcess | None] = [None] * workers
        self._closed = False
        self._threads = [threading.Thread(target=self._work, args=(slot,), daemon=True) for slot in range(workers)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *exception: object) -> None:
        """Kill the workers, and wait for the threads, which then start no others."""
        with self._lock:
            self._closed = True
            for process in self._processes:
                if process:
                    process.kill()
        for _ in self._threads:
            self._chunks.put(None)
        for thread in self._threads:
            thread.join()
        for process in filter(None, self._processes):
            process.close()

    def tag(self, chunks: Iterable[Chunk]) -> Iterator[TaggedChunk]:
        """Tag chunks, as each is done; at most two per worker are taken ahead. Raises the error of the job."""
        under_way = 0
        for chunk in chunks:
            self._chunks.put(chunk)
            under_way += 1
            if under_way == self._most:
                yield self._result()
                under_way -= 1
        for _ in range(under_way):
            yield self._result()

    def _result(self) -> TaggedChunk:
        found = self._results.get()
        if isinstance(found, BaseException):
            raise found
        return found

    def _work(self, slot: int) -> None:
        while (chunk := self._chunks.get()) is not None and not self._closed:
            try:
                self._results.put(self._tag(slot, chunk))
            except Exception as error:  # noqa: BLE001 - raised in the thread that waits for results
                self._results.put(error)

    def _tag(self, slot: int, chunk: Chunk) -> TaggedChunk:
        span = chunk.span
        rows = f"rows {span.row:,} to {span.row + span.rows - 1:,} of {chunk.source}"
        for attempt in range(_ATTEMPTS + 1):
            spared = attempt == _ATTEMPTS
            try:
                return self._process(slot).tag(replace(chunk, model=False) if spared else chunk)
            except WorkerDiedError as death:
                if self._closed:  # it was killed
                    raise
                self._discard(slot)
                if spared:
                    raise DeviceError(f"three workers died at {rows}: the last {death}") from None
                then = "they are set aside" if attempt + 1 == _ATTEMPTS else "they are repeated"
                self._log(f"a worker at {rows} {death}; {then}")
        raise AssertionError

    def _process(self, slot: int) -> WorkerProcess:
        """The slot's worker, started where there is none."""
        if process := self._processes[slot]:
            return process
        for _ in range(_ATTEMPTS):
            process = self._start(slot)
            try:
                process.load(self._check)
            except WorkerDiedError as death:
                last = death
                self._discard(slot)
            else:
                return process
        raise DeviceError(f"a worker {last} before it had loaded the bundle", "Try: edgener-runtime selftest")

    def _start(self, slot: int) -> WorkerProcess:
        with self._lock:
            if self._closed:
                raise EdgenerError("the workers were ended")
            process = self._processes[slot] = WorkerProcess(self._spec, self._command)
        return process

    def _discard(self, slot: int) -> None:
        with self._lock:
            process, self._processes[slot] = self._processes[slot], None
            self.restarts += 1
        if process:
            process.close()


def engine_check(expected: dict[str, Any]) -> Check:
    """A check that every worker runs what `expected` says, which the first worker fills where it is empty."""
    lock = threading.Lock()

    def check(found: Mapping[str, str]) -> None:
        with lock:
            expected.update({} if expected else found)
        if different := [name for name in found if found[name] != expected.get(name)]:
            name = different[0]
            raise errors.UserInputError(
                f"this worker has the {name} {found[name]}, and the first one had {expected.get(name)}; "
                "their answers may differ",
                "Resume where the job began, or begin again: --overwrite",
            )

    return check
