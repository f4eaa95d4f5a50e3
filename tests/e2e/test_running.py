"""The limit of the end-to-end tests: CPU time counts, waiting does not."""

from __future__ import annotations

import sys
import time

import pytest

from .running import run

BURN = "while True: pass"


@pytest.mark.parametrize(
    "words", [[sys.executable, "-c", BURN], ["bash", "-c", f"{sys.executable} -c '{BURN}'; exit $?"]]
)
def test_a_command_that_burns_cpu_time_is_ended(words: list[str]) -> None:
    with pytest.raises(AssertionError, match="killed after 1 s of CPU time"):
        run(words, cpu_seconds=1)


def test_a_command_that_waits_is_not() -> None:
    begun = time.monotonic()
    assert run(["sleep", "2"], cpu_seconds=1).returncode == 0
    assert time.monotonic() - begun > 1.9


def test_output_code_and_input_are_the_command_s_own() -> None:
    done = run([sys.executable, "-c", "print(input()); exit(7)"], stdin="text")
    assert (done.returncode, done.stdout) == (7, "text\n")
