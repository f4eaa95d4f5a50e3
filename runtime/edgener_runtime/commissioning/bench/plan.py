"""From what is asked to the places that run it, each in processes of its own, and the cases that each place runs."""

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
from edgener_runtime.errors import ProviderError, UserInputError
from edgener_runtime.inference.tuning import tuning_for

from .spec import Spec
from .workloads import WorkTexts

WORKER = "edgener_runtime.commissioning.bench.worker"


@dataclass(frozen=True)
class Place:
    """A variant on a device with so many threads; `asked` are those that were asked for, None for as tuned.

    `module` is the worker that runs it on `model`: a bundle, or what another worker loads. `why_not` says why it
    cannot run here, and is empty where it can.
    """

    variant: str
    device: str
    threads: int
    asked: int | None
    precision: str
    sha256: str
    size_bytes: int
    model: str
    module: str = WORKER
    why_not: str = ""

    def __str__(self) -> str:
        return f"{self.variant} on {self.device}, {self.threads} threads"


def places_of(spec: Spec, manifest: Manifest) -> list[Place]:
    """Where each variant is asked to run, those that cannot among them. Raises UserInputError for unknown variants."""
    entries = [manifest.variant(name) for name in spec.variants] or manifest.variants
    asked: Sequence[int | None] = spec.threads or (None,)
    found = [_place(Path(spec.bundle), *each) for each in product(entries, spec.devices, asked)]
    return list({(place.variant, place.device, place.threads): place for place in found}.values())


def require_any(places: Sequence[Place]) -> None:
    """Raises ProviderError with the reasons where nothing can run here."""
    if all(place.why_not for place in places):
        why = "\n".join(dict.fromkeys(f"{place.variant}: {place.why_not}" for place in places))
        raise ProviderError(f"nothing of it can run here\n{why}", "See what this machine has: edgener-runtime devices")


def cases_of(spec: Spec, place: Place, works: Sequence[WorkTexts]) -> Iterator[Case]:
    """What a place is to run, each scenario on each work."""
    for scenario, work in product(spec.scenarios, works):
        counts = spec.samples_per_query if scenario == "multi-stream" else (1,)
        bound = spec.bound_ms if scenario == "server" else None
        for count in counts:
            yield Case(place.variant, place.device, place.threads, scenario, work.name, count, bound)


def _place(bundle: Path, entry: VariantEntry, asked: str, threads: int | None) -> Place:
    device, why_not = _device(bundle, entry, asked)
    known = device if not why_not else "cpu"  # a name that stands for several has no tuning of its own
    tuning, _ = tuning_for(bundle, entry, threads, known)
    return Place(
        entry.name, device, tuning.threads, threads, entry.precision, entry.file.sha256, entry.file.size, str(bundle),
        why_not=why_not,
    )  # fmt: skip


def _device(bundle: Path, entry: VariantEntry, asked: str) -> tuple[str, str]:
    """The device that a variant runs on where `asked` is, and why it cannot run there."""
    try:
        device, _ = pick_device(asked, RunRequest(bundle, (entry,)))
        require_device(bundle, entry, device)
    except ProviderError as error:
        return asked, error.message
    return device, ""


def require_distinct(works: Sequence[WorkTexts]) -> None:
    """Raises UserInputError where two works have one name: their rows could not be told apart."""
    names = [work.name for work in works]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserInputError(f"two works are called {twice[0]!r}", "Ask for each length once, or rename the file.")
