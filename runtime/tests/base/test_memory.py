"""How much memory is left, read from synthetic /proc and /sys, and what is said where it is too little."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from edgener_runtime.base import memory
from edgener_runtime.base.memory import memory_left, peak_resident, require_memory, resident
from edgener_runtime.errors import DeviceError

pytestmark = pytest.mark.compat

MEMINFO = {"proc/meminfo": "MemTotal:  9000 kB\nMemFree:  10 kB\nMemAvailable:  4000 kB\n"}
CGROUP = "sys/fs/cgroup"


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def version_2(most: str, used: int, files: int = 0) -> dict[str, str]:
    stat = f"anon 5\ninactive_file {files}\nactive_file 7\n"
    return {
        f"{CGROUP}/memory.max": f"{most}\n",
        f"{CGROUP}/memory.current": f"{used}\n",
        f"{CGROUP}/memory.stat": stat,
    }


def version_1(most: int, used: int, files: int) -> dict[str, str]:
    folder = f"{CGROUP}/memory"
    return {
        f"{folder}/memory.limit_in_bytes": f"{most}\n",
        f"{folder}/memory.usage_in_bytes": f"{used}\n",
        f"{folder}/memory.stat": f"inactive_file 1\ntotal_inactive_file {files}\n",
    }


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        (MEMINFO, 4_096_000),
        (version_2("1000", 400), 600),
        (version_2("1000", 400, files=300), 900),
        (version_2("max", 400), None),
        (version_2("1000", 1200), 0),
        ({**MEMINFO, **version_2("1000", 400)}, 600),
        ({**MEMINFO, **version_2("max", 400)}, 4_096_000),
        ({**MEMINFO, **version_2("9000000000", 400)}, 4_096_000),
        (version_1(1000, 400, files=100), 700),
        ({f"{CGROUP}/memory.max": "1000\n"}, None),
    ],
)
def test_what_is_left_is_by_the_tightest_limit(files: dict[str, str], expected: int | None, tmp_path: Path) -> None:
    assert memory_left(tree(tmp_path, files)) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no RLIMIT_AS")
def test_a_limit_of_the_address_space_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import resource

    page = os.sysconf("SC_PAGE_SIZE")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (100 * page, 200 * page))
    assert memory_left(tree(tmp_path, {"proc/self/statm": "30 20 10 1 0 9 0\n"})) == 70 * page
    assert memory_left(tmp_path / "nowhere") is None


def test_too_little_is_an_error_with_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "memory_left", lambda: 10_000_000)
    require_memory(10_000_000, "a model")
    with pytest.raises(DeviceError, match=r"^a model takes about 12 MB of memory, 10 MB are left") as raised:
        require_memory(12_000_000, "a model")
    assert raised.value.hint and "ulimit -v" in raised.value.hint


def test_where_the_memory_is_unknown_all_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "memory_left", lambda: None)
    require_memory(10**15, "a model")


def test_resident_memory_is_in_pages_of_statm(tmp_path: Path) -> None:
    assert resident(tmp_path) is None
    assert resident(tree(tmp_path, {"proc/self/statm": "9 5 1 1 0 1 0\n"})) == 5 * os.sysconf("SC_PAGE_SIZE")


def test_the_peak_is_that_of_the_kernel_or_of_getrusage(tmp_path: Path) -> None:
    peak = peak_resident(tmp_path)
    assert peak is None or 10e6 < peak < 1e12
    assert peak_resident(tree(tmp_path, {"proc/self/status": "Name: x\nVmHWM:\t     77 kB\n"})) == 77 * 1024


def test_the_peak_is_not_that_of_who_started_the_process() -> None:
    """getrusage's count goes on from the starting process to the started one."""
    if resident() is None:
        pytest.skip("this system has no /proc")
    ballast = b"x" * 300_000_000
    code = "from edgener_runtime.base.memory import peak_resident; print(peak_resident())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < len(ballast)


FRAGMENTED = """
from edgener_runtime.base.memory import map_large_blocks, resident
{call}
begin, between = resident(), []
for _ in range(2):
    large = []
    for _ in range(32):
        large.append(b"x" * (2 << 20))
        between.append(b"x" * 50_000)
    large.clear()
print(resident() - begin)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the setting")
def test_large_blocks_go_back_to_the_system_whatever_lies_between_them() -> None:
    grown = [
        int(subprocess.check_output([sys.executable, "-c", FRAGMENTED.format(call=call)]))
        for call in ("", "map_large_blocks()")
    ]
    assert grown[0] > 40 << 20  # otherwise this tests nothing
    assert grown[1] < 10 << 20
