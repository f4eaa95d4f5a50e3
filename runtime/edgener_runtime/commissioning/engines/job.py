"""The input and the output of the process that builds an engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgener_runtime.backends.tensorrt.options import EngineOptions
from edgener_runtime.backends.tensorrt.profiles import Profile
from edgener_runtime.backends.tensorrt.sidecar import DlaReport, Tensor


@dataclass(frozen=True)
class BuildJob:
    """One engine to build: the files of the graph, the engine, its layers, and the timing cache, which may also be a
    folder with one file per GPU and version.

    `compute_capabilities` are GPUs that are not here; without any, the engine is for `gpu`, the one of this machine.
    """

    backend: str
    onnx: str
    engine: str
    profiles: tuple[Profile, ...]
    options: EngineOptions = field(default_factory=EngineOptions)
    compute_capabilities: tuple[str, ...] = ()
    gpu: str | None = None
    timing_cache: str | None = None
    layers: str | None = None


@dataclass(frozen=True)
class Built:
    """The facts of an engine that the process wrote."""

    version: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    seconds: float
    dla: DlaReport | None = None
