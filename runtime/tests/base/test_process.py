"""A child process may end in any way; the parent reports how, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.base.process import ChildProcess, python_command, run_process
from edgener_runtime.errors import DeviceError

pytestmark = pytest.mark.compat


def python(code: str) -> list[str]:
    return [sys.executable, "-c", f"import json, os, signal, sys, time\n{code}"]


def ended(code: str) -> tuple[int, str, list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []
    done = run_process(python(code), '{"job": 1}', events.append)
    return done.code, done.stderr, events


ECHO = "print(sys.stdin.readline(), end='', flush=True)\n"


def test_a_job_is_given_and_events_come_back() -> None:
    assert ended(ECHO + "print('native noise', file=sys.stderr)") == (0, "native noise", [{"job": 1}])


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_crash_is_reported_by_its_signal(number: signal.Signals) -> None:
    assert ended(ECHO + f"os.kill(os.getpid(), {int(number)})") == (-number, "", [{"job": 1}])


def test_a_process_that_dies_before_its_job_is_reported_too() -> None:
    assert ended("os._exit(3)")[0] == 3


def test_a_program_that_is_not_there_is_reported() -> None:
    with pytest.raises(DeviceError, match=r"cannot start /no/such/program: No such file"):
        run_process(["/no/such/program"], "{}", lambda event: None)


def test_half_a_line_is_not_an_event() -> None:
    assert ended("print('{\"event\"', end='', flush=True); os._exit(9)")[::2] == (9, [])


@pytest.mark.parametrize(
    "manners", ["sys.stdin.read()", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile 1: time.sleep(1)"]
)
def test_what_is_raised_meanwhile_ends_the_process_with_or_without_its_consent(manners: str) -> None:
    seen: list[int] = []

    def interrupt(event: dict[str, Any]) -> None:
        seen.append(event["pid"])
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_process(
            python(f"print(json.dumps({{'pid': os.getpid()}}), flush=True)\n{manners}"), "{}", interrupt, grace=1
        )
    assert time.monotonic() - start < 30
    with pytest.raises(ProcessLookupError):
        os.kill(seen[0], 0)


def test_a_process_that_goes_on_talking_is_read_while_it_ends(tmp_path: Path) -> None:
    code = "print('{}', flush=True)\nsys.stdin.read()\nprint('x' * 1_000_000)\nopen(sys.argv[1], 'w')"

    def interrupt(event: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_process([*python(code), str(tmp_path / "ended")], "{}", interrupt)
    assert (tmp_path / "ended").is_file()


def test_the_environment_is_as_given() -> None:
    events: list[dict[str, Any]] = []
    code = python("print(json.dumps({'said': os.environ['SAID']}), flush=True)")
    run_process(code, "{}", events.append, environment={**os.environ, "SAID": "so"})
    assert events == [{"said": "so"}]


def test_noise_on_stdout_is_not_an_event() -> None:
    code = (
        "from edgener_runtime.base.process import events\n"
        "report = events()\nos.system('echo noise')\nreport({'event': 'x'})"
    )
    assert ended(code) == (0, "noise", [{"event": "x"}])


def test_a_module_is_run_from_where_it_is_installed_and_not_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a file of this folder was run')")
    monkeypatch.chdir(tmp_path)
    done = run_process(python_command("edgener_runtime.cli.console"), "{}", lambda event: None)
    assert "cannot import name 'main'" in done.stderr


def test_a_child_that_was_asked_to_stop_takes_no_job() -> None:
    with ChildProcess(python("sys.stdin.read()"), 5.0) as child:
        child._process.stdin.close()  # type: ignore[union-attr] # as its end does
        child._process.stdin = None
        with pytest.raises(ValueError, match="asked to stop"):
            child.give("{}")
        child.kill()
