from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgener_runtime.bundle.manifest import Manifest, read_manifest
from edgener_runtime.commissioning.bench.plan import cases_of, require_any, require_distinct, targets_of
from edgener_runtime.commissioning.bench.results.record import Case
from edgener_runtime.commissioning.bench.spec import Spec
from edgener_runtime.commissioning.bench.workloads import WorkloadTexts
from edgener_runtime.errors import ProviderError, UserInputError
from edgener_runtime.machine.cpu import usable_cores

Ask = Callable[..., Spec]
WORK = WorkloadTexts("orders", ("a",), (3,))


def test_every_variant_is_a_target_for_each_count_of_threads(ask: Ask, manifest: Manifest) -> None:
    targets = targets_of(ask(variants=(), threads=(1, 2)), manifest)
    names = [(target.variant, target.threads) for target in targets]
    assert names == [("int8-dynamic", 1), ("int8-dynamic", 2), ("fp32", 1), ("fp32", 2)]
    assert {target.device for target in targets} == {"cpu"} and not any(target.why_not for target in targets)
    assert targets[0].sha256 == manifest.variants[0].file.sha256


def test_devices_that_come_to_the_same_are_one_target(ask: Ask, manifest: Manifest) -> None:
    (target,) = targets_of(ask(devices=("cpu", "cpu"), threads=(1, 1)), manifest)
    assert (target.device, target.threads, target.requested_threads) == ("cpu", 1, 1)


def test_threads_are_the_cores_where_none_are_asked_for(ask: Ask, manifest: Manifest) -> None:
    (target,) = targets_of(ask(threads=()), manifest)
    assert (target.threads, target.requested_threads) == (usable_cores(), None)


def test_a_variant_that_cannot_run_here_is_a_target_with_the_reason(edit: Callable[..., Path], copy: Path) -> None:
    edit("variants", 1, "needs", providers=["CUDAExecutionProvider"])
    targets = targets_of(Spec(str(copy), devices=("cpu",)), read_manifest(copy))
    assert [bool(target.why_not) for target in targets] == [False, True]
    assert "fp32 runs on CUDAExecutionProvider, not on CPUExecutionProvider" in targets[1].why_not
    require_any(targets)
    with pytest.raises(ProviderError, match="no variant can run here\nfp32: variant fp32 runs on CUDA"):
        require_any(targets[1:])


def test_a_device_that_is_not_here_is_a_reason(ask: Ask, manifest: Manifest) -> None:
    (target,) = targets_of(ask(devices=("jetson",)), manifest)
    assert target.device == "jetson" and "jetson cannot run here" in target.why_not


def test_an_unknown_variant_is_refused(ask: Ask, manifest: Manifest) -> None:
    with pytest.raises(UserInputError, match="has no variant 'int4'"):
        targets_of(ask(variants=("int4",)), manifest)


def test_cases_are_scenarios_by_workloads(ask: Ask, manifest: Manifest) -> None:
    spec = ask(scenarios=("single-stream", "multi-stream", "server"), samples_per_query=(2, 8), bound_ms=20.0)
    (target,) = targets_of(spec, manifest)
    assert list(cases_of(spec, target, [WORK])) == [
        Case("fp32", "cpu", 1, "single-stream", "orders"),
        Case("fp32", "cpu", 1, "multi-stream", "orders", 2),
        Case("fp32", "cpu", 1, "multi-stream", "orders", 8),
        Case("fp32", "cpu", 1, "server", "orders", 1, 20.0),
    ]


def test_workloads_of_one_name_are_refused() -> None:
    require_distinct([WORK])
    with pytest.raises(UserInputError, match="two workloads have the name 'orders'"):
        require_distinct([WORK, WORK])
