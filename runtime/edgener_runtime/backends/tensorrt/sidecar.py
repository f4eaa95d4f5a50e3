"""The sidecar, a file that describes an engine, and the check of an engine before every load."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgener_runtime.base.files import sha256_of
from edgener_runtime.base.serde import SchemaError, from_json
from edgener_runtime.bundle.manifest import VariantEntry
from edgener_runtime.errors import BundleError, ProviderError
from edgener_runtime.version import version_numbers

from .options import EngineOptions
from .paths import engine_file, sidecar_file
from .profiles import Profile

SCHEMA_VERSION = 1
_AMPERE = (8, 0)


@dataclass(frozen=True)
class Tensor:
    """An input or output of an engine: name, type in TensorRT's words (INT64, FLOAT), shape with -1 for any size."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class DlaReport:
    """The layers of a network that a DLA takes, as the builder reported before the build; the others run on the GPU."""

    core: int
    layers: int
    on_dla: int
    on_gpu: tuple[str, ...]


@dataclass(frozen=True)
class Sidecar:
    """Where an engine came from, what it runs on and which shapes it takes.

    `backend` is `tensorrt` or `tensorrt-rtx`, `version` that library's; `gpu` is the GPU that it was built on, or None
    where it was cross-built for `compute_capabilities`; `driver` is the newest CUDA that its driver supported.
    """

    backend: str
    version: str
    gpu: str | None
    compute_capabilities: tuple[str, ...]
    driver: str | None
    variant: str
    onnx_sha256: str
    engine_sha256: str
    engine_size: int
    profiles: tuple[Profile, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    seconds: float
    options: EngineOptions = field(default_factory=EngineOptions)
    dla: DlaReport | None = None
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True)
class EngineTarget:
    """Where an engine is to run: the backend and its version, the GPU's name and compute capability."""

    backend: str
    version: str
    gpu: str
    compute_capability: str


def read_sidecar(engine: Path, rebuild: str) -> Sidecar:
    """The sidecar of an engine; `rebuild` is the command that builds the engine.

    Raises ProviderError where there is no engine, BundleError where the sidecar is damaged.
    """
    file = sidecar_file(engine)
    if not engine.is_file():
        raise ProviderError(f"no engine is built: {engine} is not there", rebuild)
    try:
        sidecar = from_json(Sidecar, file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        raise BundleError(f"cannot read {file}: {error.strerror}", rebuild) from None
    except (SchemaError, UnicodeDecodeError) as error:
        raise BundleError(f"{file} is damaged: {error}", rebuild) from None
    if sidecar.schema_version != SCHEMA_VERSION:
        raise BundleError(f"{file} has schema version {sidecar.schema_version}, expected {SCHEMA_VERSION}", rebuild)
    return sidecar


def check_sidecar(bundle: Path, entry: VariantEntry, target: EngineTarget) -> Sidecar:
    """The sidecar of a variant's engine, once the engine is known to be undamaged, of this model and for this target.

    Call it before every load: TensorRT crashes at what it should refuse. Raises ProviderError where the engine is
    missing or was built for another GPU, TensorRT or model, BundleError where it is damaged; the hint builds it again.
    """
    engine = engine_file(bundle, entry.name)
    rebuild = rebuild_command(bundle, entry.name)
    sidecar = read_sidecar(engine, rebuild)
    for what, built, found in _differences(sidecar, entry, target):
        raise ProviderError(f"{engine} was built for {what} {built}, here is {found}", rebuild)
    if engine.stat().st_size != sidecar.engine_size or sha256_of(engine) != sidecar.engine_sha256:
        raise BundleError(f"{engine} was changed since it was built: its SHA-256 is not the sidecar's", rebuild)
    if sidecar.options.strip_weights:
        raise ProviderError(f"{engine} was built without its weights, so it cannot run", rebuild)
    return sidecar


def rebuild_command(bundle: Path, variant: str) -> str:
    """The command that builds a variant's engine on the device."""
    return f"edgener-runtime prepare {shlex.quote(str(bundle))} --variant {variant}"


def _differences(sidecar: Sidecar, entry: VariantEntry, target: EngineTarget) -> Iterator[tuple[str, str, str]]:
    """Every difference between what an engine was built for and its target: what differs, built for, and found."""
    if sidecar.variant != entry.name:
        yield "variant", sidecar.variant, entry.name
    if sidecar.onnx_sha256 != entry.file.sha256:
        yield "a model with SHA-256", sidecar.onnx_sha256[:12], entry.file.sha256[:12]
    if sidecar.backend != target.backend:
        yield "backend", sidecar.backend, target.backend
    if not _runs_with(sidecar, target.version):
        yield sidecar.backend, sidecar.version, target.version
    if not _runs_on(sidecar, target):
        built = f"{sidecar.gpu or 'any'} with compute capability {', '.join(sidecar.compute_capabilities)}"
        yield "the GPU", built, f"{target.gpu} with {target.compute_capability}"


def _runs_with(sidecar: Sidecar, version: str) -> bool:
    """The same version; a version-compatible engine also runs with later versions of the same major."""
    if not sidecar.options.version_compatible or sidecar.version == version:
        return sidecar.version == version
    built, found = version_numbers(sidecar.version), version_numbers(version)
    return built[:1] == found[:1] and built <= found


def _runs_on(sidecar: Sidecar, target: EngineTarget) -> bool:
    """The same GPU, one of the compute capabilities it was cross-built for, or what compatibility allows."""
    level = sidecar.options.hardware_compatibility
    if level == "ampere-plus":
        return version_numbers(target.compute_capability) >= _AMPERE
    same_capability = target.compute_capability in sidecar.compute_capabilities
    return same_capability and (sidecar.gpu in (None, target.gpu) or level == "same-compute-capability")
