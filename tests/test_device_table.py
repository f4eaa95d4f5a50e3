"""Devices and execution providers are named in one table, from which everything else takes them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from edgener_runtime.machine.devices import CPU, CUDA, TENSORRT

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("edgener", "exporters/edgener_exporters", "runtime/edgener_runtime", "benchmarks")
TABLE = ROOT / "runtime" / "edgener_runtime" / "machine" / "devices.py"
# Run by the Python of another environment, which has no edgener_runtime.
ELSEWHERE = {ROOT / "benchmarks" / "peers" / "workers" / "onnxruntime_loop.py"}
NAMES = (CPU, CUDA, TENSORRT, "tensorrt-ort")


def naming(files: Iterable[Path]) -> list[Path]:
    """The files that spell a provider, or the device that has no other meaning, in a string."""
    quoted = [f"{mark}{name}{mark}" for name in NAMES for mark in "\"'"]
    return [file for file in files if any(each in file.read_text(encoding="utf-8") for each in quoted)]


def test_devices_and_providers_are_spelled_in_the_table_alone() -> None:
    files = {file for package in PACKAGES for file in (ROOT / package).rglob("*.py")}
    assert naming(files - ELSEWHERE - {TABLE}) == []
    assert naming([TABLE]) == [TABLE]


@pytest.mark.parametrize("line", ['DEVICES = ("cuda", "tensorrt-ort")', "providers=['CPUExecutionProvider']"])
def test_another_list_is_found(line: str, tmp_path: Path) -> None:
    (tmp_path / "needs.py").write_text(f"{line}\n", encoding="utf-8")
    assert naming(tmp_path.glob("*.py")) == [tmp_path / "needs.py"]
