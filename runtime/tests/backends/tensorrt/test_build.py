"""A build ends with engine and sidecar, or with an error and what stood there before.

The process that would build is a stand-in written here; the real one runs on TensorRT for RTX in tests/nvidia.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.backends.tensorrt.paths import engine_file, engines_folder, layers_file, sidecar_file
from edgener_runtime.backends.tensorrt.profiles import profiles_for
from edgener_runtime.backends.tensorrt.sidecar import EngineTarget, Sidecar, check_sidecar
from edgener_runtime.base.files import sha256_of
from edgener_runtime.bundle.manifest import Manifest, VariantEntry
from edgener_runtime.commissioning.engines import build
from edgener_runtime.commissioning.engines.build import BuildRequest, build_engine
from edgener_runtime.errors import DeviceError, EdgenerError, ExportError, ProviderError, StorageError

from .conftest import WRITES, Plant

PROFILES = profiles_for([], 64)
AHEAD = BuildRequest("tensorrt-rtx", compute_capabilities=("8.6",))


def test_engine_and_sidecar_are_written(plant: Plant, copy: Path, entry: VariantEntry) -> None:
    plant(WRITES)
    events: list[dict[str, Any]] = []
    built = build_engine(copy, entry, PROFILES, AHEAD, events.append)
    engine = engine_file(copy, "fp32")
    assert engine.read_bytes() == b"an engine" and built.engine_sha256 == sha256_of(engine)
    assert [event["event"] for event in events] == ["built"]
    assert check_sidecar(copy, entry, EngineTarget("tensorrt-rtx", "1.7", "RTX 3060", "8.6")) == built
    assert sorted(path.name for path in engines_folder(copy).iterdir()) == ["fp32.engine", "fp32.engine.json"]


def test_the_job_has_all_that_the_process_needs(plant: Plant, copy: Path, entry: VariantEntry) -> None:
    plant('report(event="log", severity="INFO", message=json.dumps(job))' + WRITES)
    events: list[dict[str, Any]] = []
    build_engine(copy, entry, PROFILES, AHEAD, events.append)
    job = json.loads(events[0]["message"])
    assert Path(job["onnx"]).read_bytes() == (copy / entry.file.path).read_bytes()
    assert job["compute_capabilities"] == ["8.6"] and len(job["profiles"]) == 2
    assert job["layers"] is None and job["timing_cache"] is None  # no GPU to load it on; RTX keeps no timings


def test_the_layers_of_an_earlier_engine_are_removed(plant: Plant, copy: Path, entry: VariantEntry) -> None:
    old = layers_file(engine_file(copy, "fp32"))
    old.parent.mkdir()
    old.write_text("[]")
    plant(WRITES)
    build_engine(copy, entry, PROFILES, AHEAD)
    assert not old.exists()


ZERO_POINT = 'report(event="log", severity="ERROR", message="a.cpp:12: Non-zero zero point is not supported")\n'
NO_MEMORY = 'report(event="log", severity="ERROR", message="[Error] OutOfMemory: no more")\n'
TERMINATED = "print('terminate called', file=sys.stderr, flush=True)\n"
NO_THREAD = 'report(event="log", severity="ERROR", message="Unexpected exception Resource temporarily unavailable")\n'
NONE = 'report(event="failed", kind="ExportError", message="TensorRT builds no engine of x.onnx", hint=None)\n'
FAILURES = [
    ("os.kill(os.getpid(), signal.SIGKILL)", DeviceError, "killed .SIGKILL., as the system does where memory runs out"),
    ("os.kill(os.getpid(), signal.SIGSEGV)", ProviderError, "crashed .SIGSEGV."),
    (NO_MEMORY + "os.kill(os.getpid(), signal.SIGSEGV)", ProviderError, "its last message: .Error. OutOfMemory"),
    (TERMINATED + "os.abort()", ProviderError, "crashed .SIGABRT.*; its last message: terminate called$"),
    ("raise SystemExit('cannot allocate memory for TLS')", DeviceError, "ended with code 1: cannot allocate memory"),
    ("raise SystemExit('no such thing')", EdgenerError, "ended with code 1: no such thing"),
    ("raise MemoryError", DeviceError, "ended with code 1: MemoryError"),
    ("sys.exit(0)", EdgenerError, "ended with code 0: no output"),
    (ZERO_POINT + NONE, ExportError, "builds no engine of x.onnx: Non-zero zero point is not supported$"),
    (NO_MEMORY + NONE, DeviceError, "OutOfMemory"),
    (NO_THREAD + NONE, DeviceError, "x.onnx: Unexpected exception Resource temporarily unavailable"),
    (NONE, ExportError, "builds no engine of x.onnx$"),
    ('report(event="failed", kind="ProviderError", message="none", hint="pip install it")', ProviderError, "none"),
    ('report(event="failed", kind="StorageError", message="disk is full", hint="Free some.")', StorageError, "full"),
    ('report(event="failed", kind="Exception", message="odd", hint="-")', EdgenerError, "odd"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "kind", "message"), FAILURES)
def test_a_failure_is_a_clear_error_and_leaves_nothing(
    code: str, kind: type[EdgenerError], message: str, plant: Plant, copy: Path, entry: VariantEntry
) -> None:
    plant('open(job["engine"], "wb").write(b"half")\n' + code)
    with pytest.raises(EdgenerError) as caught:
        build_engine(copy, entry, PROFILES, AHEAD)
    assert type(caught.value) is kind
    assert re.search(message, caught.value.message)
    assert not engines_folder(copy).exists()


def test_a_failure_leaves_the_earlier_engine_as_it_was(
    plant: Plant, put: Callable[..., Path], copy: Path, entry: VariantEntry
) -> None:
    engine = put()
    before = {path: path.read_bytes() for path in engine.parent.iterdir()}
    plant("os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(ProviderError):
        build_engine(copy, entry, PROFILES, AHEAD)
    assert {path: path.read_bytes() for path in engine.parent.iterdir()} == before


def test_ctrl_c_ends_the_build_and_leaves_nothing(plant: Plant, copy: Path, entry: VariantEntry) -> None:
    plant('open(job["engine"], "wb").write(b"half")\nreport(event="started")\nsys.stdin.read()')

    def interrupt(event: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_engine(copy, entry, PROFILES, AHEAD, interrupt)
    assert not engines_folder(copy).exists()


def test_a_disk_that_fills_up_at_the_sidecar_leaves_the_earlier_engine(
    plant: Plant, put: Callable[..., Path], copy: Path, entry: VariantEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = put()
    before = engine.read_bytes(), sidecar_file(engine).read_bytes()

    def full(path: Path, content: str) -> None:
        raise StorageError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr(build, "write_atomic", full)
    plant(WRITES)
    with pytest.raises(StorageError):
        build_engine(copy, entry, PROFILES, AHEAD)
    assert (engine.read_bytes(), sidecar_file(engine).read_bytes()) == before
    assert len([*engine.parent.iterdir()]) == 2


def test_a_place_that_cannot_be_written_is_reported(plant: Plant, copy: Path, entry: VariantEntry) -> None:
    engines_folder(copy).write_text("a file where the folder should be")
    plant(WRITES)
    with pytest.raises(StorageError, match="cannot write"):
        build_engine(copy, entry, PROFILES, AHEAD)


def test_a_variant_that_is_not_for_tensorrt_is_refused(copy: Path, manifest: Manifest) -> None:
    with pytest.raises(ProviderError, match="int8-dynamic is made for CPUExecutionProvider, not for TensorRT"):
        build_engine(copy, manifest.variant("int8-dynamic"), PROFILES, AHEAD)


def test_the_built_sidecar_says_that_no_gpu_was_there(plant: Plant, copy: Path, entry: VariantEntry) -> None:
    plant(WRITES)
    built: Sidecar = build_engine(copy, entry, PROFILES, AHEAD)
    assert (built.gpu, built.driver, built.compute_capabilities) == (None, None, ("8.6",))
