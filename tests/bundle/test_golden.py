"""The golden vectors of a real export: what they are, and that they find changed weights and sums that saturate."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from benchmarks.golden_bounds import unsigned
from onnx import numpy_helper

from edgener.bundle.build import write_manifest
from edgener.bundle.keys import KeyFiles, open_signer, write_keys
from edgener.bundle.sign import sign_bundle
from edgener.bundle.unicode_samples import SAMPLES
from edgener.data.types import Dataset
from edgener_exporters.graph.weights import column_scales
from edgener_exporters.quantise import fused_attention, int8
from edgener_exporters.quantise.int8_dynamic import quantize_dynamic
from edgener_runtime.backends.base import Tuning
from edgener_runtime.bundle.golden_set import GoldenVector
from edgener_runtime.bundle.manifest import read_manifest
from edgener_runtime.bundle.verify import file_entry, verify_bundle
from edgener_runtime.errors import ParityError
from edgener_runtime.golden import check_golden, golden_answer
from edgener_runtime.machine.cpu import isa
from edgener_runtime.pipeline import TokenClassifier

NO_VNNI = "avx2" in isa() and "vnni" not in isa()
INT8 = "int8-dynamic"


@pytest.mark.parametrize("variant", ["fp32", INT8])
def test_every_variant_has_its_own_and_passes(exported: Path, small_factory: dict[str, Dataset], variant: str) -> None:
    with TokenClassifier.load(exported, "cpu", variant) as classifier:
        golden, found = classifier.variant.golden, check_golden(classifier)
    assert golden and found and found.largest <= 0.006
    assert golden.source == "evaluation" and 0.01 <= golden.band <= golden.limit < 2
    reasons = {vector.chosen for vector in golden.vectors}
    assert reasons >= {"empty", "longest", "disturbed most", "Unicode"} and 8 <= len(golden.vectors) <= 20
    evaluated = {sentence.text for sentence in small_factory["test"].sentences}
    assert {vector.text for vector in golden.vectors} <= evaluated | set(SAMPLES) | {""}


def test_changed_weights_that_are_hashed_and_signed_again_are_found(exported: Path, tmp_path: Path) -> None:
    manifest, bundle = read_manifest(exported), tmp_path / "bundle"
    shutil.copytree(exported, bundle)
    file = bundle / "variants" / f"{INT8}.onnx"
    model = onnx.load(file)
    [weight] = [each for each in model.graph.initializer if each.name.endswith("layer.0.output.LayerNorm.weight")]
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1.2), weight.name))
    onnx.save(model, file)
    entries = tuple(replace(entry, file=file_entry(bundle, bundle / entry.file.path)) for entry in manifest.variants)
    (bundle / "manifest.json").unlink()
    write_manifest(replace(manifest, variants=entries), bundle)
    keys = KeyFiles.named(tmp_path / "key")
    write_keys(keys, "")
    with open_signer(str(keys.private), lambda: "") as signer:
        sign_bundle(bundle, signer)
    verify_bundle(bundle, keys.public)
    with TokenClassifier.load(bundle, "cpu", INT8) as changed, pytest.raises(ParityError, match="golden vectors"):
        check_golden(changed)


# --- a kernel that saturates


def full_range(fp32: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """int8-dynamic with the finest scales, the products of which are exact on a CPU with VNNI only."""
    for module in (int8, fused_attention):
        monkeypatch.setattr(module, "safe_column_scales", column_scales)
    quantize_dynamic(fp32, out)
    return out


@pytest.mark.skipif(not NO_VNNI, reason="this CPU has VNNI or is not x86-64: its products do not saturate")
def test_sums_that_saturate_are_found(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = read_manifest(exported)
    shutil.copy(exported / manifest.tokenizer.file, tmp_path)
    saturating = full_range(exported / "variants" / "fp32.onnx", tmp_path / "full.onnx", monkeypatch)
    entry = manifest.variant(INT8)
    assert entry.golden

    def opened(graph: Path, vectors: tuple[GoldenVector, ...]) -> TokenClassifier:
        assert entry.golden
        there = replace(entry, file=file_entry(tmp_path, graph), golden=replace(entry.golden, vectors=vectors))
        return TokenClassifier(tmp_path, manifest, there, "cpu", Tuning())

    with opened(unsigned(saturating, tmp_path / "exact.onnx"), entry.golden.vectors) as sound:
        answers = [(vector, golden_answer(sound, vector.text)) for vector in entry.golden.vectors]
    expected = tuple(replace(vector, logits=found.logits, entities=None) for vector, found in answers)
    with opened(tmp_path / "exact.onnx", expected) as sound:
        assert check_golden(sound)
    with opened(saturating, expected) as wrong, pytest.raises(ParityError, match="golden vectors"):
        check_golden(wrong)
