"""Build options of an engine: tables from our options to TensorRT's builder configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edgener_runtime.errors import ProviderError, UserInputError

Get = Callable[[Any], Any]
"""Returns a member of one of a module's enumerations, by name, as the numbers differ between versions."""


@dataclass(frozen=True)
class EngineOptions:
    """Build options; None and empty keep TensorRT's default.

    `pools` are bytes by the names of POOLS. `tf32` lets FP32 products round to 10 bits of mantissa: TensorRT's default,
    but then FP32 would not give PyTorch's own labels. With `strip_weights` the engine must be refitted before it runs.
    """

    pools: dict[str, int] = field(default_factory=dict)
    builder_optimization_level: int | None = None
    hardware_compatibility: str = "none"
    version_compatible: bool = False
    exclude_lean_runtime: bool = False
    strip_weights: bool = False
    refit: bool = False
    tf32: bool = False
    sparse_weights: bool = False
    dla_core: int | None = None
    gpu_fallback: bool = False
    profiling_verbosity: str = "layer-names"
    max_aux_streams: int | None = None
    average_timings: int | None = None


FLAGS: Mapping[str, Get] = {
    "version_compatible": lambda trt: trt.BuilderFlag.VERSION_COMPATIBLE,
    "exclude_lean_runtime": lambda trt: trt.BuilderFlag.EXCLUDE_LEAN_RUNTIME,
    "strip_weights": lambda trt: trt.BuilderFlag.STRIP_PLAN,
    "refit": lambda trt: trt.BuilderFlag.REFIT,
    "tf32": lambda trt: trt.BuilderFlag.TF32,
    "sparse_weights": lambda trt: trt.BuilderFlag.SPARSE_WEIGHTS,
    "gpu_fallback": lambda trt: trt.BuilderFlag.GPU_FALLBACK,
}
POOLS: Mapping[str, Get] = {
    "workspace": lambda trt: trt.MemoryPoolType.WORKSPACE,
    "tactic-dram": lambda trt: trt.MemoryPoolType.TACTIC_DRAM,
    "tactic-shared-memory": lambda trt: trt.MemoryPoolType.TACTIC_SHARED_MEMORY,
    "dla-managed-sram": lambda trt: trt.MemoryPoolType.DLA_MANAGED_SRAM,
    "dla-local-dram": lambda trt: trt.MemoryPoolType.DLA_LOCAL_DRAM,
    "dla-global-dram": lambda trt: trt.MemoryPoolType.DLA_GLOBAL_DRAM,
}
COMPATIBILITY: Mapping[str, Get] = {
    "none": lambda trt: trt.HardwareCompatibilityLevel.NONE,
    "ampere-plus": lambda trt: trt.HardwareCompatibilityLevel.AMPERE_PLUS,
    # not in 10.3
    "same-compute-capability": lambda trt: member(trt, "HardwareCompatibilityLevel", "SAME_COMPUTE_CAPABILITY"),
}
VERBOSITY: Mapping[str, Get] = {
    "layer-names": lambda trt: trt.ProfilingVerbosity.LAYER_NAMES_ONLY,
    "detailed": lambda trt: trt.ProfilingVerbosity.DETAILED,
    "none": lambda trt: trt.ProfilingVerbosity.NONE,
}
LEVELS = range(6)
_UNITS = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def member(trt: Any, enumeration: str, name: str) -> Any:
    """A member that some versions do not have. Raises ProviderError where this version is one of them."""
    members = getattr(trt, enumeration, None)
    found = getattr(members, name, None)
    if found is None:
        raise ProviderError(
            f"{trt.__name__} {trt.__version__} has no {enumeration}.{name}", "Leave the option out, or update TensorRT."
        )
    return found


def apply_options(trt: Any, builder: Any, config: Any, options: EngineOptions) -> None:
    """Set the options in a builder configuration. Raises ProviderError where this TensorRT does not have one."""
    for name, get in FLAGS.items():
        if getattr(options, name):
            config.set_flag(get(trt))
        else:
            config.clear_flag(get(trt))
    for name, size in options.pools.items():
        config.set_memory_pool_limit(POOLS[name](trt), size)
    if options.hardware_compatibility != "none":
        config.hardware_compatibility_level = COMPATIBILITY[options.hardware_compatibility](trt)
    config.profiling_verbosity = VERBOSITY[options.profiling_verbosity](trt)
    if options.builder_optimization_level is not None:
        config.builder_optimization_level = options.builder_optimization_level
    if options.max_aux_streams is not None:
        config.max_aux_streams = options.max_aux_streams
    if options.average_timings is not None:
        config.avg_timing_iterations = options.average_timings
    if options.dla_core is not None:
        _use_dla(trt, builder, config, options.dla_core)


def _use_dla(trt: Any, builder: Any, config: Any, core: int) -> None:
    if core >= builder.num_DLA_cores:
        raise ProviderError(
            f"DLA core {core} was asked for, this device has {builder.num_DLA_cores}",
            "Leave --dla-core out: Orin Nano and Thor have no DLA.",
        )
    config.default_device_type = trt.DeviceType.DLA
    config.DLA_core = core


def check_options(options: EngineOptions) -> None:
    """Raises UserInputError for an unknown name, a number out of range, or options that exclude each other."""
    for what, found, table in (
        ("memory pool", [*options.pools], POOLS),
        ("hardware compatibility", [options.hardware_compatibility], COMPATIBILITY),
        ("profiling verbosity", [options.profiling_verbosity], VERBOSITY),
    ):
        if unknown := [name for name in found if name not in table]:
            raise UserInputError(f"there is no {what} {unknown[0]!r}", f"Choose one of: {', '.join(table)}")
    if options.builder_optimization_level is not None and options.builder_optimization_level not in LEVELS:
        raise UserInputError(f"--builder-optimization-level is {options.builder_optimization_level}, expected 0 to 5")
    for wrong, message, hint in _conflicts(options):
        if wrong:
            raise UserInputError(message, hint)


def _conflicts(options: EngineOptions) -> tuple[tuple[bool, str, str], ...]:
    on_dla = options.dla_core is not None
    return (
        (
            options.gpu_fallback and not on_dla,
            "--gpu-fallback is for a DLA, and none is asked for",
            "Add --dla-core 0.",
        ),
        (
            options.exclude_lean_runtime and not options.version_compatible,
            "without --version-compatible there is no lean runtime to leave out",
            "Add --version-compatible.",
        ),
        (
            options.hardware_compatibility != "none" and on_dla,
            "an engine for a DLA runs on that device alone",
            "Leave --hardware-compatibility or --dla-core out.",
        ),
    )


def parse_size(text: str) -> int:
    """Bytes of `512M`, `2G`, `1048576`. Raises UserInputError."""
    number, unit = (text[:-1], text[-1].upper()) if text[-1:].isalpha() else (text, "")
    if not number.isdecimal() or unit not in _UNITS or not int(number):
        raise UserInputError(f"{text!r} is not a size", "For example 512M or 2G.")
    return int(number) * _UNITS[unit]
