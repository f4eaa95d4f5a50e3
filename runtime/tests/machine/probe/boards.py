"""Synthetic file trees of Jetsons and of a board that is none, after what such boards are known to show.

No Jetson was at hand: names of files, labels and chips are from documentation and from what owners of boards posted;
the figures are synthetic and all different, so that mixed-up fields are noticed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

CPUINFO = """processor\t: 0
BogoMIPS\t: 62.50
Features\t: {features}
CPU implementer\t: 0x41
CPU part\t: {part}

processor\t: 1
Features\t: {features}
CPU implementer\t: 0x41
CPU part\t: {part}
"""
CORTEX_A78AE = CPUINFO.format(features="fp asimd crc32 atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp", part="0xd42")
NEOVERSE_V3AE = CPUINFO.format(features="fp asimd asimddp sve i8mm bf16", part="0xd83")
CARMEL = CPUINFO.format(features="fp asimd crc32 atomics fphp asimdhp", part="0x004")
CORTEX_A76 = CPUINFO.format(features="fp asimd crc32 atomics fphp asimdhp asimddp", part="0xd0b")

Channel = tuple[str, int, int]  # label, millivolts, milliamperes


@dataclass(frozen=True)
class Board:
    """What a board's files say, by what they are about."""

    model: str
    compatible: tuple[str, ...]
    cpuinfo: str
    release: str = ""
    monitors: dict[str, tuple[Channel, ...]] = field(default_factory=dict)  # address on the I2C bus to channels
    gpu: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # in devfreq: now, least, most, in hertz
    policies: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # in cpufreq, in kilohertz
    zones: tuple[tuple[str, str], ...] = ()  # thermal zone, thousandths of a degree
    platform_devices: tuple[str, ...] = ()
    modes: str = ""
    status: str = ""
    memory_kb: int = 7_800_000


def release(line: str, revision: str, board: str = "generic") -> str:
    """The line of /etc/nv_tegra_release."""
    return (
        f"# R{line} (release), REVISION: {revision}, GCID: 12345678, BOARD: {board}, EABI: aarch64, "
        "DATE: Wed Jan  8 01:49:37 UTC 2025\n# KERNEL_VARIANT: oot\nTARGET_USERSPACE_LIB_DIR=nvidia\n"
    )


def modes(*names: str, default: int) -> str:
    """nvpmodel.conf with these modes, numbered from 0."""
    blocks = [f"< POWER_MODEL ID={number} NAME={name} >\nCPU_ONLINE CORE_0 1" for number, name in enumerate(names)]
    return "\n".join(["< PARAM TYPE=FILE NAME=CPU_ONLINE >", *blocks, f"< PM_CONFIG DEFAULT={default} >", ""])


ORIN_NX_RAILS = (("VDD_IN", 4984, 1120), ("VDD_CPU_GPU_CV", 4976, 240), ("VDD_SOC", 4968, 360))
NOT_CONNECTED = ("NC", 4800, 9999)
BOARDS = {
    "orin-nano": Board(
        model="NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
        compatible=("nvidia,p3768-0000+p3767-0005-super", "nvidia,p3767-0005", "nvidia,tegra234"),
        cpuinfo=CORTEX_A78AE,
        release=release("36", "4.3"),
        monitors={"1-0040": (("VDD_IN", 5016, 880), ("VDD_CPU_GPU_CV", 5008, 120), ("VDD_SOC", 5000, 296))},
        gpu={"17000000.gpu": (306_000_000, 306_000_000, 1_020_000_000)},
        policies={"policy0": (729_600, 115_200, 1_728_000), "policy4": (1_190_400, 115_200, 1_728_000)},
        zones=(("cpu-thermal", "47625"), ("gpu-thermal", "48250"), ("cv0-thermal", ""), ("tj-thermal", "48812")),
        modes=modes("15W", "25W", "MAXN_SUPER", default=1),
        status="pmode:0002",
    ),
    "orin-nx": Board(
        model="NVIDIA Jetson Orin NX Engineering Reference Developer Kit",
        compatible=("nvidia,p3768-0000+p3767-0000", "nvidia,p3767-0000", "nvidia,tegra234"),
        cpuinfo=CORTEX_A78AE,
        release=release("36", "4.7"),
        monitors={"1-0040": ORIN_NX_RAILS},
        gpu={"17000000.gpu": (408_000_000, 306_000_000, 918_000_000)},
        platform_devices=("15880000.nvdla0", "158c0000.nvdla1", "15340000.vic"),
        modes=modes("MAXN", "10W", "15W", "25W", default=2),  # never set: the default holds
    ),
    "agx-orin": Board(
        model="NVIDIA Jetson AGX Orin Developer Kit",
        compatible=("nvidia,p3737-0000+p3701-0005", "nvidia,p3701-0005", "nvidia,tegra234"),
        cpuinfo=CORTEX_A78AE,
        release=release("36", "4.0"),
        monitors={
            "1-0040": (("VDD_GPU_SOC", 19_000, 200), ("VDD_CPU_CV", 19_008, 100), ("VIN_SYS_5V0", 5_000, 600)),
            "1-0041": (NOT_CONNECTED, ("VDDQ_VDD2_1V8AO", 19_016, 50), NOT_CONNECTED),
        },
        gpu={"17000000.gpu": (1_300_500_000, 306_000_000, 1_300_500_000)},
        platform_devices=("15880000.nvdla0", "158c0000.nvdla1"),
        modes=modes("MAXN", "15W", "30W", "50W", default=2),
        status="pmode:0000 fmode:quiet",
    ),
    "agx-thor": Board(
        model="NVIDIA Jetson AGX Thor Developer Kit",
        compatible=("nvidia,p4071-0000+p3834-0008", "nvidia,p3834-0008", "nvidia,tegra264"),
        cpuinfo=NEOVERSE_V3AE,
        release=release("38", "2.0"),
        monitors={"2-0040": (("VDD_GPU", 12_000, 400), ("VDD_CPU_SOC_MSS", 12_008, 500), ("VIN_SYS_5V0", 5_000, 700))},
        gpu={
            "gpu-gpc-0": (1_575_000_000, 315_000_000, 1_575_000_000),
            "gpu-nvd-0": (1_692_000_000, 315_000_000, 1_692_000_000),
            "bwmgr": (4_266_000_000, 665_000_000, 4_266_000_000),
        },
        zones=(("gpu-thermal", "39125"),),
        modes=modes("MAXN", "120W", default=1),
        status="pmode:0001",
        memory_kb=125_000_000,
    ),
    "xavier-nx": Board(
        model="NVIDIA Jetson Xavier NX Developer Kit",
        compatible=("nvidia,p3449-0000+p3668-0000", "nvidia,p3668-0000", "nvidia,tegra194"),
        cpuinfo=CARMEL,
        release=release("35", "4.1", "t186ref"),
        monitors={"7-0040": (("VDD_IN", 4800, 700), ("VDD_CPU_GPU_CV", 4808, 80), ("VDD_SOC", 4816, 200))},
        gpu={"17000000.gv11b": (114_750_000, 114_750_000, 1_109_250_000)},
        platform_devices=("15880000.nvdla0", "158c0000.nvdla1"),
        modes=modes("MODE_15W_2CORE", "MODE_15W_4CORE", default=0),
        status="pmode:0007",  # a mode that nvpmodel.conf does not name
    ),
    "no-jetson": Board(
        model="Raspberry Pi 5 Model B Rev 1.0",
        compatible=("raspberrypi,5-model-b", "brcm,bcm2712"),
        cpuinfo=CORTEX_A76,
        monitors={"1-0040": (("VDD_IN", 5000, 1000),)},
        policies={"policy0": (1_500_000, 1_500_000, 2_400_000)},
        zones=(("cpu-thermal", "51000"),),
    ),
}


def lay_out(board: Board, root: Path) -> Path:
    """Write a board's files below `root`."""
    files = {
        "proc/cpuinfo": board.cpuinfo,
        "proc/meminfo": f"MemTotal:       {board.memory_kb} kB\nMemAvailable:   {board.memory_kb // 2} kB\n",
        "proc/device-tree/model": f"{board.model}\0",
        "proc/device-tree/compatible": "".join(f"{name}\0" for name in board.compatible),
        "etc/nv_tegra_release": board.release,
        "etc/nvpmodel.conf": board.modes,
        "var/lib/nvpmodel/status": board.status,
        **{f"sys/bus/platform/devices/{name}/modalias": "platform" for name in board.platform_devices},
        **_monitors(board),
        **_clocks("sys/class/devfreq", board.gpu, "{}_freq"),
        **_clocks("sys/devices/system/cpu/cpufreq", board.policies, "scaling_{}_freq"),
    }
    for number, (name, degrees) in enumerate(board.zones):
        files |= {
            f"sys/class/thermal/thermal_zone{number}/{part}": text for part, text in (("type", name), ("temp", degrees))
        }
    for name, text in files.items():
        if text:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text if "device-tree" in name else f"{text}\n")
    return root


def _monitors(board: Board) -> dict[str, str]:
    files = {}
    for address, channels in board.monitors.items():
        device = f"sys/bus/i2c/devices/{address}"
        files[f"{device}/name"] = "ina3221"
        sums = ("sum of shunt voltages", 7, 8)
        for number, (label, volts, amperes) in [*enumerate(channels, 1), (7, sums)]:
            folder = f"{device}/hwmon/hwmon{address[-1]}"
            files |= {f"{folder}/in{number}_label": label, f"{folder}/in{number}_input": str(volts)}
            files[f"{folder}/curr{number}_input"] = str(amperes)
    return files | {"sys/bus/i2c/devices/0-0050/name": "24c02"}  # an EEPROM, as beside every one


def _clocks(folder: str, clocks: dict[str, tuple[int, int, int]], file: str) -> dict[str, str]:
    return {
        f"{folder}/{name}/{file.format(part)}": str(value)
        for name, values in clocks.items()
        for part, value in zip(("cur", "min", "max"), values, strict=True)
    }
