"""energy.py OUT RESULT...: whether NVML measured the energy of each row on a GPU; exit code 1 where it did not.

Writes OUT, a JSON with the joules of 1,000 texts and the mean watts of each row. Watts must lie between 0 and the limit
that the driver enforces.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from edgener_runtime.commissioning.bench.results.record import BenchRow, read_result


def reading(row: BenchRow) -> dict[str, Any]:
    """What was measured of a row, by what."""
    rounds = [each for each in row.rounds if each.joules is not None]
    seconds = sum(each.seconds for each in rounds)
    return {
        "variant": row.case.variant,
        "scenario": row.case.scenario,
        "energy": row.energy,
        "rounds": len(row.rounds),
        "joules_per_1000": row.figures.joules_per_1000 if row.figures else None,
        "watts": sum(each.joules or 0 for each in rounds) / seconds if seconds else None,
    }


def faults(readings: list[dict[str, Any]], limit: float) -> list[str]:
    """Rows that NVML did not measure, or whose watts cannot be."""
    found = [] if readings else ["no row ran on a GPU"]
    for row in readings:
        name = f"{row['variant']}, {row['scenario']}"
        if not row["energy"].startswith("NVML") or row["watts"] is None:
            found.append(f"{name}: {row['energy']}")
        elif not 0 < row["watts"] <= limit:
            found.append(f"{name}: {row['watts']:.0f} W, the limit is {limit:.0f} W")
    return found


def power_limit() -> float:
    """Watts that the driver lets the first GPU take."""
    import pynvml

    pynvml.nvmlInit()
    return float(pynvml.nvmlDeviceGetEnforcedPowerLimit(pynvml.nvmlDeviceGetHandleByIndex(0))) / 1000


def main(out: Path, results: list[Path]) -> int:
    """Read the results that are there, write and print what was measured."""
    rows = [row for path in results if path.is_file() for row in read_result(path).rows]
    readings = [reading(row) for row in rows if row.case.device == "cuda" and row.figures]
    out.write_text(json.dumps(readings, indent=1) + "\n", encoding="utf-8")
    found = faults(readings, power_limit() if readings else 0)
    for row in readings:
        print(json.dumps(row))  # noqa: T201
    for fault in found:
        print("no energy:", fault)  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]))
