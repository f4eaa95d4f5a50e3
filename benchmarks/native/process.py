"""Workers as the command sees them: started with a job and waited for; where one fails, an error with what it said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgener_runtime.errors import DeviceError

from .worker import Job, as_json

ROOT = Path(__file__).resolve().parents[2]
_LAST = 2000  # characters


def measured(job: Job, first: Sequence[Path] = ()) -> dict[str, Any]:
    """What a worker found, with packages from the folders `first` before all others. Raises DeviceError."""
    path = os.pathsep.join([*map(str, (*first, ROOT)), *filter(None, [os.environ.get("PYTHONPATH")])])
    cores = len(os.sched_getaffinity(0))
    if cores < job.cores:
        raise DeviceError(f"there are {cores} cores, {job.task} needs {job.cores}", "Measure on a larger machine.")
    done = subprocess.run(
        [sys.executable, "-m", f"{__package__}.worker"], input=as_json(job), capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": path}, check=False,
    )  # fmt: skip
    if done.returncode:
        raise DeviceError(f"{job.task} on {job.cores} cores ended with {done.returncode}:\n{done.stderr[-_LAST:]}")
    found: dict[str, Any] = json.loads(done.stdout.rpartition("\n")[2])
    return found
