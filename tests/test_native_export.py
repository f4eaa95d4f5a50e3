"""Exports with int8-native: judged where its operators are installed, and refused or left out where they are not."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgener.data.types import Dataset
from edgener.parity.budgets import Budget
from edgener.pipeline import ExportSpec, buildable, export_bundle, export_slim
from edgener_exporters.architectures import ARCHITECTURES
from edgener_exporters.variants import VARIANTS
from edgener_runtime import TokenClassifier
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import ProviderError
from edgener_runtime.machine.operators import missing_operators

BOTH = (VARIANTS["int8-native"], VARIANTS["fp32"])


def spec_of(data: dict[str, Dataset]) -> ExportSpec:
    return ExportSpec(BOTH, data["test"], (Budget("churn", 0.05),), calibration=data["train"])


def test_named_without_its_operators_it_is_an_error_before_anything_runs(
    small_factory: dict[str, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "edgener_ops", None)
    with pytest.raises(ProviderError, match="int8-native cannot be judged here: its operators are not") as caught:
        buildable(spec_of(small_factory), ARCHITECTURES["bert"])
    assert caught.value.exit_code == 6 and "[ops]" in str(caught.value.hint)


def test_in_a_set_it_is_left_out_with_the_reason(
    small_factory: dict[str, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "edgener_ops", None)
    spec = buildable(replace(spec_of(small_factory), keep_passing=True), ARCHITECTURES["bert"])
    assert [variant.name for variant in spec.variants] == ["fp32"]
    assert "not installed" in spec.not_built["int8-native"]


def test_with_its_operators_it_passes_without_a_batch_effect(
    trained: Path, small_factory: dict[str, Dataset], tmp_path: Path
) -> None:
    if missing := missing_operators(1):
        pytest.skip(f"int8-native does not run here: {missing.what}")
    result = export_bundle(trained, tmp_path / "bundle", spec_of(small_factory))
    (native,) = [report for report in result.reports if report.variant == "int8-native"]
    assert native.figures.batch_effect == 0 and native.verdict.value == "pass"
    entry = verify_bundle(tmp_path / "bundle").variant("int8-native")
    assert entry.requirements.operators == 1
    texts = [sentence.text for sentence in small_factory["test"].sentences[:40]]
    with TokenClassifier.load(tmp_path / "bundle", "cpu", "int8-native") as classifier:
        assert "operators of edgener-ops" in str(classifier.explain())
        together = classifier.predict_batch(texts)
        assert [classifier.predict(text) for text in texts] == together


def test_a_slim_export_has_a_variant_for_devices_without_its_operators(
    trained: Path, small_factory: dict[str, Dataset], tmp_path: Path
) -> None:
    if missing := missing_operators(1):
        pytest.skip(f"int8-native does not run here: {missing.what}")
    result = export_slim(trained, tmp_path / "bundle", spec_of(small_factory))
    assert [entry.name for entry in result.manifest.variants] == ["int8-native", "fp32"]
    assert verify_bundle(tmp_path / "bundle") == result.manifest and not (tmp_path / "bundle" / "parity.json").exists()
