"""The explanation of a loaded classifier: which variant runs on which device, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgener_runtime.backends.base import Tuning
from edgener_runtime.monitoring.drift import DriftReport
from edgener_runtime.monitoring.label_queue import QueueState


@dataclass(frozen=True)
class Explanation:
    """What a loaded classifier runs: variant, precision, provider, tuning, this CPU's ISA, and the reasons.

    `provider` is the one that the session reports, `library` the one that runs it, with its version. `proven_isas` are
    those on which the variant's parity was measured; INT8 answers depend on the ISA. `temperature` and `thresholds` are
    the bundle's score settings, `aggregation` is its default. `drift` and `label_queue` are there where the classifier
    monitors its texts.
    """

    bundle: str
    variant: str
    precision: str
    provider: str
    tuning: Tuning
    isa: str
    proven_isas: tuple[str, ...]
    library: str
    reasons: tuple[str, ...]
    temperature: float = 1.0
    thresholds: Mapping[str, float] = field(default_factory=dict)
    aggregation: str = "simple"
    drift: DriftReport | None = None
    label_queue: QueueState | None = None

    @property
    def onnxruntime(self) -> str:
        """The version of onnxruntime; empty where another library runs the variant."""
        name, _, version = self.library.partition(" ")
        return version if name == "onnxruntime" else ""

    def __str__(self) -> str:
        facts = {
            "bundle": self.bundle,
            "variant": f"{self.variant} ({self.precision})",
            "provider": f"{self.provider}, {self.library}",
            "threads": str(self.tuning),
            "isa": f"{self.isa}; parity was measured on {', '.join(self.proven_isas) or 'none'}",
        }
        if self.temperature != 1 or self.thresholds:
            minimum = ", ".join(f"{label} {score:g}" for label, score in self.thresholds.items())
            facts["scores"] = (
                f"at temperature {self.temperature:g}; aggregation {self.aggregation}; thresholds: {minimum or 'none'}"
            )
        facts |= {name: str(value) for name, value in (("drift", self.drift), ("queue", self.label_queue)) if value}
        lines = [f"{name:<10}{value}" for name, value in facts.items()]
        return "\n".join([*lines, *(f"{'why' if i == 0 else '':<10}{why}" for i, why in enumerate(self.reasons))])
