"""A Jetson read from its system files, which boards.py makes; not run on a Jetson. Every field is checked."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgener_runtime.base.serde import from_json, to_json
from edgener_runtime.machine.probe import jetson as module
from edgener_runtime.machine.probe.jetson import Clock, Jetson, Temperature, jetson
from edgener_runtime.machine.probe.power import Rail, read_rails, total_milliwatts

MHZ = 1_000_000
ORIN_NANO = Jetson(
    model="NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
    soc="tegra234",
    compute_capability="8.7",
    l4t="36.4.3",
    jetpack="6.2",
    power_mode="MAXN_SUPER",
    dla_cores=0,
    rails=(Rail("VDD_IN", 5016, 880), Rail("VDD_CPU_GPU_CV", 5008, 120), Rail("VDD_SOC", 5000, 296)),
    clocks=(
        Clock("17000000.gpu", 306 * MHZ, 306 * MHZ, 1020 * MHZ),
        Clock("cpu-policy0", 729_600_000, 115_200_000, 1_728_000_000),
        Clock("cpu-policy4", 1_190_400_000, 115_200_000, 1_728_000_000),
    ),
    # the fourth zone, of a part that is switched off, cannot be read
    temperatures=(
        Temperature("cpu-thermal", 47.625),
        Temperature("gpu-thermal", 48.25),
        Temperature("tj-thermal", 48.812),
    ),
)
ORIN_NX = Jetson(
    model="NVIDIA Jetson Orin NX Engineering Reference Developer Kit",
    soc="tegra234",
    compute_capability="8.7",
    l4t="36.4.7",
    jetpack="6.1 to 6.2",
    power_mode="15W",
    dla_cores=2,
    rails=(Rail("VDD_IN", 4984, 1120), Rail("VDD_CPU_GPU_CV", 4976, 240), Rail("VDD_SOC", 4968, 360)),
    clocks=(Clock("17000000.gpu", 408 * MHZ, 306 * MHZ, 918 * MHZ),),
    temperatures=(),
)
AGX_ORIN = Jetson(
    model="NVIDIA Jetson AGX Orin Developer Kit",
    soc="tegra234",
    compute_capability="8.7",
    l4t="36.4.0",
    jetpack="6.1",
    power_mode="MAXN",
    dla_cores=2,
    rails=(
        Rail("VDD_GPU_SOC", 19_000, 200), Rail("VDD_CPU_CV", 19_008, 100), Rail("VIN_SYS_5V0", 5_000, 600),
        Rail("VDDQ_VDD2_1V8AO", 19_016, 50),
    ),
    clocks=(Clock("17000000.gpu", 1_300_500_000, 306 * MHZ, 1_300_500_000),),
    temperatures=(),
)  # fmt: skip
AGX_THOR = Jetson(
    model="NVIDIA Jetson AGX Thor Developer Kit",
    soc="tegra264",
    compute_capability="11.0",
    l4t="38.2.0",
    jetpack="7.0",
    power_mode="120W",
    dla_cores=0,
    rails=(Rail("VDD_GPU", 12_000, 400), Rail("VDD_CPU_SOC_MSS", 12_008, 500), Rail("VIN_SYS_5V0", 5_000, 700)),
    clocks=(
        Clock("gpu-gpc-0", 1575 * MHZ, 315 * MHZ, 1575 * MHZ),
        Clock("gpu-nvd-0", 1692 * MHZ, 315 * MHZ, 1692 * MHZ),
    ),
    temperatures=(Temperature("gpu-thermal", 39.125),),
)
XAVIER_NX = Jetson(
    model="NVIDIA Jetson Xavier NX Developer Kit",
    soc="tegra194",
    compute_capability="7.2",
    l4t="35.4.1",
    jetpack="5.1.2",
    power_mode="7",
    dla_cores=2,
    rails=(Rail("VDD_IN", 4800, 700), Rail("VDD_CPU_GPU_CV", 4808, 80), Rail("VDD_SOC", 4816, 200)),
    clocks=(Clock("17000000.gv11b", 114_750_000, 114_750_000, 1_109_250_000),),
    temperatures=(),
)
JETSONS = {
    "orin-nano": ORIN_NANO, "orin-nx": ORIN_NX, "agx-orin": AGX_ORIN, "agx-thor": AGX_THOR, "xavier-nx": XAVIER_NX,
}  # fmt: skip

Layout = Callable[[str], Path]


@pytest.mark.parametrize("name", JETSONS)
def test_every_field_is_read(name: str, board: Layout) -> None:
    assert jetson(board(name)) == JETSONS[name]


@pytest.mark.parametrize("name", JETSONS)
def test_it_stays_itself_through_json(name: str) -> None:
    assert from_json(Jetson, to_json(JETSONS[name]), name) == JETSONS[name]


def test_another_board_is_none(board: Layout) -> None:
    assert jetson(board("no-jetson")) is None


def test_no_files_at_all_are_no_jetson(tmp_path: Path) -> None:
    assert jetson(tmp_path) is None


def test_the_device_tree_alone_makes_a_jetson(board: Layout) -> None:
    """A container has the kernel's files and not the system's."""
    root = board("orin-nano")
    (root / "etc" / "nv_tegra_release").unlink()
    (root / "etc" / "nvpmodel.conf").unlink()
    found = jetson(root)
    assert found and (found.soc, found.l4t, found.jetpack, found.power_mode) == ("tegra234", None, None, "2")


def test_the_device_tree_is_found_where_proc_links_to(board: Layout) -> None:
    root = board("orin-nano")
    (root / "sys" / "firmware" / "devicetree").mkdir(parents=True)
    (root / "proc" / "device-tree").rename(root / "sys" / "firmware" / "devicetree" / "base")
    assert jetson(root) == ORIN_NANO


@pytest.mark.parametrize(
    ("release", "l4t", "jetpack"),
    [
        ("# R36 (release), REVISION: 4.3, GCID: 1", "36.4.3", "6.2"),
        ("# R36 (release), REVISION: 5.9, GCID: 1", "36.5.9", "6.1 to 6.2"),
        ("# R39 (release), REVISION: 2.0, GCID: 1", "39.2.0", "7.2"),
        ("# R32 (release), REVISION: 7.3, GCID: 1", "32.7.3", "4.x"),
        ("# R77 (release), REVISION: 1.0, GCID: 1", "77.1.0", None),
        ("nonsense", None, None),
    ],
)
def test_the_jetpack_is_that_of_the_release(release: str, l4t: str | None, jetpack: str | None, board: Layout) -> None:
    root = board("orin-nano")
    (root / "etc" / "nv_tegra_release").write_text(release)
    found = jetson(root)
    assert found and (found.l4t, found.jetpack) == (l4t, jetpack)


def test_a_release_without_a_chip_we_know_has_no_capability(board: Layout) -> None:
    root = board("orin-nano")
    (root / "proc" / "device-tree" / "compatible").write_text("nvidia,p9999-0000\0nvidia,tegra999\0")
    found = jetson(root)
    assert found and (found.soc, found.compute_capability, found.l4t) == (None, None, "36.4.3")


# --- power


@pytest.mark.parametrize(
    ("name", "milliwatts"),
    [("orin-nano", 5016 * 880 / 1000), ("agx-orin", 3800 + 1900.8 + 3000 + 950.8), ("agx-thor", 4800 + 6004 + 3500)],
)
def test_the_total_is_the_input_rail_or_the_sum(name: str, milliwatts: float, board: Layout) -> None:
    assert total_milliwatts(read_rails(board(name))) == pytest.approx(milliwatts)


def test_without_rails_there_is_no_total(tmp_path: Path) -> None:
    assert total_milliwatts(read_rails(tmp_path)) is None


@pytest.mark.parametrize("file", ["in1_input", "curr1_input"])
@pytest.mark.parametrize("content", ["", "not a number"])
def test_a_rail_that_cannot_be_read_is_left_out(file: str, content: str, board: Layout) -> None:
    root = board("orin-nano")
    next(root.glob(f"sys/bus/i2c/devices/*/hwmon/*/{file}")).write_text(content)
    assert read_rails(root) == ORIN_NANO.rails[1:]


# --- the power mode of this machine, where no file has it


@pytest.mark.parametrize(
    ("answer", "mode"), [("NV Power Mode: MAXN_SUPER\n2\n", "MAXN_SUPER"), ("NVPM ERROR: no such file\n", None)]
)
def test_nvpmodel_is_asked_on_this_machine_only(
    answer: str, mode: str | None, board: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def nvpmodel(command: list[str], **settings: object) -> SimpleNamespace:
        asked.append(command)
        return SimpleNamespace(stdout=answer)

    root = board("orin-nano")
    (root / "var" / "lib" / "nvpmodel" / "status").unlink()
    (root / "etc" / "nvpmodel.conf").unlink()
    monkeypatch.setattr(subprocess, "run", nvpmodel)
    elsewhere = jetson(root)
    assert elsewhere and elsewhere.power_mode is None and asked == []
    monkeypatch.setattr(module, "is_here", lambda root: True)
    found = jetson(root)
    assert found and found.power_mode == mode and asked == [["nvpmodel", "-q"]]


def test_a_machine_without_nvpmodel_has_no_mode(board: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    root = board("orin-nano")
    (root / "var" / "lib" / "nvpmodel" / "status").unlink()
    (root / "etc" / "nvpmodel.conf").unlink()
    monkeypatch.setattr(module, "is_here", lambda root: True)
    monkeypatch.setenv("PATH", str(root))
    found = jetson(root)
    assert found and found.power_mode is None


@pytest.mark.jetson
@pytest.mark.skipif(jetson() is None, reason="no Jetson: neither its device tree nor its release is here")
def test_a_real_jetson_has_a_chip_release_and_rails() -> None:
    found = jetson()
    assert found and found.soc and found.l4t and found.jetpack and found.rails and found.clocks and found.temperatures
