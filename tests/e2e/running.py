"""Commands in processes of their own, limited in CPU time: a busy machine makes none of them fail."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

BIN = Path(sys.executable).parent
CPU_SECONDS = 900  # of a process: the longest takes about 60
WALL_SECONDS = 3600  # only for a process that waits for ever
WITH_LIMIT = 'ulimit -t "$0"; exec "$@"'


def run(
    words: Sequence[object],
    cwd: Path | None = None,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
    cpu_seconds: int = CPU_SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run a command with the tools of this environment on its PATH; AssertionError where it uses up its CPU time."""
    command = ["bash", "-c", WITH_LIMIT, str(cpu_seconds), *map(str, words)]
    settings = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"} if environment is None else environment
    done = subprocess.run(
        command, cwd=cwd, env=settings, input=stdin, capture_output=True, text=True, timeout=WALL_SECONDS, check=False
    )
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL, 128 + signal.SIGXCPU, 128 + signal.SIGKILL):
        raise AssertionError(f"killed after {cpu_seconds} s of CPU time: {shlex.join(map(str, words))}\n{done.stderr}")
    return done
