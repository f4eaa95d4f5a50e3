"""The plan of a benchmark: its targets, each with processes of its own, and the cases of each target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from edgener_runtime.backends.choose import pick_device
from edgener_runtime.backends.open import require_device
from edgener_runtime.backends.requirements import RunRequest
from edgener_runtime.bundle.manifest import Manifest, VariantEntry
from edgener_runtime.commissioning.bench.results.record import Case
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.errors import ProviderError, UserInputError
from edgener_runtime.inference.tuning import tuning_for

from .spec import Spec
from .workloads import WorkloadTexts

WORKER = "edgener_runtime.commissioning.bench.worker"


@dataclass(frozen=True)
class BenchTarget:
    """A variant on a device with a number of threads; `requested_threads` is None where tuning decides.

    `module` is the worker that runs it on `model`: a bundle, or what another worker loads, with `label_set` if need be.
    `why_not` is the reason why it cannot run here, and empty if it can.
    """

    variant: str
    device: str
    threads: int
    requested_threads: int | None
    precision: str
    sha256: str
    size_bytes: int
    model: str
    module: str = WORKER
    why_not: str = ""
    label_set: LabelSet | None = None

    def __str__(self) -> str:
        return f"{self.variant} on {self.device}, {self.threads} threads"


def targets_of(spec: Spec, manifest: Manifest) -> list[BenchTarget]:
    """The targets of a spec, including those that cannot run here. Raises UserInputError for unknown variants."""
    entries = [manifest.variant(name) for name in spec.variants] or manifest.variants
    threads: Sequence[int | None] = spec.threads or (None,)
    found = [_target(Path(spec.bundle), *each) for each in product(entries, spec.devices, threads)]
    return list({(target.variant, target.device, target.threads): target for target in found}.values())


def require_any(targets: Sequence[BenchTarget]) -> None:
    """Raises ProviderError with the reasons if nothing can run here."""
    if all(target.why_not for target in targets):
        why = "\n".join(dict.fromkeys(f"{target.variant}: {target.why_not}" for target in targets))
        raise ProviderError(f"no variant can run here\n{why}", "See what this machine has: edgener-runtime devices")


def cases_of(spec: Spec, target: BenchTarget, workloads: Sequence[WorkloadTexts]) -> Iterator[Case]:
    """The cases of a target: each scenario on each workload."""
    for scenario, workload in product(spec.scenarios, workloads):
        counts = spec.samples_per_query if scenario == "multi-stream" else (1,)
        bound = spec.bound_ms if scenario == "server" else None
        for count in counts:
            yield Case(target.variant, target.device, target.threads, scenario, workload.name, count, bound)


def _target(bundle: Path, entry: VariantEntry, asked: str, threads: int | None) -> BenchTarget:
    device, why_not = _device(bundle, entry, asked)
    known = device if not why_not else "cpu"  # a name for several devices has no tuning of its own
    tuning, _ = tuning_for(bundle, entry, threads, known)
    return BenchTarget(
        entry.name, device, tuning.threads, threads, entry.precision, entry.file.sha256, entry.file.size, str(bundle),
        why_not=why_not,
    )  # fmt: skip


def _device(bundle: Path, entry: VariantEntry, asked: str) -> tuple[str, str]:
    """The device that runs a variant where `asked` was requested, or why none can."""
    try:
        device, _ = pick_device(asked, RunRequest(bundle, (entry,)))
        require_device(bundle, entry, device)
    except ProviderError as error:
        return asked, error.message
    return device, ""


def require_distinct(workloads: Sequence[WorkloadTexts]) -> None:
    """Raises UserInputError if two workloads have the same name: their rows would be ambiguous."""
    names = [workload.name for workload in workloads]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserInputError(f"two workloads have the name {twice[0]!r}", "Give each length once, or rename the file.")
