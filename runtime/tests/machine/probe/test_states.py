"""What is missing for each device, and the next command, on synthetic machines without a GPU, TensorRT or Jetson."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgener_runtime.base.install import install_line, published_line
from edgener_runtime.machine.devices import AUTO, DEVICES
from edgener_runtime.machine.probe.cuda import CudaDriver, Gpu
from edgener_runtime.machine.probe.facts import FileFacts
from edgener_runtime.machine.probe.install import cpu_line
from edgener_runtime.machine.probe.jetson import jetson
from edgener_runtime.machine.probe.libraries import library_folders
from edgener_runtime.machine.probe.packages import packages
from edgener_runtime.machine.probe.platforms import JETPACKS, JETSON_INDEX, SOCS, TOOLKITS
from edgener_runtime.machine.probe.states import DeviceState, device_states

from .machines import CUDA_13, libraries, library, onnxruntime, onnxruntime_gpu, tensorrt

NO_DRIVER = CudaDriver(None, (), "no CUDA driver (libcuda.so.1) is installed")
CUDA_126 = CudaDriver("12.6", (Gpu("NVIDIA L4", "8.9", 24 << 30),), None)
CUDA_130 = CudaDriver("13.0", (Gpu("NVIDIA L4", "8.9", 24 << 30),), None)
FLASH = "Flash JetPack 6.1 or newer: "


class Machine:
    """A root folder and a folder of packages, to be filled."""

    def __init__(self, root: Path) -> None:
        self.root, self.site, self.lib = root, root / "venv" / "site-packages", root / "usr" / "lib"
        self.site.mkdir(parents=True)
        self.lib.mkdir(parents=True, exist_ok=True)

    def states(self, driver: CudaDriver) -> dict[str, DeviceState]:
        """The state of each device with this driver."""
        sites = [self.site]
        folders, installed = library_folders(self.root, sites), packages(self.root, sites)
        facts = FileFacts(self.root, sites, folders, driver, installed, jetson(self.root))
        return {state.name: state for state in device_states(facts)}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_device_that_was_never_run_says_so(machine: Machine) -> None:
    states = machine.states(NO_DRIVER)
    assert [AUTO, *states] == list(DEVICES)
    assert [name for name, state in states.items() if state.proven] == ["cpu", "cuda"]


def test_a_ready_device_has_no_next_command(machine: Machine) -> None:
    onnxruntime(machine.site)
    states = machine.states(NO_DRIVER)
    assert states["cpu"] == DeviceState("cpu", True, (), None, True)
    for state in states.values():
        assert state.ready == (not state.missing) == (state.install is None)


# --- onnxruntime


def test_without_onnxruntime_every_line_installs_one(machine: Machine) -> None:
    states = machine.states(CUDA_130)
    assert states["cpu"].missing == ("no onnxruntime is installed",)
    assert states["cpu"].install == 'pip install "edgener-runtime[cpu]"'
    assert states["cuda"].missing == ("no onnxruntime is installed",)
    assert states["cuda"].install == f'pip install "{TOOLKITS[1].onnxruntime}"'


def test_on_this_machine_the_line_installs_from_where_the_runtime_came(machine: Machine) -> None:
    installed = packages(machine.root, [machine.site])
    assert installed.python is None and cpu_line(installed) == published_line("cpu")
    assert cpu_line(replace(installed, python="3.11.7")) == install_line("cpu")


def test_two_onnxruntimes_go_before_one_comes(machine: Machine) -> None:
    onnxruntime(machine.site)
    onnxruntime_gpu(machine.site)
    states = machine.states(NO_DRIVER)
    assert "overwrite each other" in states["cpu"].missing[0] and not states["cpu"].ready
    assert states["cpu"].install == 'pip uninstall -y onnxruntime onnxruntime-gpu && pip install "edgener-runtime[cpu]"'


def test_one_for_the_cpu_has_no_cuda(machine: Machine) -> None:
    onnxruntime(machine.site)
    states = machine.states(CUDA_126)
    assert states["cuda"].missing == ("onnxruntime 1.32.0 is built without CUDA",)
    assert states["cuda"].install == f'pip uninstall -y onnxruntime && pip install "{TOOLKITS[0].onnxruntime}"'
    assert states["tensorrt-ort"].missing == ("onnxruntime 1.32.0 is built without TensorRT",)


def test_the_driver_comes_first(machine: Machine) -> None:
    onnxruntime_gpu(machine.site)
    libraries(machine.lib, *CUDA_13)
    states = machine.states(NO_DRIVER)
    assert states["cuda"].missing == (NO_DRIVER.why,)
    assert (states["cuda"].install or "").startswith("Install NVIDIA's driver until nvidia-smi answers, then: ")


def test_libraries_that_are_missing_are_named(machine: Machine) -> None:
    onnxruntime_gpu(machine.site)
    libraries(machine.site / "nvidia" / "cu13" / "lib", "libcudart.so.13", "libcublas.so.13", "libcublasLt.so.13")
    assert machine.states(CUDA_130)["cuda"].missing == (
        "libcurand.so.10 not found, which libonnxruntime_providers_cuda.so needs",
    )


def test_libraries_of_another_cuda_do_not_count(machine: Machine) -> None:
    onnxruntime_gpu(machine.site, needs=["libcudart.so.13"])
    libraries(machine.lib, "libcudart.so.12", "libcudart.so.12.6.77")
    assert "libcudart.so.13 not found" in machine.states(CUDA_130)["cuda"].missing[0]


def test_a_driver_older_than_the_libraries_is_reported(machine: Machine) -> None:
    onnxruntime_gpu(machine.site)
    libraries(machine.lib, *CUDA_13)
    state = machine.states(CUDA_126)["cuda"]
    assert state.missing == ("the driver serves CUDA 12.6, libonnxruntime_providers_cuda.so needs 13",)
    assert state.install == f'pip uninstall -y onnxruntime-gpu && pip install "{TOOLKITS[0].onnxruntime}"'


def test_cuda_is_ready_with_all_of_it(machine: Machine) -> None:
    onnxruntime_gpu(machine.site)
    libraries(machine.site / "nvidia" / "cu13" / "lib", *CUDA_13)
    states = machine.states(CUDA_130)
    assert states["cuda"].ready
    assert states["tensorrt-ort"].missing == (
        "libnvinfer.so.10, libnvonnxparser.so.10, libcudnn.so.9 not found, "
        "which libonnxruntime_providers_tensorrt.so needs",
    )
    assert states["tensorrt-ort"].install == 'pip install "tensorrt-cu13>=10.13,<11"'
    libraries(machine.site / "tensorrt_libs", "libnvinfer.so.10", "libnvonnxparser.so.10")
    libraries(machine.site / "nvidia" / "cudnn" / "lib", "libcudnn.so.9")
    assert machine.states(CUDA_130)["tensorrt-ort"].ready


# --- TensorRT


def test_without_bindings_the_drivers_cuda_decides(machine: Machine) -> None:
    for driver, kit in ((CUDA_126, TOOLKITS[0]), (CUDA_130, TOOLKITS[1])):
        state = machine.states(driver)["tensorrt"]
        assert state.missing == ("TensorRT's Python bindings are not installed",)
        assert state.install == f'pip install "{kit.tensorrt}"'


@pytest.mark.parametrize("module", ["tensorrt", "tensorrt_bindings"])
def test_bindings_without_libraries_are_reported(module: str, machine: Machine) -> None:
    tensorrt(machine.site, 11, module)
    assert machine.states(CUDA_130)["tensorrt"].missing == (
        f"libnvinfer.so.11, libnvonnxparser.so.11 not found, which {module}.so needs",
    )
    libraries(machine.site / "tensorrt_libs", "libnvinfer.so.11", "libnvonnxparser.so.11")
    assert machine.states(CUDA_130)["tensorrt"].ready


def test_tensorrt_for_rtx_has_libraries_of_its_own(machine: Machine) -> None:
    needs = ("libtensorrt_rtx.so.1", "libtensorrt_onnxparser_rtx.so.1")
    library(machine.site / "tensorrt_rtx_bindings" / "tensorrt_rtx.so", *needs)
    assert machine.states(CUDA_130)["tensorrt"].missing == (
        f"{', '.join(needs)} not found, which tensorrt_rtx.so needs",
    )
    libraries(machine.site / "tensorrt_rtx_libs", *needs)
    assert machine.states(CUDA_130)["tensorrt"].ready


def test_a_tensorrt_that_is_too_old_is_reported(machine: Machine) -> None:
    tensorrt(machine.site, 8)
    libraries(machine.lib, "libnvinfer.so.8", "libnvonnxparser.so.8")
    assert machine.states(CUDA_130)["tensorrt"].missing == (
        "tensorrt.so is for TensorRT 8; this runtime works with 10 and newer",
    )


# --- Jetsons


@pytest.fixture
def jetsons(board: Callable[[str], Path]) -> Callable[[str], Machine]:
    return lambda name: Machine(board(name))


def test_another_machine_is_not_a_jetson(machine: Machine) -> None:
    state = machine.states(NO_DRIVER)["jetson"]
    assert state.missing[0].startswith("this machine is not a Jetson")
    assert state.install == "Choose another device, or --device auto."


@pytest.mark.parametrize(
    ("name", "release", "line"),
    [
        ("orin-nano", None, f"pip install onnxruntime-gpu --index-url {JETSON_INDEX}/jp6/cu126"),
        ("agx-thor", None, f"pip install onnxruntime-gpu --index-url {JETSON_INDEX}/sbsa/cu130"),
        ("xavier-nx", None, f"{FLASH}JetPack 5.x is not run, as its Python 3.8 and TensorRT 8.5 are older than"),
        ("orin-nx", "R39 (release), REVISION: 2.0,", "There is no built onnxruntime-gpu for Orin on JetPack 7.2"),
        ("orin-nx", "R50 (release), REVISION: 1.0,", f"{FLASH}Jetson Linux 50.1.0 is not known here."),
    ],
)
def test_onnxruntime_for_a_jetson(name: str, release: str | None, line: str, jetsons: Callable[[str], Machine]) -> None:
    machine = jetsons(name)
    if release:
        (machine.root / "etc" / "nv_tegra_release").write_text(f"# {release}")
    assert (machine.states(CUDA_126)["cuda"].install or "").startswith(line)


def test_tensorrt_on_a_jetson_comes_with_the_system(jetsons: Callable[[str], Machine]) -> None:
    machine = jetsons("orin-nano")
    assert machine.states(CUDA_126)["tensorrt"].install == (
        "sudo apt-get install tensorrt python3-libnvinfer && python3 -m venv --system-site-packages venv"
    )
    tensorrt(machine.root / "usr" / "lib" / "python3.10" / "dist-packages")
    state = machine.states(CUDA_126)["tensorrt"]
    assert state.missing == (
        "TensorRT's Python bindings are installed for the system, and this environment does not see them",
    )
    assert state.install == "python3 -m venv --system-site-packages venv"


def test_a_dla_compiler_that_is_missing_is_a_package_of_its_own(jetsons: Callable[[str], Machine]) -> None:
    machine = jetsons("orin-nx")
    tensorrt(machine.site)
    library(machine.lib / "libnvinfer.so.10", "libnvdla_compiler.so")
    libraries(machine.lib, "libnvonnxparser.so.10")
    state = machine.states(CUDA_126)["tensorrt"]
    assert state.missing == ("libnvdla_compiler.so not found, which tensorrt.so needs",)
    assert state.install == "sudo apt-get install nvidia-l4t-dla-compiler"


def test_a_jetson_is_ready_with_either(jetsons: Callable[[str], Machine]) -> None:
    machine = jetsons("orin-nano")
    bare = machine.states(CUDA_126)["jetson"]
    assert [what.partition(":")[0] for what in bare.missing] == ["tensorrt cannot be used", "cuda cannot be used"]
    assert bare.install == machine.states(CUDA_126)["tensorrt"].install
    tensorrt(machine.site)
    libraries(machine.lib, "libnvinfer.so.10", "libnvonnxparser.so.10")
    assert machine.states(CUDA_126)["jetson"].ready
    assert not machine.states(NO_DRIVER)["jetson"].ready


def test_an_old_jetson_is_refused_whatever_it_has(jetsons: Callable[[str], Machine]) -> None:
    machine = jetsons("xavier-nx")
    tensorrt(machine.site)
    libraries(machine.lib, "libnvinfer.so.10", "libnvonnxparser.so.10")
    state = machine.states(CUDA_126)["jetson"]
    assert state.missing[0].startswith("JetPack 5.1.2 is too old: its Python 3.8")
    assert (state.install or "").startswith(FLASH)


# --- the table


@pytest.mark.parametrize(("name", "soc"), [(line.name, soc) for line in JETPACKS for soc in line.gpu_wheels])
def test_wheels_are_for_chips_of_the_lines_boards(name: str, soc: str) -> None:
    line = next(line for line in JETPACKS if line.name == name)
    assert SOCS[soc].family in line.families and line.too_old is None


def test_no_two_lines_claim_one_release() -> None:
    claims = [release for line in JETPACKS for release in line.l4t]
    assert [one for one in claims if any(one != other and one.startswith(other) for other in claims)] == []
    assert len(set(claims)) == len(claims)
