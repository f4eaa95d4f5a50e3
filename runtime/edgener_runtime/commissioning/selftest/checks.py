"""THE table of checks: what each is called, what it proves, what it needs, and the function that makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import accuracy, basics, engines, power, speed
from .context import Bench, Outcome


@dataclass(frozen=True)
class Check:
    """One check: not made unless those in `needs` passed, nor, where it is `timed`, on an emulated machine."""

    name: str
    proves: str
    run: Callable[[Bench], Outcome]
    needs: tuple[str, ...] = ()
    timed: bool = False


CHECKS = (
    Check("machine", "what this machine is and has", basics.probe_machine),
    Check("bundle", "every file is there and unchanged", basics.verify),
    Check("prepare", "the engine that the device needs is there", engines.prepare, ("bundle",)),
    Check("device", "the variant loads where it was asked to run", basics.load, ("bundle",)),
    Check("provider", "what runs is what was asked for", basics.provider, ("device",)),
    Check("repeat", "the same texts get the same numbers again", accuracy.repeat, ("device",)),
    Check("speed", "how fast it answers", speed.latency, ("device",), timed=True),
    Check("memory", "how much memory the process holds", speed.memory, ("device",), timed=True),
    Check("power", "how much power the board draws meanwhile", power.power, ("device",), timed=True),
    Check("corners", "every profile's smallest, likeliest and largest shape runs", engines.corners, ("device",)),
    Check("reload", "the engine loads again without a build", engines.reload, ("device", "repeat")),
    Check("timings", "a second build takes up the timings of the first", engines.timing_cache, ("device",)),
    Check("labels", "labels are those of the reference on this CPU", accuracy.labels, ("device", "repeat")),
    Check("logits", "logits are near those of the reference on this CPU", accuracy.logits, ("device", "repeat")),
    Check("against", "labels and logits are those of another machine", accuracy.against, ("device", "repeat")),
)  # fmt: skip
