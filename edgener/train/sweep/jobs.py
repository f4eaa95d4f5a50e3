"""Jobs in an Optuna study that several processes share: each is done once, also where processes are killed.

A job is a trial with a name. Its settings depend on its name and on the results of earlier jobs, not on the process or
the number of its trial, so a job that was interrupted is repeated with the settings that it had.
"""

from __future__ import annotations

import contextlib
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .study import JOB, job_of

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

BEAT_SECONDS = 30.0  # a running trial says so often that its process lives
SILENCE_SECONDS = 150.0  # after which a trial on another machine is given up
_POLL_SECONDS = 1.0
_CLOCK_SECONDS = 5.0  # by which the start of one process may seem to move when the clock is set
_PROCESS, _BEAT = "process", "beat"


@dataclass
class SharedJobs:
    """Jobs by name, each with the settings that it is given (the sampler chooses others), and the work of a trial.

    `waits` receives the number of jobs that other processes do while there is nothing else to do.
    """

    study: Study
    jobs: Mapping[str, Mapping[str, Any]]
    work: Callable[[Trial], float]
    waits: Callable[[int], None] = lambda count: None
    _beats: dict[int, tuple[Any, float]] = field(default_factory=dict)

    def run(self) -> dict[str, FrozenTrial]:
        """Do what no process has done, wait for what others do, and return the finished trial of each job."""
        waiting = 0
        while unfinished := self._unfinished():
            free = next((job for job, trials in unfinished.items() if not any(map(_is_running, trials))), None)
            if free is not None:
                self._run_next(free, is_queued=bool(unfinished[free]))
                continue
            if waiting != len(unfinished):
                self.waits(waiting := len(unfinished))
            time.sleep(_POLL_SECONDS)
        done = self._finished()
        return {job: done[job] for job in self.jobs}

    def _unfinished(self) -> dict[str, list[FrozenTrial]]:
        """The jobs that are not finished, in order, each with its queued and running trials."""
        trials = [trial for trial in self._trials("WAITING", "RUNNING") if not self._is_failed_now(trial)]
        done = self._finished()
        return {job: [trial for trial in trials if job_of(trial) == job] for job in self.jobs if job not in done}

    def _finished(self) -> dict[str, FrozenTrial]:
        return {job_of(trial): trial for trial in reversed(self._trials("COMPLETE", "PRUNED"))}

    def _trials(self, *states: str) -> list[FrozenTrial]:
        return [trial for trial in self.study.get_trials(deepcopy=False) if trial.state.name in states]

    def _run_next(self, job: str, is_queued: bool) -> None:
        """Run the next trial of the queue, which is that of `job` unless another process was quicker."""
        from optuna import TrialPruned
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        if not is_queued:
            self.study.enqueue_trial(dict(self.jobs[job]), user_attrs={JOB: job})
        trial = self.study.ask()
        value, state = None, TrialState.FAIL
        try:
            if not self._is_double(trial):
                with _beating(trial):
                    value, state = self.work(trial), TrialState.COMPLETE
        except TrialPruned:
            state = TrialState.PRUNED
        except UpdateFinishedTrialError:
            pass  # another process has given this trial up, as it was silent for too long
        finally:
            self.study.tell(trial, value, state=state, skip_if_finished=True)

    def _is_double(self, trial: Trial) -> bool:
        """Whether another process queued the same job a moment earlier."""
        job = trial.user_attrs.get(JOB)
        others = self._trials("WAITING", "RUNNING", "COMPLETE", "PRUNED")
        return job is None or any(other.number < trial.number and job_of(other) == job for other in others)

    def _is_failed_now(self, trial: FrozenTrial) -> bool:
        """Mark a running trial whose process is gone as failed; whether it was one."""
        from optuna.trial import TrialState

        if not _is_running(trial) or not self._is_dead(trial):
            return False
        self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        return True

    def _is_dead(self, trial: FrozenTrial) -> bool:
        """Whether its process is gone from this machine, or silent for long; the clocks of machines may differ."""
        process, beat, now = trial.user_attrs.get(_PROCESS), trial.user_attrs.get(_BEAT), time.monotonic()
        if process and process[0] == _machine():
            return not _is_same_process(*process[1:])
        last, since = self._beats.setdefault(trial.number, (beat, now))
        if last != beat:
            self._beats[trial.number] = (beat, now)
            return False
        return now - since > SILENCE_SECONDS


def _is_running(trial: FrozenTrial) -> bool:
    return bool(trial.state.name == "RUNNING")


@contextlib.contextmanager
def _beating(trial: Trial) -> Iterator[None]:
    """Note the process of a trial, and that it lives."""
    trial.set_user_attr(_PROCESS, [_machine(), os.getpid(), _started(os.getpid())])
    ended = threading.Event()

    def beat() -> None:
        number = 0
        with contextlib.suppress(Exception):  # a database that is away: the trial itself meets that, too
            while not ended.wait(BEAT_SECONDS):
                trial.set_user_attr(_BEAT, number := number + 1)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _machine() -> str:
    """The machine's name and its space of process numbers, of which a container has its own."""
    try:
        return f"{platform.node()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return platform.node()


def _is_same_process(pid: int, started: float | None) -> bool:
    now = _started(pid)
    return now is not None and started is not None and abs(now - started) < _CLOCK_SECONDS


def _started(pid: int) -> float | None:
    """When a process started, in seconds of the clock, or None where there is none."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None
