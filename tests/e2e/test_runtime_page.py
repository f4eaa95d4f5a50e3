"""docs/how-to/runtime.md tells of the devices there are, and of no more as run than were."""

from __future__ import annotations

from pathlib import Path

from edgener_runtime.machine.devices import DEVICES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "runtime.md"


def test_the_table_of_devices_is_the_code_s() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    begin = next(index for index, line in enumerate(lines) if line.startswith("| device |")) + 2
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines[begin : begin + len(DEVICES)]]
    assert [row[0] for row in rows] == list(DEVICES)
    assert [row[-1].startswith("yes") for row in rows] == [device.proven for device in DEVICES.values()]
    assert all(
        "**not yet**" in row[-1] for row, device in zip(rows, DEVICES.values(), strict=True) if not device.proven
    )
