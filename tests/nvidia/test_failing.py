"""The real onnxruntime-gpu and TensorRT's real bindings on a machine that has no GPU: each says what is missing.

That is half of the truth: what happens where there is a GPU was not run on a device yet. A driver that answers is
played in some tests, to see what the real packages do next.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path

import pytest

from edgener_runtime.backends.onnxruntime.options import CUDA_OPTIONS, TENSORRT_OPTIONS, profile_options
from edgener_runtime.backends.tensorrt.paths import engine_file, sidecar_file
from edgener_runtime.backends.tensorrt.profiles import Profile
from edgener_runtime.backends.tensorrt.sidecar import Sidecar
from edgener_runtime.base.serde import to_json
from edgener_runtime.machine.devices import hardware_devices
from edgener_runtime.machine.probe.cuda import cuda_driver

from .conftest import ROOT, Environment

pytestmark = [pytest.mark.environment, pytest.mark.skipif(cuda_driver().why is None, reason="this machine has a GPU")]
BUNDLE = ROOT / "runtime" / "tests" / "bundle"
COMMAND = "import sys; from edgener_runtime.cli.main import main; main(sys.argv[1:], prog_name='edgener-runtime')"
WITH_DRIVER = f"""
from edgener_runtime.machine.probe import cuda
from edgener_runtime.backends.tensorrt import backend
cuda.cuda_driver = backend.cuda_driver = lambda: cuda.CudaDriver("13.0", (cuda.Gpu("Orin", "8.7", 8 << 30),), None)
{COMMAND}"""
Predict = Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLE, tmp_path / "bundle"))


@pytest.fixture
def gpu(environment: Callable[[str], Environment]) -> Environment:
    """onnxruntime-gpu, and none of NVIDIA's libraries."""
    return environment("ort-gpu")


@pytest.fixture
def predict(gpu: Environment, bundle: Path) -> Predict:
    """`predict("--device", "cuda", code=COMMAND, beside=[folder])` is the command's exit code, stdout and stderr."""

    def call(*options: str, code: str = COMMAND, beside: tuple[Path, ...] = ()) -> tuple[int, str, str]:
        path = os.pathsep.join(map(str, [ROOT / "runtime", *beside]))
        done = gpu.run("-c", code, "predict", bundle, *options, "oil leak", PYTHONPATH=path)
        return done.returncode, done.stdout, done.stderr

    return call


def test_this_onnxruntime_lists_providers_that_it_cannot_have(gpu: Environment) -> None:
    """The list alone does not prove it; the tests below would fail if we relied on it."""
    script = (
        "import onnxruntime as o, sys; print(o.get_available_providers());"
        "print(o.InferenceSession(sys.argv[1], providers=['CUDAExecutionProvider']).get_providers())"
    )
    done = gpu.run("-c", script, BUNDLE / "variants" / "fp32.onnx")
    listed, came_up = done.stdout.splitlines()
    assert "CUDAExecutionProvider" in listed and came_up == "['CPUExecutionProvider']"


@pytest.mark.parametrize("device", [name for name in hardware_devices() if name != "cpu"])
def test_a_device_that_is_not_here_is_an_error_and_nothing_else_runs(device: str, predict: Predict) -> None:
    code, out, err = predict("--device", device)
    assert (code, out) == (6, "")
    expected = "this machine is not a Jetson" if device == "jetson" else "no CUDA driver (libcuda.so.1) is installed"
    assert f"{device} cannot run here: " in err and expected in err
    assert "Traceback" not in err and "EP Error" not in err


def test_auto_runs_on_the_cpu(predict: Predict) -> None:
    code, out, err = predict()
    assert (code, err) == (0, "")
    assert json.loads(out)["entities"]


def test_where_a_driver_answers_and_cuda_s_libraries_are_missing_the_fall_to_the_cpu_is_seen(predict: Predict) -> None:
    code, out, err = predict("--device", "cuda", code=WITH_DRIVER)
    assert (code, out) == (6, "")
    assert "CUDAExecutionProvider was asked for, CPUExecutionProvider came up: " in err
    assert "Failed to load libcu" in err  # which of them


def test_auto_does_not_fall_either(predict: Predict) -> None:
    """A driver answers and onnxruntime was built for CUDA, so CUDA it is; what fails then is an error."""
    code, out, err = predict("--variant", "fp32", code=WITH_DRIVER)
    assert (code, out) == (6, "")
    assert "CUDAExecutionProvider was asked for" in err


def test_where_a_driver_answers_and_tensorrt_s_libraries_are_missing_nothing_runs(predict: Predict) -> None:
    code, out, err = predict("--device", "tensorrt-ort", code=WITH_DRIVER)
    assert (code, out) == (6, "")
    assert "TensorrtExecutionProvider" in err and "EP Error" not in err


def test_both_packages_at_once_are_reported(predict: Predict, tmp_path: Path) -> None:
    """The real metadata of onnxruntime beside onnxruntime-gpu, as pip leaves the two of them."""
    metadata = Path(str(distribution("onnxruntime")._path))  # type: ignore[attr-defined]
    shutil.copytree(metadata, tmp_path / "beside" / metadata.name)
    code, out, err = predict("--device", "cuda", code=WITH_DRIVER, beside=(tmp_path / "beside",))
    assert (code, out) == (6, "")
    assert re.search(r"onnxruntime \S+ and onnxruntime-gpu \S+ are installed together and overwrite each other", err)
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in err


@pytest.mark.parametrize("version", ["10.3.0", "11.4.0.106"])
def test_bindings_without_libraries_are_reported(
    version: str, predict: Predict, environment: Callable[[str], Environment], bundle: Path
) -> None:
    beside = (environment(f"bindings-{version}").packages,)
    put_engine(bundle)
    code, out, err = predict("--device", "tensorrt", code=WITH_DRIVER, beside=beside)
    assert (code, out) == (6, "")
    assert "its bindings are installed and its libraries are not" in err


def put_engine(bundle: Path) -> None:
    """An engine as if it had been built here; no more than its sidecar is ever read."""
    engine = engine_file(bundle, "fp32")
    engine.parent.mkdir()
    engine.write_bytes(b"no engine")
    profile = Profile((1, 1), (1, 32), (1, 64))
    known = Sidecar("tensorrt", "10.3.0", "Orin", ("8.7",), "12.6", "fp32", "", "", 9, (profile,), (), (), 1.0)
    sidecar_file(engine).write_text(to_json(known), encoding="utf-8")


def test_onnxruntime_s_libraries_know_the_names_of_our_options(gpu: Environment) -> None:
    """An option that they do not know would be refused where there is a GPU, and not before."""
    capi = gpu.packages / "onnxruntime" / "capi"
    profile = profile_options([Profile((1, 1), (1, 8), (1, 64))], ["input_ids"])
    paths = ("trt_engine_cache_path", "trt_timing_cache_path")
    for library, names in (("cuda", CUDA_OPTIONS), ("tensorrt", [*TENSORRT_OPTIONS, *profile, *paths])):
        content = (capi / f"libonnxruntime_providers_{library}.so").read_bytes()
        assert [name for name in names if name.encode() not in content] == []
        assert b"trt_no_such_option" not in content
