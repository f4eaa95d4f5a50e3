"""Fingerprints of this machine, and of synthetic boards and containers."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from edgener_runtime.base.serde import from_json, to_json
from edgener_runtime.commissioning.bench.metering.fingerprint import fingerprint
from edgener_runtime.commissioning.bench.results.record import MachineFingerprint
from edgener_runtime.errors import UserInputError

from .trees import CPU, JETSON, plant

ONNXRUNTIME = "usr/lib/python3/dist-packages/onnxruntime-1.32.0.dist-info"
LIBRARIES = ("libnvinfer.so.10.3.0", "libcurand.so.10")
SERVER = {
    "proc/cpuinfo": "processor : 0\nvendor_id : AuthenticAMD\nmodel name : AMD EPYC\nflags : avx2\n\nprocessor : 1",
    "proc/meminfo": "MemTotal:  16000 kB\nMemAvailable:  9000 kB",
    "proc/sys/kernel/osrelease": "6.1.0-18-amd64",
    "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian',
    f"{CPU}/cpufreq/policy0/scaling_governor": "schedutil",
    f"{CPU}/cpufreq/boost": "1",
    "sys/fs/cgroup/cpu.max": "150000 100000",
    "sys/fs/cgroup/memory.max": "8000000",
}


def test_a_server_is_identified_by_its_files(tmp_path: Path) -> None:
    plant(tmp_path, {f"{ONNXRUNTIME}/METADATA": "Metadata-Version: 2.1\nName: onnxruntime\nVersion: 1.32.0"})
    assert fingerprint(plant(tmp_path, SERVER)) == MachineFingerprint(
        cpu="AMD EPYC", isa="avx2", architecture="x86_64", cores=2, memory=16_384_000, core_limit=1.5,
        memory_limit=8_000_000, os="Debian GNU/Linux 12 (bookworm)", kernel="6.1.0-18-amd64", container=None,
        governor="schedutil", boost=True, gpus=(), driver=None, board=None, jetpack=None, power_mode=None,
        libraries={"onnxruntime": "1.32.0"},
    )  # fmt: skip


def test_a_board_is_identified_by_its_files(tmp_path: Path) -> None:
    folder = "usr/lib/aarch64-linux-gnu"
    found = fingerprint(plant(tmp_path, JETSON | {f"{folder}/{name}": "" for name in LIBRARIES}))
    assert (found.board, found.power_mode) == ("NVIDIA Jetson Orin Nano", "MAXN_SUPER")
    assert found.jetpack and found.jetpack.startswith("6.")
    assert (found.driver, found.architecture) == ("NVIDIA 540.4.0", "aarch64")
    assert found.libraries == {"libnvinfer": "10.3.0"}


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        (".dockerenv", "", "docker"),
        ("run/.containerenv", "", "podman"),
        ("run/systemd/container", "systemd-nspawn", "systemd-nspawn"),
        ("proc/1/cgroup", "0::/kubepods.slice/kubepods-pod1.slice", "kubernetes"),
        ("proc/1/cgroup", "1:name=systemd:/lxc/box", "lxc"),
        ("proc/1/cgroup", "0::/init.scope", None),
    ],
)
def test_containers_are_reported(tmp_path: Path, file: str, text: str, expected: str | None) -> None:
    assert fingerprint(plant(tmp_path, {file: text})).container == expected


def test_a_machine_that_reports_nothing_has_a_fingerprint(tmp_path: Path) -> None:
    found = fingerprint(tmp_path)
    assert (found.cpu, found.os, found.kernel, found.memory, found.libraries) == ("unknown",) * 3 + (None, {})


def test_this_machine_has_one_that_is_read_as_it_was_written() -> None:
    found = fingerprint()
    assert from_json(MachineFingerprint, to_json(found), "it") == found == fingerprint()
    assert found.cores >= 1 and found.architecture == platform.machine()
    assert found.libraries["python"] == platform.python_version()
    assert {"numpy", "tokenizers"} <= set(found.libraries) and "edgener" not in found.libraries


def test_a_copy_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="is not a folder"):
        fingerprint(tmp_path / "none")
