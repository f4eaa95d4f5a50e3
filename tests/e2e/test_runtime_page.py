"""docs/how-to/runtime.md has the table of devices, and calls no more of them run than were."""

from __future__ import annotations

from pathlib import Path

from edgener_runtime.machine.devices import DEVICES
from edgener_runtime.machine.probe.describe import devices_table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "runtime.md"


def shown() -> str:
    text = PAGE.read_text(encoding="utf-8")
    return text.partition("<!-- devices -->")[2].partition("<!-- /devices -->")[0].strip("\n")


def test_the_table_of_devices_is_the_code_s() -> None:
    assert shown() == devices_table(), "paste what edgener-runtime devices --markdown prints"


def test_only_devices_that_were_run_are_called_so() -> None:
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in shown().splitlines()[2:]]
    assert [row[0] for row in rows] == list(DEVICES)
    assert [row[-1].startswith("yes") for row in rows] == [device.proven for device in DEVICES.values()]
    assert all("**not run on a device yet**" in row[-1] for row in rows if not DEVICES[row[0]].proven)
