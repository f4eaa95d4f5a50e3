"""The libraries that build and run engines: TensorRT and TensorRT for RTX."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from edgener_runtime.errors import ProviderError, UserInputError
from edgener_runtime.machine.probe.cuda import CudaDriver, Gpu, cuda_driver

from .options import EngineOptions

_DEVICES = "See what this machine has: edgener-runtime devices"


@dataclass(frozen=True)
class Backend:
    """A library with TensorRT's interface: its module, the module of its bindings alone, and the command that
    installs it (None: the probe's, which knows JetPacks).

    One that `cross_builds` needs no GPU to build for a compute capability. `ignored` are options that the library
    accepts without effect, with the reason: they are refused. `on_gpu_only` are options that need a GPU in the machine
    that builds.
    """

    name: str
    title: str
    module: str
    bindings: str
    install: str | None
    cross_builds: bool = False
    keeps_timings: bool = False
    ignored: Mapping[str, str] = field(default_factory=dict)
    on_gpu_only: Collection[str] = ()


_NOT_IN_RTX = "TensorRT for RTX accepts it without effect"
BACKENDS = {
    backend.name: backend
    for backend in (
        Backend(
            "tensorrt",
            "TensorRT",
            "tensorrt",
            "tensorrt_bindings",
            None,
            keeps_timings=True,
        ),
        Backend(
            "tensorrt-rtx",
            "TensorRT for RTX",
            "tensorrt_rtx",
            "tensorrt_rtx_bindings",
            "pip install tensorrt-rtx-cu12",
            cross_builds=True,
            ignored=dict.fromkeys(
                ("hardware_compatibility", "dla_core", "gpu_fallback", "average_timings"), _NOT_IN_RTX
            ),
            on_gpu_only=("refit", "strip_weights", "version_compatible"),
        ),
    )
}


def find_backend(name: str) -> Backend:
    """A row of the table. Raises UserInputError with the names there are."""
    if name not in BACKENDS:
        raise UserInputError(f"there is no backend {name!r}", f"Choose one of: {', '.join(BACKENDS)}")
    return BACKENDS[name]


def load_backend(name: str, needs_gpu: bool = True) -> Any:
    """The module of a backend, on a machine with a GPU where `needs_gpu`.

    The driver is checked first, as TensorRT crashes without one. Raises ProviderError with the reason and the next
    command.
    """
    backend = find_backend(name)
    if needs_gpu:
        require_gpu(backend)
    try:
        return _import(backend)
    except ImportError as error:
        raise ProviderError(f"{backend.title} cannot be loaded: {_reason(error, backend)}", _install(backend)) from None


def require_gpu(backend: Backend) -> tuple[CudaDriver, Gpu]:
    """The driver and CUDA's first GPU. Raises ProviderError where there is none."""
    driver = cuda_driver()
    if driver.why or not driver.gpus:
        why = driver.why or "there is none"
        raise ProviderError(f"{backend.title} needs an NVIDIA GPU, and {why}", f"{_install(backend)}\n{_DEVICES}")
    return driver, driver.gpus[0]


def check_backend(backend: Backend, options: EngineOptions, capabilities: Collection[str]) -> None:
    """Raises UserInputError for options that this backend ignores, or that need the GPU it builds for."""
    plain = EngineOptions()
    used = [name for name in EngineOptions.__dataclass_fields__ if getattr(options, name) != getattr(plain, name)]
    for name in used:
        if name in backend.ignored:
            raise UserInputError(f"{_option(name)}: {backend.ignored[name]}", "Leave it out, or use another --backend.")
        if capabilities and name in backend.on_gpu_only:
            raise UserInputError(
                f"{_option(name)}: {backend.title} needs the GPU itself for it",
                "Build on the device: edgener-runtime prepare",
            )
    if capabilities and not backend.cross_builds:
        raise UserInputError(
            f"{backend.title} builds for the GPU it runs on, not for compute capability {', '.join(capabilities)}",
            "Build on the device (edgener-runtime prepare), or cross-build with --backend tensorrt-rtx.",
        )


def make(factory: Any, *arguments: Any) -> Any:
    """An object of a class of TensorRT. Raises ProviderError where it makes none, as without a usable driver."""
    try:
        made = factory(*arguments)
    except TypeError as error:
        raise ProviderError(f"TensorRT makes no {factory.__name__}: {error}", _DEVICES) from None
    if made is None:
        raise ProviderError(f"TensorRT makes no {factory.__name__}", _DEVICES)
    return made


def _import(backend: Backend) -> ModuleType:
    try:
        return importlib.import_module(backend.module)
    except ModuleNotFoundError as error:
        if error.name != backend.module:
            raise
        return importlib.import_module(backend.bindings)  # the wheel of the bindings has no other module


def _install(backend: Backend) -> str:
    """The next command for this machine."""
    if backend.install:
        return backend.install
    from edgener_runtime.machine.probe.record import probe

    return probe().device(backend.name).install or _DEVICES


def _reason(error: ImportError, backend: Backend) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name == backend.bindings:
        return f"this Python has no module {backend.module}"
    if "cannot open shared object file" in str(error):
        return f"its bindings are installed and its libraries are not ({error})"
    return str(error)


def _option(field_name: str) -> str:
    return f"--{field_name.replace('_', '-')}"
