"""The check of the board's power while texts run; not read on a Jetson yet, only from synthetic files."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import mean

from edgener_runtime.machine.probe.power import read_watts

from .context import Outcome, SelftestContext, skip
from .speed import until

_BETWEEN_READINGS = 0.1  # seconds; the sensors average over a few milliseconds


def power(context: SelftestContext, root: Path = Path("/")) -> Outcome:
    """Read the board's power monitors while texts run, one after the other. `root` contains /sys."""
    if read_watts(root) is None:
        return skip("not measurable here: no power monitors of a Jetson were found")
    watts: list[float] = []
    read = 0.0
    for text in until(context.request.seconds, context.texts):
        context.classifier.predict(text)
        if time.perf_counter() - read >= _BETWEEN_READINGS:
            watts += [found for found in [read_watts(root)] if found is not None]
            read = time.perf_counter()
    return Outcome(
        f"{mean(watts):.1f} W on average, {max(watts):.1f} W at most, in {len(watts)} readings",
        {"mean_watts": mean(watts), "most_watts": max(watts)},
    )
