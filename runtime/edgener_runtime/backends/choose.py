"""The device and the variant that run, and why: those requested or an error, or the first that can run here."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache

from edgener_runtime.bundle.manifest import Manifest, VariantEntry
from edgener_runtime.errors import ProviderError
from edgener_runtime.machine.devices import AUTO, DEVICES, Device, device_named
from edgener_runtime.machine.operators import missing_operators
from edgener_runtime.machine.requirements import Missing

from .requirements import RunRequest, missing_here, missing_variant, next_command

_log = logging.getLogger(__name__)


def pick_device(name: str, request: RunRequest | None = None) -> tuple[str, tuple[str, ...]]:
    """The device to run on, and the reasons; a name that stands for others becomes the first available of them.

    What a single device requires is checked when a session is opened. Raises UserInputError for an unknown name, and
    ProviderError where none of several is available, with what each is missing and the next command.
    """
    device = device_named(name)
    if not device.stands_for:
        return name, ("device as asked for",)
    require(device, request)
    passed_over: list[tuple[Device, Missing]] = []
    for candidate in (DEVICES[each] for each in device.stands_for):
        missing = missing_variant(candidate, request) or next(missing_here(candidate, request), None)
        if missing is None:
            return candidate.name, _reasons(device, candidate, passed_over)
        passed_over.append((candidate, missing))
    last, missing = passed_over[-1]
    what = "; ".join(_passed(*each) for each in passed_over)
    raise ProviderError(f"{name} cannot run here: {what}", next_command(last, [missing]))


def require(device: Device, request: RunRequest | None = None) -> None:
    """Raises ProviderError with everything that this machine does not have for a device, and the next command."""
    missing = list(missing_here(device, request))
    if missing:
        what = "; ".join(each.what for each in missing)
        raise ProviderError(f"{device.name} cannot run here: {what}", next_command(device, missing))


def _reasons(asked: Device, taken: Device, passed_over: list[tuple[Device, Missing]]) -> tuple[str, ...]:
    first = f"device: {taken.name}, {taken.description}"
    if asked.name != AUTO:
        first = f"device: {taken.name} for {asked.name}, {taken.description}"
    return first, *(_passed(*each) for each in passed_over)


def _passed(device: Device, missing: Missing) -> str:
    return f"{device.name} passed over: {missing.what}"


def choose_variant(
    manifest: Manifest, variant: str, device: str, reproducible: bool = False, engines: Sequence[str] = ()
) -> tuple[VariantEntry, tuple[str, ...]]:
    """The variant to run, and why; of several that run on the device, one of `engines` where there is one.

    Variants whose operators this machine does not have are passed over. Raises ProviderError where none runs here.
    """
    if variant != "auto":
        return manifest.variant(variant), ("variant as asked for",)
    runnable = [entry for entry in manifest.variants if DEVICES[device].provider in entry.requirements.providers]
    if not runnable:
        names = ", ".join(entry.name for entry in manifest.variants)
        raise ProviderError(
            f"no variant of bundle {manifest.name} runs on {device}; it has {names}", "Choose another device."
        )
    runnable, passed_over = _with_operators(runnable)
    runnable = [entry for entry in runnable if entry.name in engines] or runnable
    without_effect = [entry for entry in runnable if is_reproducible(entry)]
    if reproducible and without_effect:
        why = f"variant: the first in the manifest for {device} without a batch effect"
        return without_effect[0], (why, *passed_over)
    why = f"variant: the first in the manifest for {device}, where the fastest stands first"
    return runnable[0], (why, *passed_over)


def _with_operators(entries: Sequence[VariantEntry]) -> tuple[list[VariantEntry], list[str]]:
    """The variants whose operators this machine has, and why the others are passed over, which is logged once.

    Raises ProviderError where there is none.
    """
    runnable, passed_over = [], []
    for entry in entries:
        missing = missing_operators(entry.requirements.operators)
        if missing is None:
            runnable.append(entry)
            continue
        passed_over.append(f"{entry.name} passed over: {missing.what}")
        if not runnable:  # a variant behind the one that runs is not missed
            _warn_once(f"{passed_over[-1]}; {missing.fix}")
    if not runnable:
        raise ProviderError("; ".join(passed_over), missing.fix if missing else None)
    return runnable, passed_over


@cache
def _warn_once(message: str) -> None:
    _log.warning("%s", message)


def is_reproducible(entry: VariantEntry) -> bool:
    """Whether no entity changed with the batch when the variant was evaluated."""
    return entry.parity is not None and entry.parity.batch_effect == 0
