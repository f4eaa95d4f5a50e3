"""Texts through a TensorRT session, from a bundle and the engine beside it; TensorRT, CUDA and the GPU are doubles."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.backends.onnxruntime.library import load_onnxruntime
from edgener_runtime.backends.tensorrt.paths import engine_file
from edgener_runtime.backends.tensorrt.session import warm_up
from edgener_runtime.errors import BundleError, ProviderError
from edgener_runtime.machine.devices import CPU
from edgener_runtime.machine.probe.cuda import CudaDriver, Gpu

from .conftest import ORIN
from .doubles import TensorrtDouble
from .stage import CLEAN, Stage, compute, library, stage

__all__ = ["compute", "library", "stage"]  # fixtures
TEXTS = ["oil leak at the seal of pump P-101", "", "Bearing worn, replaced. " * 12, "泵", "valve stuck"]
DRIVER = CudaDriver("12.6", (Gpu(ORIN.gpu, ORIN.compute_capability, 8 << 30),), None)


@pytest.fixture
def orin(stage: Stage, copy: Path, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A bundle with an engine beside it on what passes for an Orin with TensorRT 10.3."""
    put()
    stage.trt = TensorrtDouble(ORIN.version, stage.cuda, stage.plan)
    stage.trt.__spec__ = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "tensorrt", stage.trt)
    for place in ("machine.probe.cuda", "backends.tensorrt.backend"):
        monkeypatch.setattr(f"edgener_runtime.{place}.cuda_driver", lambda: DRIVER)
    monkeypatch.setattr("edgener_runtime.backends.tensorrt.session.load_cudart", lambda: stage.cuda.cudart)
    yield copy
    assert stage.left() == CLEAN


def test_texts_have_the_entities_that_they_have_on_the_cpu(orin: Path, golden: list[dict[str, Any]]) -> None:
    texts = [*TEXTS, *(each["text"] for each in golden)]
    with TokenClassifier.load(orin, "tensorrt") as classifier, TokenClassifier.load(orin, "cpu", "fp32") as cpu:
        for found, expected in zip(classifier.predict_batch(texts), cpu.predict_batch(texts), strict=True):
            assert [(each.label, each.start, each.end) for each in found] == [
                (each.label, each.start, each.end) for each in expected
            ]
            assert [each.score for each in found] == pytest.approx([each.score for each in expected], abs=1e-4)


def test_it_says_what_runs_and_that_it_was_not_proven(orin: Path) -> None:
    with TokenClassifier.load(orin, "tensorrt") as classifier:
        explanation = classifier.explain()
        assert (classifier.provider, classifier.variant.name) == ("TensorRT", "fp32")
    assert (explanation.provider, explanation.library, explanation.onnxruntime) == ("TensorRT", "TensorRT 10.3.0", "")
    for reason in ("CUDA graphs for 1x16", "not run on a device yet", "device as asked for"):
        assert any(reason in given for given in explanation.reasons)


def test_auto_takes_an_engine_that_was_prepared(orin: Path) -> None:
    with TokenClassifier.load(orin) as classifier:
        assert classifier.provider == "TensorRT"
        assert any(why.startswith("device: tensorrt, ") for why in classifier.explain().reasons)


def test_auto_passes_over_what_the_variant_does_not_run_on(orin: Path) -> None:
    with TokenClassifier.load(orin, variant="int8-dynamic") as classifier:
        assert classifier.provider == CPU
        assert "tensorrt passed over: int8-dynamic does not run there" in classifier.explain().reasons


def test_an_engine_for_another_gpu_is_refused_and_nothing_else_runs(orin: Path, put: Callable[..., Path]) -> None:
    put(gpu="NVIDIA A10", compute_capabilities=("8.6",))
    for device in ("tensorrt", "auto"):
        with pytest.raises(ProviderError, match=r"built for the GPU NVIDIA A10 .* here is Orin") as raised:
            TokenClassifier.load(orin, device, "fp32")
        assert raised.value.hint and raised.value.hint.startswith("edgener-runtime prepare ")


def test_an_engine_that_was_changed_never_reaches_tensorrt(orin: Path, stage: Stage) -> None:
    with engine_file(orin, "fp32").open("ab") as file:
        file.write(b"more")
    with pytest.raises(BundleError, match="was changed since it was built"):
        TokenClassifier.load(orin, "tensorrt")
    assert not any("deserialize" in line for line in stage.cuda.noted)


def test_a_command_runs_on_it(orin: Path, run: Callable[..., Any]) -> None:
    done = run("predict", orin, "--device", "tensorrt", "oil leak")
    assert (done.code, done.err) == (0, "")
    assert '"entities": [{' in done.out


def test_preparing_warms_every_length_up(orin: Path, entry: Any) -> None:
    assert [(each.rows, each.subwords) for each in warm_up(orin, entry)] == [(1, 16), (1, 32), (1, 64)]


# --- a Jetson


@pytest.fixture
def jetson(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgener_runtime.machine.probe.jetson.jetson", lambda: object())


def test_a_jetson_takes_the_engine_and_says_so(orin: Path, jetson: None) -> None:
    with TokenClassifier.load(orin, "jetson") as classifier:
        assert classifier.provider == "TensorRT"
        assert any(why.startswith("device: tensorrt for jetson, ") for why in classifier.explain().reasons)


def test_a_jetson_without_an_engine_and_without_cuda_runs_nowhere(
    orin: Path, jetson: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine_file(orin, "fp32").unlink()
    monkeypatch.setattr(load_onnxruntime(), "get_available_providers", lambda: [CPU])
    with pytest.raises(ProviderError) as raised:
        TokenClassifier.load(orin, "jetson", "fp32")
    assert "tensorrt passed over: no engine was prepared" in raised.value.message
    assert "cuda passed over: " in raised.value.message


def test_a_machine_that_is_not_a_jetson_is_reported(orin: Path) -> None:
    with pytest.raises(ProviderError, match="this machine is not a Jetson"):
        TokenClassifier.load(orin, "jetson")
