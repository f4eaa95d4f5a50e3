"""The process of a build ends if it waits for ever, and not if it only takes long."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from edgener_runtime.base.process import Ended
from edgener_runtime.commissioning.engines.failures import failure
from edgener_runtime.commissioning.engines.watchdog import CANCELLED
from edgener_runtime.errors import DeviceError

pytestmark = pytest.mark.timing

PATIENCE = 0.5
START = f"""
import json, threading, time
from edgener_runtime.commissioning.engines.watchdog import watch
def report(event): print(json.dumps(event), flush=True)
watch("TensorRT", report, lambda: {{awaited}}, {PATIENCE})
report({{{{"event": "started"}}}})
"""
WAITS_FOR_EVER = "threading.Event().wait()"
WORKS = f"""
until = time.monotonic() + {3 * PATIENCE}
while time.monotonic() < until: sum(range(20_000)); time.sleep(0.01)
"""


def run(code: str, awaited: bool = True) -> tuple[int, list[dict[str, str]]]:
    words = [sys.executable, "-c", START.format(awaited=awaited) + code]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, timeout=600, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_a_process_in_which_nothing_works_ends_with_an_error() -> None:
    code, events = run(WAITS_FOR_EVER)
    error = failure("TensorRT", Ended(code, ""), events)
    assert type(error) is DeviceError and "Free some memory" in str(error.hint)
    assert error.message == "TensorRT made no progress: its process did no work for 0.5 s"


def test_it_ends_though_nobody_reads_the_report() -> None:
    words = [sys.executable, "-c", START.format(awaited=True) + WAITS_FOR_EVER]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline()
        process.stdout.close()
        try:
            assert process.wait(timeout=600) == 0
        finally:
            process.kill()


def test_a_process_that_works_is_left_alone() -> None:
    assert run(WORKS) == (0, [{"event": "started"}])


@pytest.mark.parametrize("code", [WAITS_FOR_EVER, "while True: pass"])
def test_a_process_that_nobody_awaits_ends_though_no_step_comes(code: str) -> None:
    assert run(code, awaited=False) == (CANCELLED, [{"event": "started"}])


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be halted here")
def test_the_time_in_which_a_process_was_halted_does_not_count() -> None:
    words = [sys.executable, "-c", START.format(awaited=True) + WORKS]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        time.sleep(2 * PATIENCE)
        process.send_signal(signal.SIGCONT)
        assert process.stdout.read() == ""
    assert process.returncode == 0
