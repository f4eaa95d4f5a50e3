"""What this process holds of the system, by Linux's /proc."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

_PROCESS = Path("/proc/self")
SETTLED = 0.5  # seconds without a change: Linux still lists a thread for a moment after it was joined


@dataclass(frozen=True)
class State:
    """Bytes of resident memory, threads and open file descriptors."""

    rss: int
    threads: int
    files: int


def settled() -> State:
    """As it is once threads and files have not changed for half a second; for use after a close."""
    last, since = state(), time.monotonic()
    while time.monotonic() < since + SETTLED:
        time.sleep(0.02)
        now = state()
        if (now.threads, now.files) != (last.threads, last.files):
            since = time.monotonic()
        last = now
    return last


def state() -> State:
    """As it is now."""
    lines = dict(line.split(":", 1) for line in (_PROCESS / "status").read_text().splitlines() if ":" in line)
    files = len(list((_PROCESS / "fd").iterdir())) - 1  # the folder itself is open while it is read
    return State(int(lines["VmRSS"].split()[0]) * 1024, int(lines["Threads"]), files)
