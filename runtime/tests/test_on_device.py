"""What runs where there is a GPU, TensorRT or a Jetson, and is skipped elsewhere with what is missing.

Run with CUDA (benchmarks/devices); not with TensorRT nor on a Jetson yet.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.backends.requirements import RunRequest, missing_here
from edgener_runtime.bundle.manifest import Manifest
from edgener_runtime.decoding.entity import Entity
from edgener_runtime.machine.devices import CPU, CUDA, DEVICES, TENSORRT, engine_devices, hardware_devices
from edgener_runtime.machine.probe.record import probe

# A text alone, an empty one, windows, more rows than a profile takes, and every length between.
TEXTS = ["oil leak at the pump", "", "Bearing worn, replaced. " * 40, *(f"{'leak ' * n}at P-10{n}" for n in range(60))]
SCORES = 2e-3  # FP32 on a GPU adds up in another order

MARKS = {CUDA: pytest.mark.gpu, TENSORRT: pytest.mark.tensorrt, "": pytest.mark.jetson}
on_gpu = pytest.mark.parametrize(
    "device",
    [
        pytest.param(name, marks=MARKS[device.provider])
        for name, device in hardware_devices().items()
        if device.provider != CPU
    ],
)


@pytest.fixture
def prepared(device: str, copy: Path, manifest: Manifest, run: Callable[..., Any]) -> Path:
    """The bundle on a device that is here, with its engine where it runs engines."""
    run_request = RunRequest(copy, (manifest.variant("fp32"),))
    missing = [each.what for each in missing_here(DEVICES[device], run_request) if each.requirement != "engine"]
    if missing := missing or [*probe().device(device).missing]:
        pytest.skip(f"{device} is not here: {'; '.join(missing)}")
    if device in engine_devices():
        done = run("prepare", copy, "--variant", "fp32", "--device", device)
        assert done.code == 0, done.err
    return copy


@pytest.fixture(scope="session")
def expected(classifier: TokenClassifier) -> list[list[Entity]]:
    """The CPU's answers."""
    return classifier.predict_batch(TEXTS)


def assert_alike(found: list[list[Entity]], expected: list[list[Entity]]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        assert [(each.label, each.start, each.end) for each in ours] == [
            (each.label, each.start, each.end) for each in theirs
        ]
        assert [each.score for each in ours] == pytest.approx([each.score for each in theirs], abs=SCORES)


@on_gpu
def test_answers_are_the_cpu_s_and_come_from_the_device(
    device: str, prepared: Path, expected: list[list[Entity]]
) -> None:
    with TokenClassifier.load(prepared, device, "fp32") as classifier:
        explanation = classifier.explain()
        assert explanation.provider != CPU, explanation
        # the tests' bundle has nodes that onnxruntime keeps on the CPU, so that CUDA captures none of it
        assert any("no CUDA graph" in reason for reason in explanation.reasons) == (device == "cuda"), explanation
        assert_alike(classifier.predict_batch(TEXTS), expected)
        assert_alike([classifier.predict(text) for text in TEXTS], expected)


@on_gpu
def test_threads_share_a_session(device: str, prepared: Path, expected: list[list[Entity]]) -> None:
    found: dict[int, list[list[Entity]]] = {}
    with TokenClassifier.load(prepared, device, "fp32") as classifier:
        threads = [
            threading.Thread(target=lambda n=n: found.update({n: classifier.predict_batch(TEXTS)})) for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 4
    for answers in found.values():
        assert_alike(answers, expected)


@on_gpu
def test_a_bundle_is_loaded_and_closed_over_and_over(device: str, prepared: Path) -> None:
    for _ in range(5):
        with TokenClassifier.load(prepared, device, "fp32") as classifier:
            assert classifier.predict("oil leak at the pump")
