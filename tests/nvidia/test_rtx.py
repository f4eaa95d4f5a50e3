"""Engines of a real fine-tuned model, parsed and built by TensorRT for RTX on a machine without a GPU; not run.

It is NVIDIA's own parser and builder with TensorRT's interface, and takes the same path through our code.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgener.data.types import Dataset
from edgener_exporters.calibrate.calibration import Calibration
from edgener_exporters.graph.lint import lint
from edgener_exporters.quantise.int8_dynamic import quantize_dynamic
from edgener_exporters.quantise.int8_qdq import quantize_qdq
from edgener_exporters.quantise.int8_static import quantize_static
from edgener_runtime.backends.tensorrt.options import EngineOptions
from edgener_runtime.backends.tensorrt.paths import engines_folder
from edgener_runtime.backends.tensorrt.profiles import Profile, profiles_for
from edgener_runtime.backends.tensorrt.sidecar import EngineTarget, check_sidecar
from edgener_runtime.bundle.manifest import Manifest, VariantEntry, read_manifest
from edgener_runtime.bundle.verify import file_entry, verify_bundle
from edgener_runtime.commissioning.engines.build import BuildRequest, build_engine
from edgener_runtime.errors import ExportError, ProviderError, UserInputError
from edgener_runtime.text.tokenize import TextTokenizer

from .bundles import make_bundle
from .conftest import Environment

pytestmark = pytest.mark.environment

Graph = onnx.ModelProto
VERSION = "1.7.1.116"


@pytest.fixture(scope="module")
def texts(small_factory: dict[str, Dataset]) -> list[str]:
    return [sentence.text for sentence in small_factory["train"].sentences[:60]]


@pytest.fixture(scope="module")
def made(trained: Path, texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the fine-tuned 2-layer BERT with every variant for TensorRT. Not to be changed."""
    out = tmp_path_factory.mktemp("rtx") / "bundle"
    make_bundle(trained, ["int8-qdq", "fp16"], texts, out)
    return out


@pytest.fixture
def bundle(made: Path, tmp_path: Path, rtx: Environment) -> Path:
    """A copy of it, on a machine with TensorRT for RTX."""
    return Path(shutil.copytree(made, tmp_path / "bundle"))


@pytest.fixture
def manifest(bundle: Path) -> Manifest:
    return read_manifest(bundle)


def ahead(capability: str = "8.6", **options: Any) -> BuildRequest:
    return BuildRequest("tensorrt-rtx", EngineOptions(**options), (capability,))


@pytest.mark.parametrize("capability", ["8.0", "8.6", "8.9"])
@pytest.mark.parametrize("name", ["fp32", "fp16", "int8-qdq"])
def test_each_variant_builds_for_each_gpu(name: str, capability: str, bundle: Path, manifest: Manifest) -> None:
    entry = manifest.variant(name)
    profiles = profiles_for([], manifest.tokenizer.max_length)
    built = build_engine(bundle, entry, profiles, ahead(capability))
    assert (built.version, built.gpu, built.compute_capabilities) == (VERSION, None, (capability,))
    assert [tensor.name for tensor in built.inputs] == list(manifest.tokenizer.inputs)
    assert {tensor.dtype for tensor in built.inputs} == {"INT64"}
    assert [(tensor.name, tensor.dtype) for tensor in built.outputs] == [("logits", "FLOAT")]
    assert built.outputs[0].shape == (-1, -1, len(manifest.labels))
    here = EngineTarget("tensorrt-rtx", VERSION, "a GPU", capability)
    assert check_sidecar(bundle, entry, here) == built
    verify_bundle(bundle)


def test_int8_builds_with_fp32_around_it_too(bundle: Path, manifest: Manifest, texts: list[str]) -> None:
    """Q/DQ pairs with FP32 scales, where int8-qdq has them in FP16."""
    tokenizer = TextTokenizer(bundle / manifest.tokenizer.file, manifest.tokenizer)
    fp32 = bundle / manifest.variant("fp32").file.path
    out = fp32.with_name("int8-qdq.onnx")
    quantize_qdq(fp32, out, Calibration(texts, tokenizer), half=False)
    assert lint(onnx.load(out)) == []
    entry = replace(manifest.variant("int8-qdq"), file=file_entry(bundle, out))
    build_engine(bundle, entry, profiles_for([], manifest.tokenizer.max_length), ahead())


def test_one_engine_serves_several_gpus(bundle: Path, manifest: Manifest) -> None:
    request = BuildRequest("tensorrt-rtx", compute_capabilities=("8.6", "8.9"))
    built = build_engine(bundle, manifest.variant("fp16"), profiles_for([], 64), request)
    assert built.compute_capabilities == ("8.6", "8.9")


def test_int8_and_fp16_engines_are_smaller(bundle: Path, manifest: Manifest) -> None:
    """The precision is the graph's: the builder has no other source."""
    profiles = [Profile((1, 1), (1, 32), (1, 64))]
    sizes = [build_engine(bundle, manifest.variant(name), profiles, ahead()).engine_size for name in ("fp32", "fp16")]
    assert sizes[1] < 0.7 * sizes[0]


@pytest.mark.parametrize(
    "options",
    [
        {"pools": {"workspace": 1 << 28, "tactic-shared-memory": 1 << 20}},
        {"builder_optimization_level": 5, "max_aux_streams": 0},
        {"tf32": True, "sparse_weights": True, "profiling_verbosity": "detailed"},
    ],
)
def test_options_are_taken(options: dict[str, Any], bundle: Path, manifest: Manifest) -> None:
    built = build_engine(bundle, manifest.variant("fp32"), profiles_for([], 64), ahead(**options))
    assert built.options == EngineOptions(**options)


def test_progress_is_reported_from_the_outermost_phase_on(bundle: Path, manifest: Manifest) -> None:
    events: list[dict[str, Any]] = []
    build_engine(bundle, manifest.variant("fp32"), profiles_for([], 64), ahead(), events.append)
    (outermost,) = [event for event in events if event["event"] == "phase" and event["parent"] is None]
    steps = [event["step"] for event in events if event["event"] == "step" and event["name"] == outermost["name"]]
    assert steps == [*range(outermost["steps"] - 1)] or steps == [*range(outermost["steps"])]


def test_a_gpu_that_it_does_not_build_for_is_refused_with_those_it_does(bundle: Path, manifest: Manifest) -> None:
    with pytest.raises(ProviderError, match=r"does not build for compute capability '8\.7'") as caught:
        build_engine(bundle, manifest.variant("fp32"), profiles_for([], 64), ahead("8.7"))
    assert "8.0, 8.6, 8.9" in str(caught.value.hint)


def zero_point(graph: Graph) -> None:
    replace_zeros(graph, lambda zeros: zeros + 3)


def unsigned(graph: Graph) -> None:
    replace_zeros(graph, lambda zeros: zeros.astype(np.uint8))


def replace_zeros(graph: Graph, change: Callable[[Any], Any]) -> None:
    for tensor in graph.graph.initializer:
        if tensor.name.endswith("zero_point") and not tensor.dims:
            tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor)), tensor.name))


def foreign_operator(graph: Graph) -> None:
    graph.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    last = graph.graph.output[0]
    graph.graph.node.append(
        helper.make_node("FusedMatMul", [last.name] * 2, ["more"], "foreign", domain="com.microsoft")
    )
    last.name = "more"


PLANTED = [
    (zero_point, "Non-zero zero point is not supported"),
    (foreign_operator, "Plugin not found"),
]


@pytest.mark.parametrize(("plant", "words"), PLANTED, ids=[plant.__name__ for plant, _ in PLANTED])
def test_what_the_lint_finds_the_parser_refuses_too(
    plant: Callable[[Graph], None], words: str, bundle: Path, manifest: Manifest
) -> None:
    """Past the lint, as on a device: the parser's own refusal is a clear error of ours."""
    entry = manifest.variant("int8-qdq")
    graph = onnx.load(bundle / entry.file.path)
    plant(graph)
    assert lint(graph)
    onnx.save(graph, bundle / entry.file.path)
    assert refusal(bundle, entry).match(words)


def test_the_lint_is_all_that_stops_unsigned_steps(bundle: Path, manifest: Manifest) -> None:
    """The parser takes UINT8 with a zero point of 0, whose steps are others than those that were calibrated."""
    entry = manifest.variant("int8-qdq")
    graph = onnx.load(bundle / entry.file.path)
    unsigned(graph)
    assert "quantises to UINT8, expected INT8" in lint(graph)[0].problem
    onnx.save(graph, bundle / entry.file.path)
    build_engine(bundle, entry, profiles_for([], 64), ahead())


@pytest.mark.parametrize("name", ["int8-dynamic", "int8-static"])
def test_forms_for_cpus_are_refused_by_both(name: str, bundle: Path, manifest: Manifest, texts: list[str]) -> None:
    fp32 = bundle / manifest.variant("fp32").file.path
    out = fp32.with_name("bad.onnx")
    tokenizer = TextTokenizer(bundle / manifest.tokenizer.file, manifest.tokenizer)
    if name == "int8-dynamic":
        quantize_dynamic(fp32, out)
    else:
        quantize_static(fp32, out, Calibration(texts, tokenizer))
    assert lint(onnx.load(out))
    refusal(bundle, replace(manifest.variant("fp32"), file=file_entry(bundle, out)))


def refusal(bundle: Path, entry: VariantEntry) -> pytest.ExceptionInfo[ExportError]:
    with pytest.raises(ExportError, match=r"TensorRT refuses|builds no engine") as caught:
        build_engine(bundle, entry, profiles_for([], 64), ahead())
    assert caught.value.hint
    assert not engines_folder(bundle).exists()
    return caught


def test_a_graph_with_axes_that_no_profile_gives_is_refused(bundle: Path, manifest: Manifest) -> None:
    entry = manifest.variant("fp32")
    graph = onnx.load(bundle / entry.file.path)
    graph.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 16
    assert [finding.where for finding in lint(graph)] == [graph.graph.input[0].name]
    onnx.save(graph, bundle / entry.file.path)
    with pytest.raises((UserInputError, ExportError)):
        build_engine(bundle, entry, profiles_for([], 64), ahead())


def test_the_command_writes_engine_and_sidecar(bundle: Path, rtx: Environment, command: Callable[..., Any]) -> None:
    done = command("edgener", "build-engine", bundle, "--backend", "tensorrt-rtx", "--compute-capability", "8.6",
                   "--variant", "all", "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    names = [sidecar["variant"] for sidecar in json.loads(done.stdout)]
    assert names == ["int8-qdq", "fp16", "fp32"]
    written = sorted(path.name for path in engines_folder(bundle).iterdir())
    assert written == sorted(f"{name}.engine{end}" for name in names for end in ("", ".json"))


def test_the_device_side_builds_the_same_without_torch_or_onnx(
    bundle: Path, rtx: Environment, command: Callable[..., Any]
) -> None:
    done = command("edgener-runtime", "prepare", bundle, "--backend", "tensorrt-rtx", "--compute-capability", "8.6",
                   "--min-shapes", "1x1", "--opt-shapes", "1x16", "--max-shapes", "4x512")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "int8-qdq.engine: built by TensorRT for RTX" in done.stdout and "not run" in done.stdout


def test_the_command_for_a_gpu_of_this_machine_exits_6(
    bundle: Path, rtx: Environment, command: Callable[..., Any], no_gpu: None
) -> None:
    for program, words in (("edgener", "build-engine"), ("edgener-runtime", "prepare")):
        done = command(program, words, bundle, "--device", "tensorrt")
        assert (done.returncode, done.stdout) == (6, "")
        assert "needs an NVIDIA GPU" in done.stderr and "edgener-runtime devices" in done.stderr
