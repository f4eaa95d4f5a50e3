"""Which device a bundle runs on, and why: the one asked for or an error, or the first of several that is there."""

from __future__ import annotations

from edgener_runtime.errors import ProviderError
from edgener_runtime.machine.devices import DEVICES, Device, device_named

from .requirements import NEEDS, Lack, Wanted, lacks, next_command


def pick_device(name: str, wanted: Wanted | None = None) -> tuple[str, tuple[str, ...]]:
    """The device to run on, and the reasons; a name that stands for others becomes the first of them that is here.

    What one device needs is asked when a session is opened. Raises UserInputError for an unknown name, ProviderError
    where none of several is here, with what each lacks and the next command.
    """
    device = device_named(name)
    if not device.stands_for:
        return name, ("device as asked for",)
    require(device, wanted)
    passed_over: list[tuple[Device, Lack]] = []
    for candidate in (DEVICES[each] for each in device.stands_for):
        lack = NEEDS["variant"](candidate, wanted) or next(lacks(candidate, wanted), None)
        if lack is None:
            return candidate.name, _reasons(device, candidate, passed_over)
        passed_over.append((candidate, lack))
    last, lack = passed_over[-1]
    what = "; ".join(_passed(*each) for each in passed_over)
    raise ProviderError(f"{name} cannot run here: {what}", next_command(last, [lack]))


def require(device: Device, wanted: Wanted | None = None) -> None:
    """Raises ProviderError naming all that this machine lacks for a device, and what to type."""
    missing = list(lacks(device, wanted))
    if missing:
        what = "; ".join(lack.what for lack in missing)
        raise ProviderError(f"{device.name} cannot run here: {what}", next_command(device, missing))


def _reasons(asked: Device, taken: Device, passed_over: list[tuple[Device, Lack]]) -> tuple[str, ...]:
    first = f"device: {taken.name}, {taken.description}"
    if asked.name != "auto":
        first = f"device: {taken.name} for {asked.name}, {taken.description}"
    return first, *(_passed(*each) for each in passed_over)


def _passed(device: Device, lack: Lack) -> str:
    return f"{device.name} passed over: {lack.what}"
