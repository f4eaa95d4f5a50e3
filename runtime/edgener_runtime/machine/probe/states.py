"""The state of each device on a machine: whether it is ready, what is missing, and the next command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgener_runtime.machine.devices import DEVICES, Device, hardware_devices
from edgener_runtime.machine.requirements import Missing, missing_requirements

from .facts import FileFacts
from .install import INSTALLERS


@dataclass(frozen=True)
class DeviceState:
    """A device: whether it is ready, what is missing, the next command, and whether we ever ran on such a device."""

    name: str
    ready: bool
    missing: tuple[str, ...]
    install: str | None
    proven: bool


def device_states(facts: FileFacts) -> tuple[DeviceState, ...]:
    """Every device but `auto`, in the order of the table."""
    return tuple(_state(device, facts) for device in hardware_devices().values())


def _state(device: Device, facts: FileFacts) -> DeviceState:
    found = list(_missing(device, facts))
    texts = tuple(missing.what for missing in found)
    commands = [missing.fix or INSTALLERS[device.software](facts, texts) for missing in found]
    return DeviceState(device.name, not found, texts, "\n".join(dict.fromkeys(commands)) or None, device.proven)


def _missing(device: Device, facts: FileFacts) -> Iterator[Missing]:
    """Its own missing requirements; without any, those of the devices that it stands for, if none of them is ready."""
    found = list(missing_requirements(device, facts))
    yield from found
    if found or not device.stands_for:
        return
    others = {name: [each.what for each in _missing(DEVICES[name], facts)] for name in device.stands_for}
    if all(others.values()):
        yield from (Missing(f"{name} cannot be used: {'; '.join(texts)}") for name, texts in others.items())
