"""The report as a file and as a page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgener_runtime import UserInputError
from edgener_runtime.base.serde import from_json, to_json
from edgener_runtime.commissioning.selftest.machine import probe_all
from edgener_runtime.commissioning.selftest.page import page
from edgener_runtime.commissioning.selftest.report import (
    Answer,
    CheckResult,
    SelftestMachine,
    SelftestReport,
    read_report,
)

MACHINE = SelftestMachine(
    "<b>board</b>", "aarch64", "Linux 5.15", "3.10.12", "0xd42", "asimddp", 6, 8 << 30, None, {"a": 1}
)
REPORT = SelftestReport(
    verdict="fail", exit_code=3, device="cuda", provider="CUDAExecutionProvider", library="onnxruntime 1.23.2",
    bundle="b", variant="fp32",
    precision="fp32", model="00", machine=MACHINE, versions={"onnxruntime": "1.23.2"},
    checks=(
        CheckResult("speed", "how fast", "pass", "1 ms", 0.5, {"p50_ms": 1.0}),
        CheckResult("labels", "right", "fail", "<script>alert(1)</script>", 0.1, {}, "Do \"this\" & that", 3),
        CheckResult("power", "watts", "skipped", "not measurable here"),
    ),
    answers=(Answer("ab", "0 1", "1.0 2.0", "0.5 0.5"),), created="2026-01-01T00:00:00+00:00",
)  # fmt: skip


def test_a_report_comes_back_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(to_json(REPORT), encoding="utf-8")
    assert read_report(tmp_path / "report.json") == REPORT
    assert from_json(SelftestReport, to_json(REPORT), "there") == REPORT


def test_figures_and_counts_are_found_across_checks() -> None:
    assert (REPORT.figure("p50_ms"), REPORT.figure("p99_ms")) == (1.0, None)
    assert [REPORT.count(status) for status in ("pass", "fail", "skipped")] == [1, 1, 1]
    assert REPORT.failed and REPORT.failed.name == "labels"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}", "is not a report of a selftest"),
        (b"\xff", "is not a report of a selftest"),
        (to_json(replace(REPORT, schema_version=2)).encode(), "has schema version 2; this edgener-runtime reads 1"),
        (None, "cannot read"),
    ],
)
def test_what_is_not_a_report_says_so(content: bytes | None, message: str, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserInputError, match=message) as raised:
        read_report(file)
    assert "selftest BUNDLE --out" in str(raised.value.hint)


def test_the_page_escapes_everything_and_loads_nothing() -> None:
    html = page(REPORT)
    assert "<script" not in html and "<b>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html and "Do &quot;this&quot; &amp; that" in html
    assert "default-src 'none'" in html and "http" not in html.replace("http-equiv", "")
    assert all(check.name in html and check.status in html for check in REPORT.checks)
    assert "8.6 GB" in html and "p50_ms" in html


def test_the_page_of_an_emulated_machine_says_so() -> None:
    html = page(replace(REPORT, machine=replace(MACHINE, emulated_by="qemu", memory=None)))
    assert "qemu: answers, not speed" in html and "unknown" in html


def test_no_folder_of_this_machine_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "home" / "somebody" / "lib"
    folder.mkdir(parents=True)
    (folder / "libcudart.so.12.6.77").write_bytes(b"")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
    [library] = [found for found in probe_all()["libraries"] if found["file"] == "libcudart.so.12.6.77"]
    assert library["name"] == "libcudart"
    assert "somebody" not in str(probe_all()["libraries"])
