"""What the tests of engines share: a variant as in a manifest, and an engine that was put beside its bundle."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgener_runtime.backends.tensorrt.paths import engine_file, sidecar_file
from edgener_runtime.backends.tensorrt.profiles import Profile
from edgener_runtime.backends.tensorrt.sidecar import EngineTarget, Sidecar, Tensor
from edgener_runtime.base.serde import to_json
from edgener_runtime.bundle.manifest import Manifest, VariantEntry
from edgener_runtime.commissioning.engines import build
from edgener_runtime.commissioning.engines.job import Built

CONTENT = b"synthetic bytes of an engine"
ORIN = EngineTarget("tensorrt", "10.3.0", "Orin", "8.7")

FACTS = to_json(
    Built("1.7", (Tensor("input_ids", "INT64", (-1, -1)),), (Tensor("logits", "FLOAT", (-1, -1, 15)),), 0.1)
)
WRITES = f"""
open(job["engine"], "wb").write(b"an engine")
report(event="built", facts={FACTS!r})
"""
Plant = Callable[[str], None]


@pytest.fixture
def entry(manifest: Manifest) -> VariantEntry:
    """FP32, which TensorRT takes."""
    return manifest.variant("fp32")


@pytest.fixture
def sidecar(entry: VariantEntry) -> Sidecar:
    """Of an engine that was built on an Orin with TensorRT 10.3."""
    return Sidecar(
        backend=ORIN.backend,
        version=ORIN.version,
        gpu=ORIN.gpu,
        compute_capabilities=(ORIN.compute_capability,),
        driver="12.6",
        variant=entry.name,
        onnx_sha256=entry.file.sha256,
        engine_sha256=hashlib.sha256(CONTENT).hexdigest(),
        engine_size=len(CONTENT),
        profiles=(Profile((1, 1), (1, 32), (1, 64)), Profile((1, 1), (8, 32), (8, 64))),
        inputs=(Tensor("input_ids", "INT64", (-1, -1)),),
        outputs=(Tensor("logits", "FLOAT", (-1, -1, 15)),),
        seconds=12.5,
    )


@pytest.fixture
def put(copy: Path, sidecar: Sidecar) -> Callable[..., Path]:
    """`put(version="10.13.3")` lays an engine and its sidecar, changed so, beside the copy; returns its file."""

    def lay(**fields: object) -> Path:
        engine = engine_file(copy, sidecar.variant)
        engine.parent.mkdir(exist_ok=True)
        engine.write_bytes(CONTENT)
        sidecar_file(engine).write_text(to_json(replace(sidecar, **fields)), encoding="utf-8")  # type: ignore[arg-type]
        return engine

    return lay


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Plant:
    """`plant(code)` puts a program in the place of the process that builds; it has `job` and `report`."""
    start = """
import json, os, signal, sys
job = json.loads(sys.stdin.readline())
def report(**event): print(json.dumps(event), flush=True)
"""
    return lambda code: monkeypatch.setattr(build, "WORKER", (sys.executable, "-c", start + code))
