"""Which device is taken and why, and what a machine lacks for one; drivers and Jetsons are played."""

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
    NEEDS,
    Lack,
    Wanted,
    lacks,
    next_command,
    onnxruntime_packages,
    prepared,
)
from edgener_runtime.backends.tensorrt.paths import engine_file
from edgener_runtime.bundle.manifest import Manifest
from edgener_runtime.cli.options import loading_options
from edgener_runtime.errors import ProviderError
from edgener_runtime.machine.devices import CUDA, DEVICES, PROVIDERS, TENSORRT
from edgener_runtime.machine.probe.cuda import CudaDriver, Gpu

DRIVER = CudaDriver("12.6", (Gpu("Made-up GPU", "8.7", 8 << 30),), None)
NO_DRIVER = CudaDriver(None, (), "no CUDA driver (libcuda.so.1) is installed")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`machine(built=(CUDA,), driver=DRIVER, jetson=True, packages=[...], tensorrt=True)` is what is found here."""

    def play(
        built: tuple[str, ...] = (), driver: CudaDriver = NO_DRIVER, jetson: bool = False,
        packages: tuple[str, ...] = ("onnxruntime",), tensorrt: bool = False,
    ) -> None:  # fmt: skip
        available = [*built, "CPUExecutionProvider"]
        monkeypatch.setattr(load_onnxruntime(), "get_available_providers", lambda: available)
        monkeypatch.setattr("edgener_runtime.machine.probe.cuda.cuda_driver", lambda: driver)
        monkeypatch.setattr("edgener_runtime.machine.probe.jetson.jetson", lambda: object() if jetson else None)
        monkeypatch.setattr("importlib.metadata.packages_distributions", lambda: {"onnxruntime": list(packages)})
        monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if tensorrt else None)

    play()
    return play


@pytest.fixture
def wanted(copy: Path, manifest: Manifest) -> Wanted:
    return Wanted(copy, manifest.variants)


def prepare(wanted: Wanted, variant: str) -> None:
    file = engine_file(wanted.bundle, variant)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"an engine")


# --- the table


def test_the_table_leans_on_what_there_is() -> None:
    for device in DEVICES.values():
        assert set(device.needs) <= set(NEEDS) and set(device.stands_for) <= set(DEVICES)
        assert device.opener in OPENERS and bool(device.provider) != bool(device.stands_for)
    assert [device.name for device in DEVICES.values() if device.proven] == ["auto", "cpu", "cuda"]


def test_the_commands_offer_the_table() -> None:
    (option,) = [
        each
        for each in loading_options(lambda: None).__click_params__
        if each.name == "device"  # type: ignore[attr-defined]
    ]
    assert list(option.type.choices) == list(DEVICES)


# --- what is lacking


@pytest.mark.parametrize(
    ("device", "here", "said"),
    [
        ("cuda", {}, [f"built without {CUDA}", "no CUDA driver"]),
        ("cuda", {"built": (CUDA,)}, ["no CUDA driver"]),
        ("cuda", {"driver": DRIVER}, [f"built without {CUDA}"]),
        (
            "cuda",
            {"built": (CUDA,), "driver": DRIVER, "packages": ("onnxruntime-gpu", "onnxruntime")},
            ["onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files"],
        ),
        ("cuda", {"built": (CUDA,), "driver": DRIVER}, []),
        ("tensorrt-ort", {"built": (CUDA,)}, [f"built without {TENSORRT}", "no CUDA driver"]),
        ("tensorrt", {}, ["no CUDA driver", "TensorRT's Python module (tensorrt) is not installed", "no engine"]),
        ("tensorrt", {"driver": DRIVER, "tensorrt": True}, ["no engine was prepared for"]),
        ("jetson", {}, ["this machine is no Jetson"]),
        ("jetson", {"jetson": True}, []),
        ("cpu", {}, []),
    ],
)
def test_all_that_is_missing_is_told_with_what_to_type(
    device: str, here: dict[str, Any], said: list[str], machine: Any, wanted: Wanted
) -> None:
    machine(**here)
    found = list(lacks(DEVICES[device], wanted))
    assert len(found) == len(said)
    assert all(part in lack.what for part, lack in zip(said, found, strict=True))
    if said:
        with pytest.raises(ProviderError) as told:
            require(DEVICES[device], wanted)
        assert told.value.message.startswith(f"{device} cannot run here: ")
        assert told.value.exit_code == 6 and told.value.hint


def test_an_engine_of_another_variant_is_none(machine: Any, wanted: Wanted, manifest: Manifest) -> None:
    prepare(wanted, "fp32")
    machine(driver=DRIVER, tensorrt=True)
    assert prepared(wanted.bundle) == ["fp32"]
    assert list(lacks(DEVICES["tensorrt"], wanted)) == []
    other = Wanted(wanted.bundle, (manifest.variant("int8-dynamic"),))
    assert [lack.what for lack in lacks(DEVICES["tensorrt"], other)] == [f"no engine was prepared for {wanted.bundle}"]


def test_the_packages_of_this_environment_are_read() -> None:
    assert "onnxruntime" in " ".join(onnxruntime_packages())


@pytest.mark.parametrize(
    ("lacking", "expected"),
    [
        ([Lack("a"), Lack("b")], ["pip install something"]),
        ([Lack("a"), Lack("b", "edgener-runtime prepare x")], ["pip install something", "edgener-runtime prepare x"]),
        ([Lack("b", "edgener-runtime prepare x")], ["edgener-runtime prepare x"]),
    ],
)
def test_what_to_type_is_made_for_this_machine_and_told_once(
    lacking: list[Lack], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = SimpleNamespace(provider=lambda name: SimpleNamespace(install="pip install something"))
    monkeypatch.setattr("edgener_runtime.machine.probe.record.probe", lambda: found)
    assert next_command(DEVICES["cuda"], lacking).splitlines() == expected


# --- what is taken


@pytest.mark.parametrize(
    ("here", "engine", "taken", "passed"),
    [
        ({}, False, "cpu", ["tensorrt passed over: no CUDA driver", "cuda passed over: this onnxruntime was built"]),
        ({"built": (CUDA,)}, False, "cpu", ["tensorrt passed over: no", "cuda passed over: no CUDA driver"]),
        ({"built": (CUDA,), "driver": DRIVER}, False, "cuda", ["tensorrt passed over: TensorRT's Python module"]),
        ({"built": (CUDA,), "driver": DRIVER, "tensorrt": True}, False, "cuda", ["tensorrt passed over: no engine"]),
        ({"built": (CUDA,), "driver": DRIVER, "tensorrt": True}, True, "tensorrt", []),
        ({"driver": DRIVER, "tensorrt": True}, True, "tensorrt", []),
    ],
)
def test_auto_takes_the_first_that_is_here_and_says_what_it_passed_over(
    here: dict[str, Any], engine: bool, taken: str, passed: list[str], machine: Any, wanted: Wanted
) -> None:
    if engine:
        prepare(wanted, "fp32")
    machine(**here)
    name, reasons = pick_device("auto", wanted)
    assert name == taken
    assert reasons[0] == f"device: {taken}, {DEVICES[taken].description}"
    assert len(reasons) == 1 + len(passed)
    assert all(reason.startswith(part) for part, reason in zip(passed, reasons[1:], strict=True))


def test_what_was_passed_over_is_explained(machine: Any, bundle: Path) -> None:
    with TokenClassifier.load(bundle) as classifier:
        told = classifier.explain()
    assert told.provider == PROVIDERS["cpu"]
    assert "tensorrt passed over: no CUDA driver (libcuda.so.1) is installed" in told.reasons
    assert "cuda passed over: " in str(told)


def test_auto_takes_no_device_that_the_variant_does_not_run_on(
    machine: Any, wanted: Wanted, manifest: Manifest
) -> None:
    machine(built=(CUDA,), driver=DRIVER)
    name, reasons = pick_device("auto", Wanted(wanted.bundle, (manifest.variant("int8-dynamic"),)))
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
    here: dict[str, Any], engine: bool, taken: str | None, machine: Any, wanted: Wanted
) -> None:
    if engine:
        prepare(wanted, "fp32")
    machine(**here, jetson=True)
    if taken is None:
        with pytest.raises(ProviderError, match=r"jetson cannot run here: tensorrt passed over: .*cuda passed over: "):
            pick_device("jetson", wanted)
        return
    name, reasons = pick_device("jetson", wanted)
    assert (name, reasons[0]) == (taken, f"device: {taken} for jetson, {DEVICES[taken].description}")
