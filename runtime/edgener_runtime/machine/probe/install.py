"""The command that installs a device's software, from the table of platforms and what was found on the machine."""

from __future__ import annotations

from collections.abc import Callable

from edgener_runtime.base.install import install_line, published_line

from .cuda import CudaDriver
from .facts import FileFacts
from .jetson import Jetson
from .packages import Packages
from .platforms import JETSON_INDEX, ORT_TENSORRT, SOCS, JetPack, jetpack_line, toolkit_for

_DRIVER_FIRST = "Install NVIDIA's driver until nvidia-smi answers, then: "
_JETSON_TENSORRT = "sudo apt-get install tensorrt python3-libnvinfer"
_SEES_SYSTEM = "python3 -m venv --system-site-packages venv"
_DLA_COMPILER = "sudo apt-get install nvidia-l4t-dla-compiler"


def cpu_line(installed: Packages) -> str:
    """The command for an onnxruntime that runs on the CPU only; the origin of another machine's runtime is unknown."""
    line = install_line if installed.python else published_line
    return _without(installed) + line("cpu")


def cuda_line(driver: CudaDriver, board: Jetson | None, installed: Packages) -> str:
    """The command for an onnxruntime that runs on this machine's GPU."""
    if not board:
        first = "" if driver.gpus else _DRIVER_FIRST
        return f'{first}{_without(installed)}pip install "{toolkit_for(driver.version).onnxruntime}"'
    line = jetpack_line(board.l4t or "")
    if not line or line.too_old:
        return _flash(board, line)
    folder = line.gpu_wheels.get(board.soc or "")
    if folder:
        return f"{_without(installed)}pip install onnxruntime-gpu --index-url {JETSON_INDEX}/{folder}"
    family = SOCS[board.soc].family if board.soc else "this board"
    return f"There is no built onnxruntime-gpu for {family} on JetPack {line.name}: use --device tensorrt."


def tensorrt_line(driver: CudaDriver, board: Jetson | None, missing: tuple[str, ...], most: str = "") -> str:
    """The command for TensorRT and its Python bindings, of a version within `most`; a Jetson's come with the system."""
    if not board:
        return f'{"" if driver.gpus else _DRIVER_FIRST}pip install "{toolkit_for(driver.version).tensorrt}{most}"'
    line = jetpack_line(board.l4t or "")
    if not line or line.too_old:
        return _flash(board, line)
    if any("libnvdla_compiler" in text for text in missing):
        return _DLA_COMPILER
    if any("does not see" in text for text in missing):
        return _SEES_SYSTEM
    return f"{_JETSON_TENSORRT} && {_SEES_SYSTEM}"


def _flash(board: Jetson, line: JetPack | None) -> str:
    if line:
        return f"Flash JetPack 6.1 or newer: JetPack {line.name} is not run, as {line.too_old}."
    return f"Flash JetPack 6.1 or newer: Jetson Linux {board.l4t or 'of unknown release'} is not known here."


def _without(installed: Packages) -> str:
    """Uninstall every onnxruntime first: a second one would overwrite its files."""
    names = " ".join(package.name for package in installed.onnxruntime)
    return f"pip uninstall -y {names} && " if names else ""


def _onnxruntime_tensorrt(facts: FileFacts, missing: tuple[str, ...]) -> str:
    """Where only TensorRT's libraries are missing, those of the TensorRT that this onnxruntime was built for."""
    if not facts.board and any("libnvinfer" in text for text in missing):
        return tensorrt_line(facts.driver, None, missing, most=ORT_TENSORRT)
    return cuda_line(facts.driver, facts.board, facts.packages)


INSTALLERS: dict[str, Callable[[FileFacts, tuple[str, ...]], str]] = {
    "onnxruntime": lambda facts, missing: cpu_line(facts.packages),
    "onnxruntime-gpu": lambda facts, missing: cuda_line(facts.driver, facts.board, facts.packages),
    "tensorrt": lambda facts, missing: tensorrt_line(facts.driver, facts.board, missing),
    "onnxruntime-tensorrt": _onnxruntime_tensorrt,
}
"""A device's `software` to the command that installs it, given the machine and what is missing there."""
