"""Parts of a build that TensorRT for RTX has but does nothing with, or only on a GPU: the calls are taken, no more.

Each runs in the environment that has it. That a timing cache saves time, or a DLA runs a layer, is not shown here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import ROOT, Environment

pytestmark = pytest.mark.environment

GRAPH = ROOT / "runtime" / "tests" / "bundle" / "variants" / "fp32.onnx"
BEGIN = f"""
import sys
from pathlib import Path
import tensorrt_rtx as trt
from edgener_runtime.errors import EdgenerError
from edgener_runtime.commissioning.engines.layers import dump_layers
from edgener_runtime.backends.tensorrt.logger import make_logger
from edgener_runtime.commissioning.engines.network import ask_dla, parse_graph
from edgener_runtime.backends.tensorrt.options import EngineOptions, apply_options
from edgener_runtime.commissioning.engines.timing_cache import save_timing_cache, load_timing_cache

logger = make_logger(trt, lambda event: None)
builder = trt.Builder(logger)
config = builder.create_builder_config()
events = []
here = Path(sys.argv[1])


def graph():
    return parse_graph(trt, builder, logger, Path({str(GRAPH)!r}))
"""


@pytest.fixture
def run(environment: Callable[[str], Environment], tmp_path: Path) -> Callable[[str], str]:
    """`run(code)` is what it prints with a builder, a configuration and a folder `here`."""

    def call(code: str) -> str:
        done = environment("rtx").run("-c", BEGIN + code, tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return call


def test_a_timing_cache_is_saved_and_loaded(run: Callable[[str], str], tmp_path: Path) -> None:
    code = """
cache = load_timing_cache(config, here / "timings", events.append)
save_timing_cache(config, here / "timings")
other = builder.create_builder_config()
again = load_timing_cache(other, here / "timings", events.append)
print(events, cache is not None, again is not None)
"""
    assert run(code) == "[] True True"
    assert (tmp_path / "timings").is_file()


def test_a_dla_that_is_not_there_is_refused(run: Callable[[str], str]) -> None:
    code = """
try:
    apply_options(trt, builder, config, EngineOptions(dla_core=0, gpu_fallback=True))
except EdgenerError as error:
    print(error)
"""
    assert "DLA core 0 was asked for, this device has 0" in run(code)


def test_which_layers_a_dla_takes_is_asked_of_each(run: Callable[[str], str]) -> None:
    code = """
network, parser = graph()
report = ask_dla(network, config, 0)
print(report.layers == network.num_layers > 100, report.on_dla + len(report.on_gpu) == report.layers)
"""
    assert run(code) == "True True"


def test_an_engine_that_cannot_be_loaded_here_has_no_layers(run: Callable[[str], str], no_gpu: None) -> None:
    code = """
try:
    dump_layers(trt, logger, b"no engine", here / "layers.json")
except EdgenerError as error:
    print(error.message)
print((here / "layers.json").exists())
"""
    assert run(code) == "the engine was built and cannot be loaded on this GPU\nFalse"
