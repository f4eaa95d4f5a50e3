"""The Python face of the library, and its machine code."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys

import pytest

edgener_ops = pytest.importorskip("edgener_ops", reason="edgener-ops is not installed; install it with: make ops")

TILES = {"avx512_vnni": ("zmm", 24), "avx_vnni": ("ymm", 12), "avx2": ("ymm", 6)}
"""The registers that the largest tile of each set sums up in."""


def test_the_public_face() -> None:
    assert edgener_ops.__all__ == ["OPSET_VERSION", "instruction_sets", "library_path"]
    assert edgener_ops.OPSET_VERSION == 1
    assert edgener_ops.library_path().is_file()
    known = {"avx512-vnni", "avx-vnni", "avx2", "neon-i8mm", "neon-dot"}
    assert edgener_ops.instruction_sets()
    assert set(edgener_ops.instruction_sets()) <= known


def test_it_needs_no_numpy() -> None:
    code = "import edgener_ops, sys; edgener_ops.instruction_sets(); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_library_exports_two_functions_and_is_small() -> None:
    library = edgener_ops.library_path()
    assert library.stat().st_size < 2e6
    if not shutil.which("nm"):
        pytest.skip("nm is not installed")
    listed = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    exported = {line.split()[-1] for line in listed.splitlines() if " T " in line}
    assert exported == {"RegisterCustomOps", "EdgenerInstructionSets"}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="emulates x86-64 on x86-64")
@pytest.mark.skipif(not shutil.which("qemu-x86_64"), reason="qemu-x86_64 is not installed")
@pytest.mark.parametrize(("cpu", "sets"), [("Nehalem", "()"), ("Haswell", "('avx2',)")])
def test_a_cpu_has_what_it_has(cpu: str, sets: str) -> None:
    code = f"import sys; sys.path[:0] = {sys.path}; import edgener_ops; print(edgener_ops.instruction_sets())"
    command = ["qemu-x86_64", "-cpu", cpu, sys.executable, "-c", code]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == sets


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x86-64 machine code")
@pytest.mark.skipif(not shutil.which("objdump"), reason="objdump is not installed")
def test_sums_stay_in_registers() -> None:
    """The inner loops have no vector register moved to or from the stack: GCC 12 does that if a tile is inlined."""
    loops = _inner_loops(_disassembled())
    counts = {(register, used) for register, used, _ in loops}
    assert {TILES["avx512_vnni"], TILES["avx_vnni"]} <= counts, counts
    spilt = [line for _, _, loop in loops for line in loop if "mov" in line and re.search(r"\((%rsp|%rbp)", line)]
    assert not spilt, spilt[:5]


def test_the_check_of_machine_code_sees_a_spilt_register() -> None:
    loop = ["vpdpbusd %zmm1,%zmm2,%zmm26", "vmovdqa64 %zmm26,-0x40(%rsp)", "jb 8e0"]
    ((register, used, lines),) = _inner_loops([f"  {0x8E0 + at:x}:\t{line}" for at, line in enumerate(loop)])
    assert (register, used) == ("zmm", 1)
    assert any("(%rsp" in line for line in lines)


def _disassembled() -> list[str]:
    command = ["objdump", "-d", "--no-show-raw-insn", str(edgener_ops.library_path())]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def _inner_loops(lines: list[str]) -> list[tuple[str, int, list[str]]]:
    """Loops with vpdpbusd: width of its registers, how many it sums up in, and the instructions."""
    places = {line.split(":")[0].strip(): at for at, line in enumerate(lines) if ":\t" in line}
    loops = []
    for end, line in enumerate(lines):
        jump = re.search(r":\tj\w+\s+([0-9a-f]+)", line)
        if not jump or (begin := places.get(jump[1], end)) >= end:
            continue
        body = [text.split(":\t")[1] for text in lines[begin:end] if ":\t" in text]
        sums = {found[0] for text in body if (found := re.findall(r"vpdpbusd.*%(\w+)$", text))}
        if sums and not any(re.match(r"j\w+|call|ret", text) for text in body):
            loops.append((next(iter(sums))[:3], len(sums), body))
    return loops
