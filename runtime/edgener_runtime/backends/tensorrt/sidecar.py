"""What is known of an engine, in a file beside it, and the check of it before every load."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgener_runtime.base.files import sha256_of
from edgener_runtime.base.serde import SchemaError, from_json
from edgener_runtime.bundle.manifest import VariantEntry
from edgener_runtime.errors import BundleError, ProviderError

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
    """What a DLA takes of a network's layers, as the builder said before the build; the others run on the GPU."""

    core: int
    layers: int
    on_dla: int
    on_gpu: tuple[str, ...]


@dataclass(frozen=True)
class Sidecar:
    """Where an engine came from, what it runs on and what it takes.

    `backend` is `tensorrt` or `tensorrt-rtx`, `version` that library's; `gpu` the name of the GPU it was built on, None
    where it was built ahead for `compute_capabilities`; `driver` the newest CUDA that its driver served.
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
class Here:
    """What an engine is about to run with: the backend and its version, the GPU's name and compute capability."""

    backend: str
    version: str
    gpu: str
    compute_capability: str


def read_sidecar(engine: Path, rebuild: str) -> Sidecar:
    """What is known of an engine; `rebuild` is the command that makes it.

    Raises ProviderError where it was never built, BundleError where it or its sidecar is damaged.
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


def check_sidecar(bundle: Path, entry: VariantEntry, here: Here) -> Sidecar:
    """What is known of a variant's engine, which is whole, of this very model, and built for where it is to run.

    To be called before every load: TensorRT crashes at what it should refuse. Raises ProviderError where it is missing
    or was built for another GPU, TensorRT or model, BundleError where it is damaged; the hint is the command to build.
    """
    engine = engine_file(bundle, entry.name)
    rebuild = rebuild_command(bundle, entry.name)
    sidecar = read_sidecar(engine, rebuild)
    for what, built, found in _differences(sidecar, entry, here):
        raise ProviderError(f"{engine} was built for {what} {built}, here is {found}", rebuild)
    if engine.stat().st_size != sidecar.engine_size or sha256_of(engine) != sidecar.engine_sha256:
        raise BundleError(f"{engine} was changed since it was built: its SHA-256 is not the sidecar's", rebuild)
    if sidecar.options.strip_weights:
        raise ProviderError(f"{engine} was built without its weights, so it cannot run", rebuild)
    return sidecar


def rebuild_command(bundle: Path, variant: str) -> str:
    """The command that builds a variant's engine on the device."""
    return f"edgener-runtime prepare {shlex.quote(str(bundle))} --variant {variant}"


def _differences(sidecar: Sidecar, entry: VariantEntry, here: Here) -> Iterator[tuple[str, str, str]]:
    """What an engine was built for and does not find: of what kind, what it is, and what is here instead."""
    if sidecar.variant != entry.name:
        yield "variant", sidecar.variant, entry.name
    if sidecar.onnx_sha256 != entry.file.sha256:
        yield "a model with SHA-256", sidecar.onnx_sha256[:12], entry.file.sha256[:12]
    if sidecar.backend != here.backend:
        yield "backend", sidecar.backend, here.backend
    if not _runs_with(sidecar, here.version):
        yield sidecar.backend, sidecar.version, here.version
    if not _runs_on(sidecar, here):
        built = f"{sidecar.gpu or 'any'} with compute capability {', '.join(sidecar.compute_capabilities)}"
        yield "the GPU", built, f"{here.gpu} with {here.compute_capability}"


def _runs_with(sidecar: Sidecar, version: str) -> bool:
    """The same version; a version-compatible engine also runs with a later one of the same major."""
    if not sidecar.options.version_compatible or sidecar.version == version:
        return sidecar.version == version
    built, found = _numbers(sidecar.version), _numbers(version)
    return built[:1] == found[:1] and built <= found


def _runs_on(sidecar: Sidecar, here: Here) -> bool:
    """The same GPU, one of the compute capabilities it was built ahead for, or what compatibility allows."""
    level = sidecar.options.hardware_compatibility
    if level == "ampere-plus":
        return _numbers(here.compute_capability) >= _AMPERE
    same_capability = here.compute_capability in sidecar.compute_capabilities
    return same_capability and (sidecar.gpu in (None, here.gpu) or level == "same-compute-capability")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
