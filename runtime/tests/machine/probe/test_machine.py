"""CPU and memory of this machine and of a copy of another's files."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from edgener_runtime.machine.cpu import usable_cores
from edgener_runtime.machine.probe.machine import Cpu, Memory, cpu, memory
from edgener_runtime.machine.probe.reading import HERE, is_here, listed, read_number, read_text

pytestmark = pytest.mark.compat

X86 = "vendor_id\t: AuthenticAMD\nmodel name\t: Some CPU\nflags\t\t: avx2 avx512_vnni amx_int8 avx_vnni\n"


def write(root: Path, name: str, content: str) -> Path:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(content)
    return root


def test_a_copys_cpu_is_what_its_files_say(board: Callable[[str], Path]) -> None:
    assert cpu(board("orin-nano")) == Cpu("aarch64", "0xd42", "asimddp", 2, None, None)
    assert cpu(board("agx-thor")).isa == "asimddp+i8mm+sve"
    assert cpu(board("xavier-nx")).isa == "unknown"


def test_x86_with_vnni_and_amx(tmp_path: Path) -> None:
    write(tmp_path, "proc/cpuinfo", X86)
    write(tmp_path, "sys/fs/cgroup/cpu.max", "150000 100000\n")
    assert cpu(tmp_path) == Cpu("x86_64", "Some CPU", "avx2+avx_vnni+avx512_vnni+amx_int8", 0, None, 1.5)


def test_nothing_is_unknown(tmp_path: Path) -> None:
    assert cpu(tmp_path) == Cpu("unknown", "unknown", "unknown", 0, None, None)
    assert memory(tmp_path) == Memory(None, None, None)


def test_this_machines_cpu() -> None:
    found = cpu(HERE)
    assert (found.architecture, found.cores, found.usable) == (platform.machine(), os.cpu_count(), usable_cores())


def test_memory_and_its_halves(board: Callable[[str], Path]) -> None:
    assert memory(board("orin-nano")) == Memory(7_800_000 * 1024, 3_900_000 * 1024, None)


@pytest.mark.parametrize(
    ("file", "content", "limit"),
    [
        ("memory.max", "max\n", None),
        ("memory.max", "536870912\n", 536870912),
        ("memory/memory.limit_in_bytes", "1073741824\n", 1073741824),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", None),
    ],
)
def test_the_cgroups_limit(file: str, content: str, limit: int | None, tmp_path: Path) -> None:
    assert memory(write(tmp_path, f"sys/fs/cgroup/{file}", content)).limit == limit


def test_a_copy_is_not_here(tmp_path: Path) -> None:
    assert is_here(HERE) and not is_here(tmp_path)
    (tmp_path / "root").symlink_to("/")
    assert is_here(tmp_path / "root")


def test_files_that_cannot_be_read_are_empty(tmp_path: Path) -> None:
    assert read_text(tmp_path) == read_text(tmp_path / "none") == ""
    assert read_number(tmp_path / "none") is None
    assert listed(tmp_path / "none", "*") == listed(tmp_path, "") == listed(tmp_path, "/x") == []
