"""The device that a bundle runs on, and why: the requested one or an error, or the first available of several."""

from __future__ import annotations

from edgener_runtime.errors import ProviderError
from edgener_runtime.machine.devices import AUTO, DEVICES, Device, device_named
from edgener_runtime.machine.requirements import Missing

from .requirements import RunRequest, missing_here, missing_variant, next_command


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
