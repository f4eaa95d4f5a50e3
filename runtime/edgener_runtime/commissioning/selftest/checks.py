"""THE table of checks: the name of each, what it proves, its requirements, and its function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import accuracy, basics, engines, power, speed
from .context import Outcome, SelftestContext


@dataclass(frozen=True)
class Check:
    """One check: it runs only if those in `requires` passed and, if it is `timed`, not on an emulated machine."""

    name: str
    proves: str
    run: Callable[[SelftestContext], Outcome]
    requires: tuple[str, ...] = ()
    timed: bool = False


CHECKS = (
    Check("machine", "the hardware and software of this machine", basics.probe_machine),
    Check("bundle", "every file is there and unchanged", basics.verify),
    Check("prepare", "the engine that the device needs exists", engines.prepare, ("bundle",)),
    Check("device", "the variant loads on the requested device", basics.load, ("bundle",)),
    Check("provider", "the provider is the requested one", basics.provider, ("device",)),
    Check("repeat", "the same texts get the same numbers again", accuracy.repeat, ("device",)),
    Check("golden", "golden vectors have the answers of the export", accuracy.golden, ("device", "repeat")),
    Check("speed", "latency and throughput", speed.latency, ("device",), timed=True),
    Check("memory", "memory of the process", speed.memory, ("device",), timed=True),
    Check("power", "power of the board while texts run", power.power, ("device",), timed=True),
    Check("corners", "every profile's smallest, most likely and largest shape runs", engines.corners, ("device",)),
    Check("reload", "the engine loads again without a build", engines.reload, ("device", "repeat")),
    Check("timings", "a second build uses the timing cache of the first", engines.timing_cache, ("device",)),
    Check("labels", "labels equal those of the reference on this CPU", accuracy.labels, ("device", "repeat")),
    Check("logits", "logits are close to those of the reference on this CPU", accuracy.logits, ("device", "repeat")),
    Check("against", "labels and logits agree with another machine's", accuracy.against, ("device", "repeat")),
)  # fmt: skip
