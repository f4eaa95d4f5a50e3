"""How many threads PyTorch gets on the CPU, and how idle ones wait: by what other processes leave.

Threads that share their cores with other processes make a run slower, not faster. Beside three busy processes on two
cores, an epoch took 22.6 s with PyTorch's defaults, 14.4 s with one thread, and 15.5 s where idle threads sleep.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

import click

from edgener_runtime.errors import UserInputError
from edgener_runtime.machine.cpu import usable_cores

SECONDS = 0.2  # over which the load is measured


@dataclass(frozen=True)
class Threads:
    """So many of the cores there are; `passive` threads sleep while they wait, others spin."""

    count: int
    cores: int
    passive: bool


def choose_threads(idle: float, cores: int) -> Threads:
    """As many threads as cores are idle, at least one and at most those that this process may use."""
    count = max(1, min(cores, round(idle)))
    return Threads(count, cores, passive=count < cores)


def idle_cores() -> float:
    """How many cores no process used over a moment."""
    import psutil

    return float((psutil.cpu_count() or 1) * (1 - psutil.cpu_percent(SECONDS) / 100))


def decide_threads(asked: int | None) -> int | None:
    """The threads asked for, else what the load leaves; None where OMP_NUM_THREADS decides or no other process runs.

    To be called before PyTorch is loaded. What was chosen by the load is reported on stderr. Raises UserInputError
    where more threads are asked for than there are cores.
    """
    if asked is not None and asked > (cores := usable_cores()):
        raise UserInputError(
            f"threads is {asked}, and this process may use {cores} cores", f"Choose at most {cores}, or leave it out."
        )
    if asked is not None or "OMP_NUM_THREADS" in os.environ:
        return asked
    chosen = choose_threads(idle_cores(), usable_cores())
    if chosen.passive and "torch" not in sys.modules:  # OpenMP reads it once, when it is loaded
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    reason = ": other processes use the rest" if chosen.passive else ""
    click.echo(f"threads: {chosen.count} of {chosen.cores} cores{reason}", err=True)
    return chosen.count if chosen.passive else None


def limit_pytorch(threads: int | None) -> int:
    """Give PyTorch that many threads; None leaves what it has. Returns what it has then."""
    import torch

    if threads:
        torch.set_num_threads(threads)
    return int(torch.get_num_threads())
