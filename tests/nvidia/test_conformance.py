"""Every name that our code uses of TensorRT's interface is in the real bindings of each version it is meant for.

The bindings are NVIDIA's own, imported over a stub of the libraries: names and signatures are real, and nothing runs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .conformance import Api, missing
from .conftest import ROOT, VERSIONS
from .names import Use, unknowns, uses

pytestmark = pytest.mark.environment

RUNTIME = ROOT / "runtime" / "edgener_runtime"
SOURCES = sorted(
    [*(RUNTIME / "backends" / "tensorrt").glob("*.py"), *(RUNTIME / "commissioning" / "engines").glob("*.py")]
)
ONLY_RTX = {"cross_build.py"}  # reached with compute capabilities alone, which load_backend's table gives to RTX alone
Read = Callable[[str], Api]


def used_in(file: Path) -> list[Use]:
    return uses(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("version", [*VERSIONS, "rtx"])
def test_every_name_that_is_used_is_there(version: str, api: Read) -> None:
    files = [file for file in SOURCES if version == "rtx" or file.name not in ONLY_RTX]
    found = {file.name: faults for file in files if (faults := missing(used_in(file), api(version)))}
    assert found == {}


def test_what_only_rtx_has_is_in_no_tensorrt(api: Read) -> None:
    """Else the file would not need to be apart."""
    (file,) = [file for file in SOURCES if file.name in ONLY_RTX]
    assert missing(used_in(file), api("11.4.0.106"))


def test_the_names_are_gathered_from_the_code() -> None:
    names = {f"{use.owner}.{use.name}" for file in SOURCES for use in used_in(file)}
    some = {
        "Builder.build_serialized_network", "OnnxParser.parse_from_file", "IOptimizationProfile.set_shape",
        "IBuilderConfig.set_memory_pool_limit", "BuilderFlag.STRIP_PLAN", "ParserError.node_name",
        "IProgressMonitor.step_complete", "NetworkDefinitionCreationFlag.STRONGLY_TYPED", ".Builder",
        "HardwareCompatibilityLevel.SAME_COMPUTE_CAPABILITY", "ICudaEngine.create_engine_inspector",
    }  # fmt: skip
    assert some <= names
    assert len(names) > 60


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.name)
def test_nothing_of_tensorrt_goes_by_a_name_that_hides_it(file: Path) -> None:
    assert unknowns(file.read_text(encoding="utf-8")) == []


FAULTS = [
    ("def f(trt): return trt.BuilderFlag.FP16", "no BuilderFlag.FP16"),  # gone in 11
    ("def f(trt): return trt.Bilder", "no the module.Bilder"),
    ("def f(config): config.max_workspace_size = 1", "no IBuilderConfig.max_workspace_size"),
    ("def f(config): config.set_memory_pool_limit(1)", "does not take 1 arguments"),
    ("def f(config): config.set_timing_cache(1, ignore=False)", "does not take 1 arguments and ignore"),
    ("def f(trt): return trt.OnnxParser(1)", "does not take 1 arguments"),
    ("class C:\n def f(self): self._context.execute_async_v2(1)", "no IExecutionContext.execute_async_v2"),
    ("def f(rails): rails.trt.Runtim", "no the module.Runtim"),
    ("def f(trt):\n class M(trt.IProgressMonitor):\n  def phase_begin(self): ...", "no IProgressMonitor.phase_begin"),
]


@pytest.mark.parametrize(("source", "fault"), FAULTS)
def test_a_planted_fault_is_found(source: str, fault: str, api: Read) -> None:
    (found,) = missing(uses(source), api("11.4.0.106"))
    assert fault in found


def test_a_planted_hidden_name_is_found() -> None:
    source = (
        "def f(builder, network: Any):\n made = builder.create_builder_config()\n made.set_flagg(1)\n return network"
    )
    assert unknowns("from typing import Any\n" + source.replace("builder,", "builder: Any,")) == [("made.set_flagg", 4)]


def test_what_fits_passes(api: Read) -> None:
    source = """
def f(trt, builder, config, profile):
    builder.create_network()
    builder.create_network(1)
    builder.create_network(flags=1)
    config.set_timing_cache(1, ignore_mismatch=False)
    profile.set_shape("ids", (1, 1), (1, 2), (1, 3))
    return trt.OnnxParser(1, 2), profile.minimum
"""
    assert missing(uses(source), api("10.3.0")) == []


def optional() -> set[tuple[str, str]]:
    return {(use.owner, use.name) for file in SOURCES for use in used_in(file) if use.optional}


def test_what_not_every_version_has_is_looked_for(api: Read) -> None:
    """Each optional name is missing in a version and there in another: else it is either no option or no name."""
    for owner, name in optional():
        assert {name in api(version)[owner] for version in VERSIONS} == {True, False}, f"{owner}.{name}"


ASK = """
import tensorrt_bindings as trt
from edgener_runtime.errors import ProviderError
from edgener_runtime.backends.tensorrt.options import member
try:
    print(member(trt, {owner!r}, {name!r}).name)
except ProviderError as error:
    print(error.message)
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_the_look_for_it_goes_both_ways(
    version: str, environment: Callable[[str], object], api: Read, stub: Path
) -> None:
    for owner, name in optional():
        code = ASK.format(owner=owner, name=name)
        done = environment(f"bindings-{version}").run("-c", code, LD_LIBRARY_PATH=str(stub))  # type: ignore[attr-defined]
        there = name in api(version)[owner]
        assert done.stdout.strip() == (name if there else f"tensorrt_bindings {version} has no {owner}.{name}")
