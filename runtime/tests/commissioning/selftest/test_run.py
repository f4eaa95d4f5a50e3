"""A selftest from end to end on the CPU, and every way in which it must not pass."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from edgener_runtime import TokenClassifier, UserInputError
from edgener_runtime.commissioning.selftest.basics import providers_of
from edgener_runtime.commissioning.selftest.checks import CHECKS, Check
from edgener_runtime.commissioning.selftest.context import Outcome, SelftestContext, SelftestRequest, skip
from edgener_runtime.commissioning.selftest.report import CheckResult, SelftestReport
from edgener_runtime.commissioning.selftest.run import run_selftest, summary

QUICK = 0.01  # seconds of measuring
FEW = ("Feed pump P-101: oil leak", "Replaced the worn drive belt of conveyor 4")


@pytest.fixture(scope="module")
def report(bundle: Path) -> SelftestReport:
    return run_selftest(SelftestRequest(bundle, "cpu", "int8-dynamic", seconds=QUICK, name="bench"))


def ended(report: SelftestReport) -> dict[str, str]:
    return {check.name: check.status for check in report.checks}


def check_of(report: SelftestReport, name: str) -> CheckResult:
    return next(check for check in report.checks if check.name == name)


def test_on_the_cpu_everything_passes_that_can_be_made_there(report: SelftestReport) -> None:
    assert (report.verdict, report.exit_code, report.failed) == ("pass", 0, None)
    assert [check.name for check in report.checks] == [check.name for check in CHECKS]
    passed = [name for name, status in ended(report).items() if status == "pass"]
    assert passed == ["machine", "bundle", "device", "provider", "repeat", "speed", "memory", "labels", "logits"]
    assert all(check.detail for check in report.checks)


def test_the_report_says_what_ran_where(report: SelftestReport, bundle: Path) -> None:
    with TokenClassifier.load(bundle, "cpu", "int8-dynamic") as classifier:
        assert report.model == classifier.variant.file.sha256
    assert (report.device, report.provider) == ("cpu", "CPUExecutionProvider")
    assert report.library == f"onnxruntime {onnxruntime.__version__}"
    assert onnxruntime.__version__ in report.versions.values()
    assert (report.bundle, report.variant, report.precision) == ("tiny-factory", "int8-dynamic", "int8")
    assert report.machine.name == "bench" and report.machine.cores >= 1
    assert "onnxruntime" in report.versions and "edgener-runtime" in report.versions


def test_the_figures_are_those_that_people_ask_for(report: SelftestReport) -> None:
    for name in ("load_seconds", "first_call_ms", "p50_ms", "p99_ms", "texts_per_second", "peak_rss_mb"):
        assert (report.figure(name) or 0) > 0, name
    assert (report.figure("rss_mb") is not None) == Path("/proc/self/statm").is_file()
    assert (report.figure("p50_ms") or 0) <= (report.figure("p99_ms") or 0)
    assert 0.9 < (report.figure("equal_labels") or 0) <= 1
    assert report.figure("mean_watts") is None


def test_each_check_is_reported_as_it_ends(bundle: Path) -> None:
    lines: list[str] = []
    run_selftest(SelftestRequest(bundle / "no bundle"), lambda result: lines.append(f"{result.name} {result.status}"))
    assert lines[:3] == ["machine pass", "bundle fail", "prepare skipped"]


# --- against another machine


def test_the_same_answers_from_another_machine_pass(bundle: Path, report: SelftestReport) -> None:
    again = run_selftest(SelftestRequest(bundle, "cpu", "int8-dynamic", against=report, seconds=QUICK))
    assert check_of(again, "against").status == "pass"
    assert "labels are those of int8-dynamic on bench" in check_of(again, "against").detail


def changed(report: SelftestReport, **fields: str) -> SelftestReport:
    return replace(report, answers=(replace(report.answers[0], **fields), *report.answers[1:]))


def test_other_labels_from_another_machine_are_3(bundle: Path, report: SelftestReport) -> None:
    labels = report.answers[0].labels.split()
    other = changed(report, labels=" ".join("1" if label == "0" else "0" for label in labels),
                    leads=" ".join("9.0" for _ in labels))  # fmt: skip
    found = run_selftest(SelftestRequest(bundle, "cpu", "int8-dynamic", against=other, seconds=QUICK))
    assert (found.verdict, found.exit_code) == ("fail", 3)
    assert f"{len(labels)} of the others were not near a tie" in check_of(found, "against").detail


def test_other_logits_from_another_machine_are_3(bundle: Path, report: SelftestReport) -> None:
    other = changed(report, logits=" ".join("99.0" for _ in report.answers[0].logits.split()))
    found = run_selftest(SelftestRequest(bundle, "cpu", "int8-dynamic", against=other, seconds=QUICK))
    assert found.exit_code == 3 and "allowed" in check_of(found, "against").detail


def test_int8_of_another_machine_is_not_a_reference_for_fp32_but_fp32_is_one_for_int8(
    bundle: Path, report: SelftestReport
) -> None:
    found = run_selftest(SelftestRequest(bundle, "cpu", "fp32", against=report, seconds=QUICK))
    lines = check_of(found, "against")
    assert (found.exit_code, lines.status) == (2, "fail")
    assert lines.detail == "the other machine's report is of int8-dynamic, which cannot be the reference of fp32"
    exact = run_selftest(SelftestRequest(bundle, "cpu", "fp32", seconds=QUICK))
    found = run_selftest(SelftestRequest(bundle, "cpu", "int8-dynamic", against=exact, seconds=QUICK))
    assert check_of(found, "against").status == "pass"


def test_a_report_of_other_texts_cannot_be_compared(bundle: Path, report: SelftestReport) -> None:
    found = run_selftest(
        SelftestRequest(bundle, "cpu", "int8-dynamic", texts=("oil leak",), against=report, seconds=QUICK)
    )
    assert (found.exit_code, check_of(found, "against").status) == (2, "fail")


# --- planted faults


def plant(monkeypatch: pytest.MonkeyPatch, fault: Callable[[Any, Any], Any], variant: str = "int8-dynamic") -> None:
    """Let what a variant answers go through `fault(logits, number of the call)`."""
    run, calls = TokenClassifier.run, iter(range(1_000_000))

    def faulty(self: TokenClassifier, inputs: Any) -> Any:
        found = run(self, inputs)
        return fault(found, next(calls)) if self.variant.name == variant else found

    def start(self: TokenClassifier) -> Any:
        return lambda batches: [lambda inputs=inputs: faulty(self, inputs) for inputs in batches]

    initialise = TokenClassifier.__init__

    def with_fault(self: TokenClassifier, *arguments: Any, **named: Any) -> None:
        initialise(self, *arguments, **named)
        monkeypatch.setattr(self.engine, "start", start(self))

    monkeypatch.setattr(TokenClassifier, "__init__", with_fault)


def test_a_device_that_answers_other_labels_is_3(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, lambda logits, call: np.roll(logits, 1, axis=-1))
    found = run_selftest(SelftestRequest(bundle, "cpu", "int8-dynamic", texts=FEW, seconds=QUICK))
    assert (found.verdict, found.exit_code) == ("fail", 3)
    assert check_of(found, "labels").status == "fail" and "not near a tie" in check_of(found, "labels").detail


def test_logits_out_of_the_band_are_3(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, lambda logits, call: logits + 1)  # every label is as it was
    found = run_selftest(SelftestRequest(bundle, "cpu", "int8-dynamic", texts=FEW, seconds=QUICK))
    assert (ended(found)["labels"], ended(found)["logits"], found.exit_code) == ("pass", "fail", 3)


def test_a_device_that_changes_its_mind_is_3(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, lambda logits, call: logits * (1 + call / 1000))
    found = run_selftest(SelftestRequest(bundle, "cpu", "int8-dynamic", texts=FEW, seconds=QUICK))
    assert (ended(found)["repeat"], ended(found)["labels"], found.exit_code) == ("fail", "skipped", 3)


def test_another_provider_than_the_one_meant_is_6(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    explain = TokenClassifier.explain
    monkeypatch.setattr(TokenClassifier, "explain", lambda self: replace(explain(self), provider="Other"))
    found = run_selftest(SelftestRequest(bundle, "cpu", texts=FEW, seconds=QUICK))
    assert found.exit_code == 6
    assert check_of(found, "provider").detail == (
        "cpu was requested, which is CPUExecutionProvider; Other runs int8-dynamic"
    )


@pytest.mark.parametrize(
    ("device", "providers"),
    [
        ("cpu", ("CPUExecutionProvider",)),
        ("cuda", ("CUDAExecutionProvider",)),
        ("tensorrt", ("TensorRT",)),
        ("tensorrt-ort", ("TensorrtExecutionProvider",)),
        ("jetson", ("TensorRT", "CUDAExecutionProvider")),
        ("auto", ("TensorRT", "CUDAExecutionProvider", "CPUExecutionProvider")),
    ],
)
def test_each_device_has_its_providers_and_no_other(device: str, providers: tuple[str, ...]) -> None:
    assert providers_of(device) == providers


def test_a_damaged_bundle_is_5_and_nothing_of_it_is_loaded(copy: Path) -> None:
    (copy / "tokenizer.json").write_text("{}")
    found = run_selftest(SelftestRequest(copy, "cpu", seconds=QUICK))
    assert (found.exit_code, found.bundle, found.model, found.answers) == (5, "copy", None, ())
    assert ended(found)["device"] == "skipped"
    assert check_of(found, "device").detail == "needs bundle, which did not pass"
    assert check_of(found, "bundle").detail.startswith("copy/tokenizer.json has 2 bytes")  # without the folder


def test_a_device_that_is_not_there_is_6_and_says_why(bundle: Path) -> None:
    found = run_selftest(SelftestRequest(bundle, "cuda", seconds=QUICK))
    if found.provider:
        pytest.skip("this machine has CUDA")
    assert (found.verdict, found.exit_code) == ("fail", 6)
    failed = found.failed
    assert failed and failed.name == "device" and failed.hint and "CUDA" in failed.detail
    assert {check.status for check in found.checks[4:]} == {"skipped"}


def test_a_variant_that_is_not_there_is_no_finding(bundle: Path) -> None:
    with pytest.raises(UserInputError, match="has no variant 'int4'"):
        run_selftest(SelftestRequest(bundle, "cpu", "int4"))


@pytest.mark.parametrize(("known", "verdict"), [(False, ("inconclusive", 4)), (True, ("pass", 0))])
def test_a_gpu_whose_answers_were_not_compared_is_4(
    known: bool, verdict: tuple[str, int], bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgener_runtime.commissioning.selftest.answers.reference_of", lambda *arguments: None)
    other = run_selftest(SelftestRequest(bundle, "cpu", "fp32", texts=FEW, seconds=QUICK))
    assert (other.verdict, other.exit_code) == ("pass", 0)  # FP32 on a CPU is the reference of others
    monkeypatch.setattr("edgener_runtime.commissioning.selftest.run.CPU", "another provider")
    request = SelftestRequest(bundle, "cpu", "fp32", texts=FEW, seconds=QUICK, against=other if known else None)
    found = run_selftest(request)
    assert (found.verdict, found.exit_code) == verdict


# --- the runner


def broken(context: SelftestContext) -> Outcome:
    raise ValueError("no such thing")


def test_a_check_that_breaks_is_in_the_report(bundle: Path) -> None:
    checks = [
        Check("broken", "nothing", broken),
        Check("next", "nothing", lambda context: Outcome("fine"), ("broken",)),
    ]
    found = run_selftest(SelftestRequest(bundle), checks=checks)
    assert (found.exit_code, [check.status for check in found.checks]) == (1, ["fail", "skipped"])
    lines = r"internal error at test_run\.py:\d+: ValueError: no such thing"
    assert re.fullmatch(lines, found.checks[0].detail) and "fault of edgener" in str(found.checks[0].hint)


def test_the_first_that_failed_says_how_it_ends(bundle: Path) -> None:
    checks = [CHECKS[0], Check("skipped", "nothing", lambda context: skip("no")), Check("broken", "nothing", broken)]
    found = run_selftest(SelftestRequest(bundle), checks=[*checks, CHECKS[1]])
    assert found.failed == found.checks[2]
    assert summary(found).endswith(": 2 passed, 1 failed, 1 skipped")


def test_an_emulated_machine_shows_nothing_of_speed(bundle: Path) -> None:
    found = run_selftest(SelftestRequest(bundle, "cpu", "int8-dynamic", texts=FEW, emulated_by="qemu", seconds=QUICK))
    assert found.verdict == "pass" and found.machine.emulated_by == "qemu"
    assert {check.seconds for check in found.checks} == {None}
    for name in ("load_seconds", "first_call_ms", "p50_ms", "rss_mb"):
        assert found.figure(name) is None
    assert check_of(found, "speed").detail == "emulated by qemu: answers, not speed"
    assert ended(found)["labels"] == "pass"


def test_required_checks_come_before() -> None:
    names: set[str] = set()
    for check in CHECKS:
        assert set(check.requires) <= names
        names.add(check.name)
    assert len(names) == len(CHECKS)
