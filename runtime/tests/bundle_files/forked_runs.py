"""Runs of `edgener-runtime` in forks of a process that has loaded the libraries: python forked_runs.py

Reads a JSON list of arguments per line, and answers each with a JSON object: how the run ended, its output, its peak of
memory and its seconds. A run has at most SECONDS and MEMORY.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
import time

import numpy  # noqa: F401 - forks are to find it loaded
import tokenizers  # noqa: F401

from edgener_runtime.backends.onnxruntime.library import load_onnxruntime
from edgener_runtime.cli.main import main
from edgener_runtime.pipeline import TokenClassifier  # noqa: F401

SECONDS = 90
MEMORY = 3 << 30  # of address space


def run(arguments: list[str]) -> dict[str, object]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.monotonic()
        child = os.fork()
        if not child:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            os._exit(_run(arguments))
        killed = _end_after(child, start + SECONDS)
        _, status, usage = killed
        out.seek(0)
        err.seek(0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "out": out.read(2000).decode("utf-8", "replace"),
            "err": err.read(20_000).decode("utf-8", "replace"),
            "megabytes": usage.ru_maxrss // 1024,
            "seconds": time.monotonic() - start,
        }


def _run(arguments: list[str]) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        main(arguments)
    except SystemExit as ended:
        sys.stdout.flush()
        sys.stderr.flush()
        return int(ended.code or 0)
    return 99


def _end_after(child: int, deadline: float) -> tuple[int, int, resource.struct_rusage]:
    """Wait for a child, which is killed at the deadline."""
    while time.monotonic() < deadline:
        ended = os.wait4(child, os.WNOHANG)
        if ended[0]:
            return ended
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return os.wait4(child, 0)


if __name__ == "__main__":
    load_onnxruntime()
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)  # noqa: T201
