"""A session runs on the device that was asked for, or there is an error.

No GPU was at hand: in place of onnxruntime's CUDA stands a stub that says which providers came up, and of the driver
one that answers.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import onnxruntime
import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.backends.base import Model, Tuning
from edgener_runtime.backends.choose import pick_device
from edgener_runtime.backends.onnxruntime import library
from edgener_runtime.backends.onnxruntime.io_binding import run_with_io_binding
from edgener_runtime.backends.onnxruntime.library import load_onnxruntime
from edgener_runtime.backends.onnxruntime.options import CACHE, CUDA_OPTIONS
from edgener_runtime.backends.onnxruntime.session import OnnxSession
from edgener_runtime.backends.open import open_session
from edgener_runtime.backends.requirements import ProcessFacts
from edgener_runtime.backends.tensorrt.paths import engines_folder
from edgener_runtime.bundle.manifest import Manifest
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import BundleError, DeviceError, EdgenerError, ProviderError, StorageError, UserInputError
from edgener_runtime.inference.tuning import tuning_for
from edgener_runtime.machine.cpu import usable_cores
from edgener_runtime.machine.devices import CPU, CUDA, DEVICES, TENSORRT
from edgener_runtime.machine.probe.cuda import CudaDriver, Gpu

pytestmark = pytest.mark.compat

without_cuda = pytest.mark.skipif(
    CUDA in load_onnxruntime().get_available_providers(), reason="this onnxruntime was built for CUDA"
)


DRIVER = CudaDriver("12.6", (Gpu("Synthetic GPU", "8.7", 8 << 30),), None)
NO_DRIVER = CudaDriver(None, (), "no CUDA driver (libcuda.so.1) is installed")


def model_of(bundle: Path, manifest: Manifest, name: str = "fp32") -> Model:
    settings = manifest.tokenizer
    return Model(bundle, manifest.variant(name), settings.inputs, settings.max_length)


@pytest.fixture
def fp32(bundle: Path, manifest: Manifest) -> Model:
    return model_of(bundle, manifest)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that answers, which there is not."""
    monkeypatch.setattr("edgener_runtime.machine.probe.cuda.cuda_driver", lambda: DRIVER)


def stub_onnxruntime(monkeypatch: pytest.MonkeyPatch, built_for: list[str], comes_up: list[str]) -> list[Any]:
    """In place of onnxruntime: sessions that only say which providers came up. Returns what they are opened with."""
    opened: list[Any] = []
    steps: list[str] = []

    def open_stub(file: str, options: Any, **settings: Any) -> Any:
        steps.append("session")
        opened.append(SimpleNamespace(file=file, options=options, steps=steps, **settings))
        return SimpleNamespace(get_providers=lambda: comes_up)

    def preload_stub() -> None:
        steps.append("preload")
        print("Failed to load libcublasLt.so.13: it is not there")  # noqa: T201  # as onnxruntime prints it

    monkeypatch.setattr(
        "edgener_runtime.backends.onnxruntime.session.GraphedRuns",
        lambda *arguments: SimpleNamespace(run=None, lengths=(16,)),
    )
    module = SimpleNamespace(
        __version__="99", SessionOptions=onnxruntime.SessionOptions, InferenceSession=open_stub,
        get_available_providers=lambda: built_for, preload_dlls=preload_stub,
        set_default_logger_severity=lambda level: steps.append(f"log {level}"),
    )  # fmt: skip
    for place in ("library", "session"):
        monkeypatch.setattr(f"edgener_runtime.backends.onnxruntime.{place}.load_onnxruntime", lambda: module)
    return opened


# --- the device


@pytest.mark.parametrize("device", ["", "gpu", "CPU", "cuda:0"])
def test_a_device_that_there_is_not_is_reported(device: str) -> None:
    with pytest.raises(UserInputError, match="there is no device") as raised:
        pick_device(device)
    assert raised.value.hint == f"Choose one of: {', '.join(DEVICES)}"


@pytest.mark.parametrize("device", [name for name, device in DEVICES.items() if device.provider])
def test_a_device_that_was_named_is_taken(device: str) -> None:
    assert pick_device(device)[0] == device


@pytest.mark.parametrize(
    ("built_for", "driver", "expected"),
    [([CPU], True, "cpu"), ([CUDA, CPU], False, "cpu"), ([CUDA, CPU], True, "cuda")],
)
def test_auto_is_cuda_where_it_was_built_in_and_a_driver_answers(
    built_for: list[str], driver: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_onnxruntime(monkeypatch, built_for, built_for)
    monkeypatch.setattr("edgener_runtime.machine.probe.cuda.cuda_driver", lambda: DRIVER if driver else NO_DRIVER)
    assert pick_device("auto")[0] == expected


# --- what came up is what was asked for


@without_cuda
def test_cuda_without_a_build_for_it_is_an_error_with_the_line_to_type(bundle: Path, run: Callable[..., Any]) -> None:
    with pytest.raises(ProviderError, match="built without CUDA") as raised:
        TokenClassifier.load(bundle, "cuda")
    assert raised.value.hint and "onnxruntime-gpu" in raised.value.hint
    done = run("predict", bundle, "--device", "cuda", "oil leak")
    assert (done.code, done.out) == (6, "")
    assert "onnxruntime-gpu" in done.err


@pytest.mark.parametrize("comes_up", [[CPU], ["AzureExecutionProvider", CPU]])
def test_a_session_that_fell_back_is_an_error(
    comes_up: list[str], driver: None, fp32: Model, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stub_onnxruntime(monkeypatch, [CUDA, CPU], comes_up)
    with pytest.raises(ProviderError, match=rf"{CUDA} was asked for, {comes_up[0]} came up: .*libcublasLt\.so\.13"):
        open_session(fp32, "cuda", Tuning(1))
    assert capsys.readouterr().out == ""  # it is for results


def test_a_session_that_came_up_as_asked_is_returned(
    driver: None, fp32: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = stub_onnxruntime(monkeypatch, [CUDA, CPU], [CUDA, CPU])
    assert open_session(fp32, "cuda", Tuning(1)).provider == CUDA
    assert [call.providers for call in opened] == [[(CUDA, CUDA_OPTIONS)]]  # no other to fall back to
    assert [call.enable_fallback for call in opened] == [False]
    # its warnings are kept off stderr, and NVIDIA's wheels are loaded before they are looked for
    assert opened[0].steps == ["log 3", "preload", "session"]


def test_no_session_is_opened_where_no_driver_answers(fp32: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = stub_onnxruntime(monkeypatch, [CUDA, CPU], [CUDA, CPU])
    for place in ("cuda", "record"):
        monkeypatch.setattr(f"edgener_runtime.machine.probe.{place}.cuda_driver", lambda: NO_DRIVER)
    with pytest.raises(ProviderError, match=r"cuda cannot run here: no CUDA driver \(libcuda\.so\.1\)") as raised:
        open_session(fp32, "cuda", Tuning(1))
    assert raised.value.hint and "nvidia-smi" in raised.value.hint
    assert opened == []


def test_all_that_is_missing_is_reported_at_once(fp32: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    stub_onnxruntime(monkeypatch, [CPU], [CPU])
    monkeypatch.setattr("edgener_runtime.machine.probe.cuda.cuda_driver", lambda: NO_DRIVER)
    both = ["onnxruntime 1.32.0", "onnxruntime-gpu 1.31.1"]
    monkeypatch.setattr(ProcessFacts, "onnxruntime_packages", lambda *_: both)
    with pytest.raises(ProviderError) as raised:
        open_session(fp32, "cuda", Tuning(1))
    for part in (
        "onnxruntime 1.32.0 and onnxruntime-gpu 1.31.1 are installed together",
        "built without",
        "no CUDA driver",
    ):
        assert part in raised.value.message


def test_the_tensorrt_provider_keeps_its_engines_beside_the_bundle(
    driver: None, copy: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = stub_onnxruntime(monkeypatch, [TENSORRT, CPU], [TENSORRT, CPU])
    model = model_of(copy, manifest)
    assert open_session(model, "tensorrt-ort", Tuning(1)).provider == TENSORRT
    ((_, options),) = opened[0].providers
    assert Path(options[CACHE]).is_dir() and copy not in Path(options[CACHE]).parents
    verify_bundle(copy)  # nothing was written into it
    monkeypatch.setattr(library.load_onnxruntime(), "InferenceSession", Mock(side_effect=RuntimeError("no engine")))
    for kept in (False, True):
        if kept:
            (Path(options[CACHE]) / "kept.engine").write_bytes(b"damaged")
        with pytest.raises(ProviderError, match=f"{TENSORRT} did not come up .*: no engine") as raised:
            open_session(model, "tensorrt-ort", Tuning(1))
        assert raised.value.hint and (f"rm -r {options[CACHE]}" in raised.value.hint) == kept


def test_a_place_for_engines_that_cannot_be_written_is_reported(
    driver: None, copy: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_onnxruntime(monkeypatch, [TENSORRT, CPU], [TENSORRT, CPU])
    engines_folder(copy).write_bytes(b"a file where the folder should be")
    with pytest.raises(StorageError, match="cannot write"):
        open_session(model_of(copy, manifest), "tensorrt-ort", Tuning(1))


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (type("InvalidProtobuf", (Exception,), {})("no protobuf"), BundleError),
        (RuntimeError("Please install TensorRT libraries"), ProviderError),
        (RuntimeError("CUDA failure 2: out of memory"), DeviceError),
    ],
)
def test_faults_of_the_gpu_are_not_those_of_the_file(
    fault: Exception, expected: type[EdgenerError], driver: None, fp32: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_onnxruntime(monkeypatch, [CUDA, CPU], [CUDA])
    monkeypatch.setattr(library.load_onnxruntime(), "InferenceSession", Mock(side_effect=fault))
    message = re.escape(str(fault)) if expected is not DeviceError else "not enough"
    with pytest.raises(expected, match=message) as raised:
        open_session(fp32, "cuda", Tuning(1))
    assert type(raised.value) is expected


def test_bound_memory_gives_the_same_logits(bundle: Path, manifest: Manifest, fp32: Model) -> None:
    """As on a GPU, but on the CPU: logits written straight to where they are read."""
    import numpy as np

    feeds = {name: np.arange(1, 25, dtype=np.int64).reshape(3, 8) % 4 for name in fp32.inputs}
    opened = open_session(fp32, "cpu", Tuning(1))
    assert isinstance(opened, OnnxSession)
    assert np.array_equal(run_with_io_binding(opened._session, feeds), opened.run(feeds))


def test_a_variant_that_is_not_for_the_device_is_reported(bundle: Path) -> None:
    with pytest.raises(ProviderError, match=f"int8-dynamic runs on {CPU}, not on {CUDA}"):
        TokenClassifier.load(bundle, "cuda", "int8-dynamic")


def test_a_bundle_without_a_variant_for_the_device_is_reported(edit: Callable[..., Path]) -> None:
    edit("variants", 0, "needs", providers=[CUDA])
    with pytest.raises(ProviderError, match=r"no variant of bundle .* runs on cpu; it has int8-dynamic, fp32"):
        TokenClassifier.load(edit("variants", 1, "needs", providers=[CUDA]), "cpu")


def test_without_onnxruntime_the_line_to_type_is_reported(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any]
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    done = run("predict", bundle, "oil leak")
    assert done.code == 6
    assert "onnxruntime cannot be loaded" in done.err and 'pip install "edgener-runtime[cpu]"' in done.err


# --- settings


def test_threads_are_the_usable_cores_by_default(fp32: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = stub_onnxruntime(monkeypatch, [CPU], [CPU])
    for threads in (None, 1, 7):
        open_session(fp32, "cpu", tuning_for(fp32.bundle, fp32.variant, threads)[0])
    assert [call.options.intra_op_num_threads for call in opened] == [usable_cores(), 1, 7]


@pytest.mark.parametrize("threads", [0, -1])
def test_no_threads_are_refused(threads: int, bundle: Path, run: Callable[..., Any]) -> None:
    with pytest.raises(UserInputError, match=f"threads is {threads}, expected at least 1"):
        TokenClassifier.load(bundle, threads=threads)
    assert run("predict", bundle, "--threads", threads, "oil leak").code == 2


def test_fusions_that_the_variant_was_measured_without_are_off(
    bundle: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = stub_onnxruntime(monkeypatch, [CPU], [CPU])
    open_session(model_of(bundle, manifest, "int8-dynamic"), "cpu", Tuning(1))
    assert [call.disabled_optimizers for call in opened] == [["SkipLayerNormFusion"]]


# --- foreign errors


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x07" * 100])
def test_a_file_that_is_not_a_model_is_reported(content: bytes, fp32: Model) -> None:
    with pytest.raises(BundleError, match=r"cannot load .*fp32\.onnx") as raised:
        open_session(replace(fp32, graph=content), "cpu", Tuning(1))
    assert raised.value.hint and "onnxruntime 1.23 or newer" in raised.value.hint


def test_a_model_cut_short_is_reported(fp32: Model) -> None:
    data = fp32.file.read_bytes()
    for length in range(0, len(data), len(data) // 7):
        with pytest.raises(BundleError, match="cannot load"):
            open_session(replace(fp32, graph=data[:length]), "cpu", Tuning(1))


@pytest.mark.parametrize("needed", ["99", "1.9999", "12345.6.7"])
def test_a_variant_for_a_later_onnxruntime_is_refused(
    needed: str, edit: Callable[..., Path], run: Callable[..., Any]
) -> None:
    done = run("predict", edit("variants", 1, "needs", onnxruntime=needed), "oil leak", "--variant", "fp32")
    assert done.code == 6
    assert f"variant fp32 needs onnxruntime {needed} or newer; {onnxruntime.__version__} is installed" in done.err
    assert f'pip install --upgrade "onnxruntime>={needed}"' in done.err


@pytest.mark.parametrize("needed", ["1", "1.9", "1.23.0rc1", onnxruntime.__version__])
def test_a_variant_for_an_earlier_onnxruntime_runs(needed: str, edit: Callable[..., Path]) -> None:
    with TokenClassifier.load(edit("variants", 1, "needs", onnxruntime=needed), "cpu", "fp32") as classifier:
        assert classifier.provider == CPU


def test_a_file_that_was_replaced_since_is_not_run(copy: Path, manifest: Manifest) -> None:
    model = model_of(copy, manifest)
    data = model.file.read_bytes()
    model.file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BundleError, match=r"fp32\.onnx was changed"):
        open_session(model, "cpu", Tuning(1))


def test_a_run_that_breaks_off_is_reported(fp32: Model) -> None:
    opened = open_session(fp32, "cpu", Tuning(1))
    with pytest.raises(DeviceError, match="onnxruntime failed: "):
        opened.run({})


def test_a_maximum_length_that_the_model_does_not_take_is_an_error_not_a_guess(edit: Callable[..., Path]) -> None:
    with pytest.raises(BundleError, match="has embeddings for 64 positions; the manifest's max_length is 100"):
        TokenClassifier.load(edit("tokenizer", max_length=100), "cpu", "fp32")


# --- no network, and little memory

ALONE = """
import sys
from edgener_runtime import TokenClassifier
with TokenClassifier.load(sys.argv[1], "cpu", "fp32") as classifier:
    print(len(classifier.predict("oil leak")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="where it would be kept is as on Linux")
def test_onnxruntime_keeps_no_events_to_send(bundle: Path, tmp_path: Path) -> None:
    unset = {"ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in unset} | {"HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", ALONE, bundle], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*")) == []


def test_a_model_that_is_known_to_exceed_the_memory_is_reported_before(
    fp32: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgener_runtime.base.memory.memory_left", lambda: 1000)
    with pytest.raises(DeviceError, match=r"^loading .*fp32\.onnx takes about 1 MB of memory"):
        open_session(fp32, "cpu", Tuning(1))


@pytest.mark.parametrize("message", ["failed:std::bad_alloc", "Failed to allocate memory for requested buffer"])
def test_a_model_that_found_no_memory_is_not_said_to_be_damaged(
    message: str, fp32: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_onnxruntime(monkeypatch, [CPU], [CPU])
    monkeypatch.setattr(library.load_onnxruntime(), "InferenceSession", Mock(side_effect=RuntimeError(message)))
    with pytest.raises(DeviceError, match="not enough memory to load"):
        open_session(fp32, "cpu", Tuning(1))
