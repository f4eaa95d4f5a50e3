"""THE table of what runs on which JetPack and CUDA, and where its wheels come from.

`devices`, `doctor`, the hints of errors and docs/reference/devices.md are made of it. What is marked as looked up was
read off the package index: that it has a wheel, and what the wheel asks for. The rest is from documentation and issue
threads. None of it was run on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass, field

JETSON_INDEX = "https://pypi.jetson-ai-lab.io"  # NVIDIA's wheels for Jetsons


@dataclass(frozen=True)
class Soc:
    """A chip by its name in the device tree: the family of boards that has it, and its GPU's compute capability."""

    family: str
    compute_capability: str


@dataclass(frozen=True)
class JetPack:
    """A line of JetPacks: its Jetson Linux, what comes with it, and the onnxruntimes there are for it.

    `l4t` are beginnings of Jetson Linux's release; `cpu_wheel` is the newest onnxruntime on the package index for its
    Python, and `looked_up` whether that was looked up there; `gpu_wheels` is a folder of NVIDIA's index by chip;
    `too_old` is the reason why we do not support it.
    """

    name: str
    l4t: tuple[str, ...]
    cuda: str
    tensorrt: str
    python: str
    families: tuple[str, ...]
    cpu_wheel: str
    looked_up: bool
    gpu_wheels: dict[str, str] = field(default_factory=dict)
    too_old: str | None = None


@dataclass(frozen=True)
class Toolkit:
    """A major version of CUDA on a machine that is not a Jetson: the onnxruntime-gpu built for it, and its TensorRT."""

    cuda: int
    onnxruntime: str
    tensorrt: str


SOCS = {
    "tegra210": Soc("Nano, TX1", "5.3"),
    "tegra186": Soc("TX2", "6.2"),
    "tegra194": Soc("Xavier", "7.2"),
    "tegra234": Soc("Orin", "8.7"),
    "tegra264": Soc("Thor", "11.0"),
}

_OLD = "its Python {} and TensorRT {} are older than what this runtime works with"
JETPACKS = (
    JetPack(
        "4.x", ("32.",), "10.2", "8.2", "3.6", ("Nano, TX1", "TX2", "Xavier"), "none", False,
        too_old=_OLD.format("3.6", "8.2"),
    ),
    JetPack(
        "5.x", ("34.", "35."), "11.4", "8.5", "3.8", ("Xavier", "Orin"), "about 1.19", False,
        too_old=_OLD.format("3.8", "8.5"),
    ),
    JetPack(
        "6.0", ("36.2", "36.3"), "12.2", "8.6", "3.10", ("Orin",), "1.23.2", True,
        too_old="its TensorRT 8.6 is older than what this runtime works with",
    ),
    JetPack(
        "6.1 to 6.2", ("36.4", "36.5"), "12.6", "10.3", "3.10", ("Orin",), "1.23.2", True,
        {"tegra234": "jp6/cu126"},
    ),
    JetPack("7.0 to 7.1", ("38.",), "13.0", "10.13", "3.12", ("Thor",), "1.32", True, {"tegra264": "sbsa/cu130"}),
    JetPack(
        "7.2", ("39.",), "13.2", "10.16", "3.12", ("Orin", "Thor"), "1.32", True, {"tegra264": "sbsa/cu130"},
    ),
)  # fmt: skip
TOOLKITS = (
    Toolkit(12, "onnxruntime-gpu[cuda,cudnn]>=1.23,<1.27", "tensorrt-cu12>=10.3"),
    Toolkit(13, "onnxruntime-gpu[cuda,cudnn]>=1.27", "tensorrt-cu13>=10.13"),
)

ORT_TENSORRT = ",<11"  # onnxruntime's TensorRT provider links libnvinfer.so.10

# The JetPack that a release of Jetson Linux came with, where it is known exactly.
_RELEASES = {
    "35.1.0": "5.0.2", "35.2.1": "5.1", "35.3.1": "5.1.1", "35.4.1": "5.1.2", "35.5.0": "5.1.3", "35.6.0": "5.1.4",
    "36.3.0": "6.0", "36.4.0": "6.1", "36.4.3": "6.2", "36.4.4": "6.2.1", "36.5.0": "6.2.2", "36.5.2": "6.2.3",
    "38.2.0": "7.0", "38.2.1": "7.0", "38.4.0": "7.1", "39.2.0": "7.2", "39.2.1": "7.2.1",
}  # fmt: skip

JETPACK_HEADINGS = (
    "JetPack", "Jetson Linux", "boards", "CUDA", "TensorRT", "Python", "onnxruntime for the CPU", "for the GPU",
)  # fmt: skip
TOOLKIT_HEADINGS = ("CUDA of the driver", "onnxruntime", "TensorRT")


def jetpack_line(l4t: str) -> JetPack | None:
    """The line of JetPacks that a release of Jetson Linux belongs to, or None where the table has none."""
    return next((line for line in JETPACKS if l4t.startswith(line.l4t)), None)


def jetpack_of(l4t: str) -> str | None:
    """The JetPack of a release of Jetson Linux: exactly where it is known, else its line, else None."""
    line = jetpack_line(l4t)
    return _RELEASES.get(l4t) or (line.name if line else None)


def toolkit_for(cuda: str | None) -> Toolkit:
    """The software for a driver that supports this CUDA; the newest where there is no driver."""
    serves = int(cuda.split(".")[0]) if cuda else TOOLKITS[-1].cuda
    return max((kit for kit in TOOLKITS if kit.cuda <= serves), key=lambda kit: kit.cuda, default=TOOLKITS[0])


def jetpack_rows() -> list[tuple[str, ...]]:
    """The rows of the table of JetPacks."""
    return [
        (
            line.name, ", ".join(f"R{release.rstrip('.')}" for release in line.l4t), ", ".join(line.families),
            line.cuda, line.tensorrt, line.python,
            f"{line.cpu_wheel}{' (looked up)' if line.looked_up else ''}", _gpu_cell(line),
        )
        for line in JETPACKS
    ]  # fmt: skip


def toolkit_rows() -> list[tuple[str, ...]]:
    """The rows of the table of machines that are not Jetsons."""
    return [(str(kit.cuda), f'`pip install "{kit.onnxruntime}"` (looked up)', f'`pip install "{kit.tensorrt}"`')
            for kit in TOOLKITS]  # fmt: skip


def _gpu_cell(line: JetPack) -> str:
    if line.too_old:
        return "not run: too old"
    cells = [f"{SOCS[soc].family}: {JETSON_INDEX}/{folder}" for soc, folder in line.gpu_wheels.items()]
    without = [family for family in line.families if not any(cell.startswith(family) for cell in cells)]
    return "; ".join([*cells, *(f"{family}: none, use TensorRT" for family in without)])
