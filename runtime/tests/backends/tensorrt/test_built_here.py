"""Engines built by TensorRT on a GPU of this machine, skipped where there is none. Not run on a device yet."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.backends.tensorrt.backend import BACKENDS, load_backend, require_gpu
from edgener_runtime.backends.tensorrt.options import EngineOptions
from edgener_runtime.backends.tensorrt.paths import engine_file, layers_file, timing_cache_file
from edgener_runtime.backends.tensorrt.profiles import profiles_for
from edgener_runtime.backends.tensorrt.sidecar import EngineTarget, check_sidecar
from edgener_runtime.bundle.manifest import VariantEntry
from edgener_runtime.commissioning.engines.build import BuildRequest, build_engine
from edgener_runtime.errors import ProviderError

pytestmark = pytest.mark.tensorrt
PROFILES = profiles_for([], 64)


@pytest.fixture(scope="module")
def here() -> EngineTarget:
    """The GPU and the TensorRT of this machine."""
    try:
        trt = load_backend("tensorrt")
    except ProviderError as error:
        pytest.skip(error.message)
    _, gpu = require_gpu(BACKENDS["tensorrt"])
    return EngineTarget("tensorrt", trt.__version__, gpu.name, gpu.compute_capability)


def test_an_engine_passes_its_check_and_has_its_layers(here: EngineTarget, copy: Path, entry: VariantEntry) -> None:
    built = build_engine(copy, entry, PROFILES, BuildRequest(options=EngineOptions(profiling_verbosity="detailed")))
    assert check_sidecar(copy, entry, here) == built
    assert (built.gpu, built.version) == (here.gpu, here.version)
    assert json.loads(layers_file(engine_file(copy, entry.name)).read_text())["Layers"]
    with pytest.raises(ProviderError, match="built for the GPU"):
        check_sidecar(copy, entry, replace(here, compute_capability="1.0"))


def test_timings_are_kept_and_save_time(here: EngineTarget, copy: Path, entry: VariantEntry) -> None:
    first = build_engine(copy, entry, PROFILES, BuildRequest())
    cache = timing_cache_file(engine_file(copy, entry.name).parent, here.version, here.gpu)
    kept = cache.read_bytes()
    assert kept
    assert build_engine(copy, entry, PROFILES, BuildRequest()).seconds < first.seconds
    cache.write_bytes(kept[:-100])
    events: list[dict[str, Any]] = []
    build_engine(copy, entry, PROFILES, BuildRequest(), events.append)
    assert any("starting a new one" in event.get("message", "") for event in events)


@pytest.mark.parametrize(
    "options",
    [
        EngineOptions(pools={"workspace": 1 << 26}),
        EngineOptions(builder_optimization_level=1, average_timings=2, max_aux_streams=0),
        EngineOptions(refit=True),
        EngineOptions(version_compatible=True),
        EngineOptions(version_compatible=True, exclude_lean_runtime=True),
        EngineOptions(tf32=True, sparse_weights=True),
    ],
)
def test_options_are_taken(options: EngineOptions, here: EngineTarget, copy: Path, entry: VariantEntry) -> None:
    build_engine(copy, entry, PROFILES, BuildRequest(options=options))
    assert check_sidecar(copy, entry, here).options == options


def test_an_engine_without_weights_is_smaller_and_refused(here: EngineTarget, copy: Path, entry: VariantEntry) -> None:
    whole = build_engine(copy, entry, PROFILES, BuildRequest())
    bare = build_engine(copy, entry, PROFILES, BuildRequest(options=EngineOptions(strip_weights=True)))
    assert bare.engine_size < whole.engine_size
    with pytest.raises(ProviderError, match="without its weights"):
        check_sidecar(copy, entry, here)


def test_the_command_builds_and_runs_every_shape(here: EngineTarget, copy: Path, run: Callable[..., Any]) -> None:
    done = run("prepare", copy, "--variant", "fp32", "--json")
    assert done.code == 0, done.err
    (row,) = json.loads(done.out)
    assert row["gpu"] == here.gpu and row["warmed"]


@pytest.mark.jetson
def test_a_jetson_is_one(here: EngineTarget, copy: Path, run: Callable[..., Any]) -> None:
    done = run("prepare", copy, "--variant", "fp32", "--device", "jetson")
    if done.code == 6 and "not a Jetson" in done.err:
        pytest.skip("this machine is not a Jetson")
    assert done.code == 0, done.err
