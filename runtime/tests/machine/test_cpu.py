"""How many cores a process may use, and which instructions the CPU has, read from synthetic /sys and /proc."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgener_runtime.machine.cpu import isa, usable_cores

pytestmark = pytest.mark.compat

X86 = """processor\t: 0
model name\t: Some CPU
flags\t\t: fpu sse4_2 avx2 avx512f avx512_bf16 avx512_vnni amx_int8 avx2x

processor\t: 1
flags\t\t: fpu
"""
ARM64 = """processor\t: 0
BogoMIPS\t: 62.50
Features\t: fp asimd asimddp i8mm sve2 bf16
CPU implementer\t: 0x41
"""


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def version_1(quota: object, period: object = 100000) -> dict[str, str]:
    folder = "sys/fs/cgroup/cpu"
    return {f"{folder}/cpu.cfs_quota_us": f"{quota}\n", f"{folder}/cpu.cfs_period_us": f"{period}\n"}


def version_2(content: str) -> dict[str, str]:
    return {"sys/fs/cgroup/cpu.max": content}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 4),
        (version_2("max 100000\n"), 4),
        (version_2("200000 100000\n"), 2),
        (version_2("150000 100000\n"), 2),
        (version_2("5000 100000\n"), 1),
        (version_2("1600000 100000\n"), 4),
        (version_2("nonsense\n"), 4),
        (version_2("100000 0\n"), 4),
        (version_1(-1), 4),
        (version_1(300000), 3),
        (version_1(50000), 1),
        ({**version_2("200000 100000\n"), **version_1(100000)}, 2),
    ],
)
def test_cores_are_those_allowed_cut_to_the_quota(
    files: dict[str, str], expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 2, 4, 6}, raising=False)
    assert usable_cores(tree(tmp_path, files)) == expected


@pytest.mark.parametrize(("count", "expected"), [(3, 3), (None, 1)])
def test_where_there_is_no_affinity_all_cores_count(
    count: int | None, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert usable_cores(tmp_path) == expected


def test_this_machine_has_a_core() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        (X86, "avx2+avx512f+avx512_vnni+avx512_bf16+amx_int8"),
        (ARM64, "asimddp+i8mm"),
        ("flags\t: fpu sse2\n", "unknown"),
        ("", "unknown"),
    ],
    ids=["x86-64", "arm64", "neither", "empty"],
)
def test_the_instruction_sets_are_those_that_matter(cpuinfo: str, expected: str, tmp_path: Path) -> None:
    assert isa(tree(tmp_path, {"proc/cpuinfo": cpuinfo})) == expected


def test_a_machine_without_cpuinfo_is_unknown(tmp_path: Path) -> None:
    assert isa(tmp_path) == "unknown"
