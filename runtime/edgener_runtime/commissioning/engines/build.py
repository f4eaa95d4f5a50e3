"""Build a variant's engine and its sidecar beside the bundle, both of them or neither."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edgener_runtime.backends.tensorrt.backend import Backend, check_backend, find_backend, require_gpu
from edgener_runtime.backends.tensorrt.options import EngineOptions, check_options
from edgener_runtime.backends.tensorrt.paths import engine_file, layers_file, sidecar_file
from edgener_runtime.backends.tensorrt.profiles import Profile
from edgener_runtime.backends.tensorrt.sidecar import Sidecar
from edgener_runtime.base.files import sha256_of, write_atomic
from edgener_runtime.base.process import Event, Follow, python_command, run_process
from edgener_runtime.base.serde import from_json, to_dict, to_json
from edgener_runtime.bundle.manifest import VariantEntry
from edgener_runtime.errors import ProviderError, StorageError
from edgener_runtime.machine.devices import TENSORRT
from edgener_runtime.machine.probe.cuda import CudaDriver, Gpu

from .failures import failure
from .job import BuildJob, Built

WORKER = python_command("edgener_runtime.commissioning.engines.worker")


@dataclass(frozen=True)
class BuildRequest:
    """How to build an engine: the backend, its options, GPUs that are not here, and the timing cache.

    `timing_cache` is a file, or a folder with one file per GPU and version; None is the engine's own folder.
    """

    backend: str = "tensorrt"
    options: EngineOptions = field(default_factory=EngineOptions)
    compute_capabilities: tuple[str, ...] = ()
    timing_cache: Path | None = None


def ignore(event: Event) -> None:
    """Build without reporting progress."""


def build_engine(
    bundle: Path, entry: VariantEntry, profiles: Sequence[Profile], request: BuildRequest, follow: Follow = ignore
) -> Sidecar:
    """Build the engine of a variant in a process of its own, and write it with its sidecar beside the bundle.

    The caller has verified the bundle and checked the profiles. `follow` gets the events of the process. Raises
    UserInputError, ProviderError, ExportError, DeviceError or StorageError; an earlier engine is then unchanged.
    """
    backend = find_backend(request.backend)
    check_options(request.options)
    check_backend(backend, request.options, request.compute_capabilities)
    check_variant(entry)
    driver, gpu = (None, None) if request.compute_capabilities else require_gpu(backend)
    engine = engine_file(bundle, entry.name)
    with _staging(engine) as staging:
        job = _job(bundle / entry.file.path, staging, profiles, request, backend, gpu)
        built = _run(job, backend, follow)
        sidecar = _sidecar(staging / _ENGINE, entry, job, built, driver, gpu)
        _put(staging, engine, sidecar)
    return sidecar


def check_variant(entry: VariantEntry) -> None:
    """Raises ProviderError if a variant's graph is not made for TensorRT."""
    if TENSORRT not in entry.requirements.providers:
        raise ProviderError(
            f"variant {entry.name} is made for {', '.join(entry.requirements.providers)}, not for TensorRT",
            "Export one that is: edgener export --variant fp32,fp16,int8-qdq",
        )


_ENGINE, _LAYERS, _SIDECAR = "engine", "layers.json", "sidecar.json"


def _job(
    onnx: Path, staging: Path, profiles: Sequence[Profile], request: BuildRequest, backend: Backend, gpu: Gpu | None
) -> BuildJob:
    timings = str(request.timing_cache or staging.parent) if backend.keeps_timings else None
    return BuildJob(
        request.backend, str(onnx), str(staging / _ENGINE), tuple(profiles), request.options,
        request.compute_capabilities, gpu.name if gpu else None, timings, str(staging / _LAYERS) if gpu else None,
    )  # fmt: skip


def _run(job: BuildJob, backend: Backend, follow: Follow) -> Built:
    events: list[Event] = []

    def record(event: Event) -> None:
        if event["event"] in ("log", "failed", "built"):
            events.append(event)
        follow(event)

    ended = run_process(WORKER, json.dumps(to_dict(job)), record)
    if ended.code == 0 and (done := [event for event in events if event["event"] == "built"]):
        return from_json(Built, done[0]["facts"], "the builder's answer")
    raise failure(backend.title, ended, events)


def _sidecar(
    engine: Path, entry: VariantEntry, job: BuildJob, built: Built, driver: CudaDriver | None, gpu: Gpu | None
) -> Sidecar:
    return Sidecar(
        backend=job.backend,
        version=built.version,
        gpu=gpu.name if gpu else None,
        compute_capabilities=(gpu.compute_capability,) if gpu else job.compute_capabilities,
        driver=driver.version if driver else None,
        variant=entry.name,
        onnx_sha256=entry.file.sha256,
        engine_sha256=sha256_of(engine),
        engine_size=engine.stat().st_size,
        profiles=job.profiles,
        inputs=built.inputs,
        outputs=built.outputs,
        seconds=built.seconds,
        options=job.options,
        dla=built.dla,
    )


@contextmanager
def _staging(engine: Path) -> Iterator[Path]:
    """A folder beside the engine that is removed afterwards in any case. Raises StorageError."""
    folder = engine.with_name(f".{engine.name}.{secrets.token_hex(4)}.partial")
    try:
        folder.mkdir(parents=True)
        yield folder
    except OSError as error:
        raise StorageError(
            f"cannot write {engine}: {error.strerror}", "Free some space; an earlier engine is unchanged."
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _remove_if_empty(engine.parent)


def _put(staging: Path, engine: Path, sidecar: Sidecar) -> None:
    """Rename the complete and synced files: after a power failure in between, the sidecar's hash does not match."""
    write_atomic(staging / _SIDECAR, to_json(sidecar))
    (staging / _ENGINE).replace(engine)
    (staging / _SIDECAR).replace(sidecar_file(engine))
    layers = staging / _LAYERS
    if layers.is_file():
        layers.replace(layers_file(engine))
    else:  # the layers of an earlier engine
        layers_file(engine).unlink(missing_ok=True)
    _sync(engine.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # it has other engines, or does not exist
        return
