"""The power of a board, from the monitors that a Jetson has on its I2C bus; not run on a Jetson yet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .reading import listed, read_number, read_text

_MONITOR = re.compile(r"ina3221x?")
_LABEL = re.compile(r"in(\d+)_label")
_UNUSED = "NC"  # not connected
_SUM_OF_SHUNTS = 7  # a channel that is not a rail
_WHOLE_BOARD = ("VDD_IN", "POM_5V_IN")


@dataclass(frozen=True)
class Rail:
    """A supply rail: its name, millivolts and milliamperes."""

    name: str
    millivolts: int
    milliamperes: int

    @property
    def milliwatts(self) -> float:
        """The power that it delivers."""
        return self.millivolts * self.milliamperes / 1000


def read_rails(root: Path = Path("/")) -> tuple[Rail, ...]:
    """The current values of every measured rail; `root` holds /sys."""
    monitors = [
        device
        for device in listed(root / "sys" / "bus" / "i2c" / "devices", "*")
        if _MONITOR.fullmatch(read_text(device / "name"))
    ]
    labels = [label for device in monitors for label in listed(device, "hwmon/hwmon*/in*_label")]
    return tuple(rail for rail in map(_rail, labels) if rail)


def total_milliwatts(measured: tuple[Rail, ...]) -> float | None:
    """The power of the board: of its input rail where that is measured, else of all rails; None without any."""
    whole = [rail for rail in measured if rail.name in _WHOLE_BOARD][:1]
    return sum(rail.milliwatts for rail in whole or measured) if measured else None


def read_watts(root: Path = Path("/")) -> float | None:
    """The power of the board now, or None where it has no power monitors. `root` holds /sys."""
    total = total_milliwatts(read_rails(root))
    return None if total is None else total / 1000


def _rail(label: Path) -> Rail | None:
    named, name = _LABEL.fullmatch(label.name), read_text(label)
    if not named or name in ("", _UNUSED) or int(named[1]) == _SUM_OF_SHUNTS:
        return None
    volts = read_number(label.with_name(f"in{named[1]}_input"))
    amperes = read_number(label.with_name(f"curr{named[1]}_input"))
    return None if volts is None or amperes is None else Rail(name, volts, amperes)
