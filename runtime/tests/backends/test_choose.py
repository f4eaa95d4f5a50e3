"""Which device is chosen and why, and what a machine is missing for one; drivers and Jetsons are simulated."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.backends.choose import pick_device, require
from edgener_runtime.backends.onnxruntime.library import load_onnxruntime
from edgener_runtime.backends.open import OPENERS
from edgener_runtime.backends.requirements import (
    ProcessFacts,
    RunRequest,
    missing_here,
    next_command,
    prepared,
)
from edgener_runtime.backends.tensorrt.paths import engine_file
from edgener_runtime.bundle.manifest import Manifest
from edgener_runtime.cli.options import loading_options
from edgener_runtime.errors import ProviderError
from edgener_runtime.machine.devices import CPU, CUDA, DEVICES
from edgener_runtime.machine.probe.cuda import CudaDriver, Gpu
from edgener_runtime.machine.probe.install import INSTALLERS
from edgener_runtime.machine.requirements import REQUIREMENTS, Missing

DRIVER = CudaDriver("12.6", (Gpu("Synthetic GPU", "8.7", 8 << 30),), None)
NO_DRIVER = CudaDriver(None, (), "no CUDA driver (libcuda.so.1) is installed")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`machine(built=(CUDA,), driver=DRIVER, jetson=True, packages=[...], tensorrt=True)` is what is found here."""

    def simulate(
        built: tuple[str, ...] = (), driver: CudaDriver = NO_DRIVER, jetson: bool = False,
        packages: tuple[str, ...] = ("onnxruntime",), tensorrt: bool = False,
    ) -> None:  # fmt: skip
        available = [*built, "CPUExecutionProvider"]
        monkeypatch.setattr(load_onnxruntime(), "get_available_providers", lambda: available)
        monkeypatch.setattr("edgener_runtime.machine.probe.cuda.cuda_driver", lambda: driver)
        monkeypatch.setattr("edgener_runtime.machine.probe.jetson.jetson", lambda: object() if jetson else None)
        monkeypatch.setattr("importlib.metadata.packages_distributions", lambda: {"onnxruntime": list(packages)})
        monkeypatch.setattr("importlib.metadata.version", lambda name: "1.31.1")
        monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if tensorrt else None)

    simulate()
    return simulate


@pytest.fixture
def run_request(copy: Path, manifest: Manifest) -> RunRequest:
    return RunRequest(copy, manifest.variants)


def prepare(run_request: RunRequest, variant: str) -> None:
    file = engine_file(run_request.bundle, variant)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"an engine")


# --- the table


def test_the_table_names_what_there_is() -> None:
    for device in DEVICES.values():
        assert set(device.requirements) <= set(REQUIREMENTS) and set(device.stands_for) <= set(DEVICES)
        assert device.opener in OPENERS and bool(device.provider) != bool(device.stands_for)
        assert (device.software in INSTALLERS) == bool(device.requirements)
    assert [device.name for device in DEVICES.values() if device.proven] == ["auto", "cpu", "cuda"]


def test_the_commands_offer_the_table() -> None:
    (option,) = [
        each
        for each in loading_options(lambda: None).__click_params__
        if each.name == "device"  # type: ignore[attr-defined]
    ]
    assert list(option.type.choices) == list(DEVICES)


# --- what is missing


@pytest.mark.parametrize(
    ("device", "here", "expected"),
    [
        ("cuda", {}, ["is built without CUDA", "no CUDA driver"]),
        ("cuda", {"built": (CUDA,)}, ["no CUDA driver"]),
        ("cuda", {"driver": DRIVER}, ["is built without CUDA"]),
        (
            "cuda",
            {"built": (CUDA,), "driver": DRIVER, "packages": ("onnxruntime-gpu", "onnxruntime")},
            ["onnxruntime 1.31.1 and onnxruntime-gpu 1.31.1 are installed together and overwrite each other's files"],
        ),
        ("cuda", {"built": (CUDA,), "driver": DRIVER}, []),
        ("tensorrt-ort", {"built": (CUDA,)}, ["is built without TensorRT", "no CUDA driver"]),
        ("tensorrt", {}, ["no CUDA driver", "TensorRT's Python bindings are not installed", "no engine"]),
        ("tensorrt", {"driver": DRIVER, "tensorrt": True}, ["no engine was prepared for"]),
        ("jetson", {}, ["this machine is not a Jetson"]),
        ("jetson", {"jetson": True}, []),
        ("cpu", {}, []),
    ],
)
def test_everything_missing_is_reported_with_the_next_command(
    device: str, here: dict[str, Any], expected: list[str], machine: Any, run_request: RunRequest
) -> None:
    machine(**here)
    found = list(missing_here(DEVICES[device], run_request))
    assert len(found) == len(expected)
    assert all(part in missing.what for part, missing in zip(expected, found, strict=True))
    assert all(missing.requirement in DEVICES[device].requirements for missing in found)
    if expected:
        with pytest.raises(ProviderError) as raised:
            require(DEVICES[device], run_request)
        assert raised.value.message.startswith(f"{device} cannot run here: ")
        assert raised.value.exit_code == 6 and raised.value.hint


def test_an_engine_of_another_variant_is_none(machine: Any, run_request: RunRequest, manifest: Manifest) -> None:
    prepare(run_request, "fp32")
    machine(driver=DRIVER, tensorrt=True)
    assert prepared(run_request.bundle) == ["fp32"]
    assert list(missing_here(DEVICES["tensorrt"], run_request)) == []
    other = RunRequest(run_request.bundle, (manifest.variant("int8-dynamic"),))
    assert [missing.what for missing in missing_here(DEVICES["tensorrt"], other)] == [
        f"no engine was prepared for {run_request.bundle}"
    ]


def test_the_packages_of_this_environment_are_read() -> None:
    assert "onnxruntime" in " ".join(ProcessFacts().onnxruntime_packages(DEVICES["cuda"]))
    assert ProcessFacts().onnxruntime_packages(DEVICES["cpu"]) == ()  # where reading the records would delay a start


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ([Missing("a"), Missing("b")], ["pip install something"]),
        (
            [Missing("a"), Missing("b", "edgener-runtime prepare x")],
            ["pip install something", "edgener-runtime prepare x"],
        ),
        ([Missing("b", "edgener-runtime prepare x")], ["edgener-runtime prepare x"]),
    ],
)
def test_the_next_command_is_for_this_machine_and_named_once(
    missing: list[Missing], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = SimpleNamespace(device=lambda name: SimpleNamespace(install="pip install something"))
    monkeypatch.setattr("edgener_runtime.machine.probe.record.probe", lambda: found)
    assert next_command(DEVICES["cuda"], missing).splitlines() == expected


# --- what is taken


@pytest.mark.parametrize(
    ("here", "engine", "taken", "passed"),
    [
        ({}, False, "cpu", ["tensorrt passed over: no CUDA driver", "cuda passed over: onnxruntime "]),
        ({"built": (CUDA,)}, False, "cpu", ["tensorrt passed over: no", "cuda passed over: no CUDA driver"]),
        ({"built": (CUDA,), "driver": DRIVER}, False, "cuda", ["tensorrt passed over: TensorRT's Python bindings"]),
        ({"built": (CUDA,), "driver": DRIVER, "tensorrt": True}, False, "cuda", ["tensorrt passed over: no engine"]),
        ({"built": (CUDA,), "driver": DRIVER, "tensorrt": True}, True, "tensorrt", []),
        ({"driver": DRIVER, "tensorrt": True}, True, "tensorrt", []),
    ],
)
def test_auto_takes_the_first_that_is_here_and_says_what_it_passed_over(
    here: dict[str, Any], engine: bool, taken: str, passed: list[str], machine: Any, run_request: RunRequest
) -> None:
    if engine:
        prepare(run_request, "fp32")
    machine(**here)
    name, reasons = pick_device("auto", run_request)
    assert name == taken
    assert reasons[0] == f"device: {taken}, {DEVICES[taken].description}"
    assert len(reasons) == 1 + len(passed)
    assert all(reason.startswith(part) for part, reason in zip(passed, reasons[1:], strict=True))


def test_what_was_passed_over_is_explained(machine: Any, bundle: Path) -> None:
    with TokenClassifier.load(bundle) as classifier:
        found = classifier.explain()
    assert found.provider == CPU
    assert "tensorrt passed over: no CUDA driver (libcuda.so.1) is installed" in found.reasons
    assert "cuda passed over: " in str(found)


def test_auto_takes_no_device_that_the_variant_does_not_run_on(
    machine: Any, run_request: RunRequest, manifest: Manifest
) -> None:
    machine(built=(CUDA,), driver=DRIVER)
    name, reasons = pick_device("auto", RunRequest(run_request.bundle, (manifest.variant("int8-dynamic"),)))
    assert name == "cpu" and "cuda passed over: int8-dynamic does not run there" in reasons


@pytest.mark.parametrize(
    ("here", "engine", "taken"),
    [
        ({"built": (CUDA,), "driver": DRIVER, "tensorrt": True}, True, "tensorrt"),
        ({"built": (CUDA,), "driver": DRIVER, "tensorrt": True}, False, "cuda"),
        ({"driver": DRIVER}, False, None),
    ],
)
def test_a_jetson_takes_its_engine_or_cuda_and_never_the_cpu(
    here: dict[str, Any], engine: bool, taken: str | None, machine: Any, run_request: RunRequest
) -> None:
    if engine:
        prepare(run_request, "fp32")
    machine(**here, jetson=True)
    if taken is None:
        with pytest.raises(ProviderError, match=r"jetson cannot run here: tensorrt passed over: .*cuda passed over: "):
            pick_device("jetson", run_request)
        return
    name, reasons = pick_device("jetson", run_request)
    assert (name, reasons[0]) == (taken, f"device: {taken} for jetson, {DEVICES[taken].description}")
