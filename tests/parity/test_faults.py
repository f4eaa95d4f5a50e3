"""Planted faults: each is refused by the gate, with nothing written, and gets past a check that is weaker.

The sound form of the same model passes the same budgets, so that it is the fault that is caught.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgener import pipeline
from edgener.bundle import tokenizer
from edgener.data.factory import factory_splits
from edgener.data.types import Dataset, Sentence
from edgener.parity.budgets import Budget
from edgener.parity.compare import ParityReport
from edgener.pipeline import ExportSpec, RefusedVariantsError, export_bundle
from edgener_exporters.checkpoint.load import load_reference
from edgener_exporters.graph.onnx import export_onnx
from edgener_exporters.quantise import fp16_emulation as halves_module
from edgener_exporters.variants import VARIANTS, Builder, Variant
from edgener_runtime.errors import ParityError

from .planting import cosine, mask_as_length, mask_ignored, naive_fp16, on_random_ids, wrong_scale


@pytest.fixture(scope="module")
def text() -> Dataset:
    test = factory_splits()["test"]
    return replace(test, sentences=test.sentences[:300])


@pytest.fixture(scope="module")
def model(trained: Path) -> Any:
    return load_reference(trained)


@pytest.fixture(scope="module")
def fp32(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("graph") / "fp32.onnx"
    export_onnx(trained, file)
    return file


def planted(kind: str, build: Builder) -> Variant:
    return replace(VARIANTS[kind], name="planted", build=build)


def passed(checkpoint: Path, out: Path, spec: ExportSpec) -> ParityReport:
    (report,) = export_bundle(checkpoint, out, spec).reports
    assert report.verdict == "pass"
    return report


def refused(checkpoint: Path, out: Path, spec: ExportSpec) -> ParityReport:
    beside = set(out.parent.iterdir())
    with pytest.raises(RefusedVariantsError) as caught:
        export_bundle(checkpoint, out, spec)
    assert caught.value.exit_code == 3
    assert set(out.parent.iterdir()) == beside
    (report,) = caught.value.result.reports
    return report


def failed(report: ParityReport) -> set[tuple[str, str | None]]:
    """The budgets that were not kept."""
    return {(judged.figure, judged.label) for judged in report.judgements if judged.verdict == "fail"}


# --- (a) one layer's weights quantised with a wrong scale


def test_a_wrong_scale_is_caught_by_churn_and_not_by_random_ids_nor_f1(
    trained: Path, text: Dataset, model: Any, fp32: Path, tmp_path: Path
) -> None:
    spec = ExportSpec((VARIANTS["int8-dynamic"],), text, (Budget("churn", 0.022),))
    build = wrong_scale("layer.1.feed_forward_2", 1.5)
    passed(trained, tmp_path / "sound", spec)
    report = refused(trained, tmp_path / "out", replace(spec, variants=(planted("int8-dynamic", build),)))
    assert failed(report) == {("churn", None)}

    build(fp32, tmp_path / "planted.onnx", None)
    assert cosine(*on_random_ids(fp32, tmp_path / "planted.onnx", model)) > 0.99
    assert report.figures.equal_labels > 0.97  # token accuracy: most tokens are O
    assert report.figures.f1_difference is not None and report.figures.f1_difference > -0.02


# --- (b) labels I-/B- swapped for one type


@pytest.fixture
def swapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundle calls the logit of B-EQUIPMENT I-EQUIPMENT and the other way round."""
    other = {"B-EQUIPMENT": "I-EQUIPMENT", "I-EQUIPMENT": "B-EQUIPMENT"}
    from edgener.bundle.build import draft_manifest as sound

    def draft(*arguments: Any, **options: Any) -> Any:
        manifest = sound(*arguments, **options)
        return replace(manifest, labels=tuple(other.get(label, label) for label in manifest.labels))

    monkeypatch.setattr(pipeline, "draft_manifest", draft)


def without_spans(text: Dataset) -> Dataset:
    return replace(text, sentences=tuple(replace(sentence, spans=()) for sentence in text.sentences))


@pytest.mark.parametrize(
    ("variant", "is_labelled", "budget"),
    [
        ("fp32", True, Budget("labels", 0.0)),
        ("int8-dynamic", True, Budget("f1_drop", 0.02)),
        ("int8-dynamic", True, Budget("f1_drop", 0.1, "EQUIPMENT")),
        ("int8-dynamic", False, Budget("churn", 0.035)),
    ],
)
def test_swapped_labels_are_caught_and_no_logit_shows_them(
    trained: Path, text: Dataset, swapped: None, tmp_path: Path, variant: str, is_labelled: bool, budget: Budget
) -> None:
    judged = text if is_labelled else without_spans(text)
    report = refused(trained, tmp_path / "out", ExportSpec((VARIANTS[variant],), judged, (budget,)))
    assert failed(report) == {(budget.figure, budget.label)}
    assert report.logits.max_difference < (1e-4 if variant == "fp32" else 1)
    assert report.logits.relative_l2 < 0.05


@pytest.mark.parametrize("budget", [Budget("f1_drop", 0.02), Budget("f1_drop", 0.1, "EQUIPMENT")])
def test_with_the_labels_as_they_are_the_same_budgets_are_kept(
    trained: Path, text: Dataset, tmp_path: Path, budget: Budget
) -> None:
    passed(trained, tmp_path / "out", ExportSpec((VARIANTS["int8-dynamic"],), text, (budget,)))


# --- (c) left-padded masks mishandled


def test_a_mask_read_as_a_length_is_caught_under_left_padding_and_by_no_text(
    trained: Path, text: Dataset, model: Any, fp32: Path, tmp_path: Path
) -> None:
    report = refused(trained, tmp_path / "out", ExportSpec((planted("fp32", mask_as_length),), text))
    assert failed(report) == {("masks", "left-padded"), ("masks", "holed")}

    mask_as_length(fp32, tmp_path / "planted.onnx", None)
    expected, found = on_random_ids(fp32, tmp_path / "planted.onnx", model)
    assert np.abs(expected - found).max() < 1e-4
    # our own batches are right-padded: every figure of the text is perfect
    assert (report.figures.equal_labels, report.figures.churn, report.figures.batch_effect) == (1, 0, 0)
    assert report.logits.max_difference < 1e-4


def test_a_mask_that_is_ignored_is_caught_by_the_batch_effect_and_not_by_whole_texts(
    trained: Path, text: Dataset, model: Any, fp32: Path, tmp_path: Path
) -> None:
    spec = ExportSpec((planted("int8-dynamic", mask_ignored),), text, (Budget("batch_effect", 0.02),))
    report = refused(trained, tmp_path / "out", spec)
    assert ("batch_effect", None) in failed(report)

    mask_ignored(fp32, tmp_path / "planted.onnx", None)
    expected, found = on_random_ids(fp32, tmp_path / "planted.onnx", model)
    assert np.abs(expected - found).max() < 1e-4


# --- (d) FP16 overflow

TRIGGER = "the"  # in one sentence of five, and in none of the random ids
LARGE = 8000.0


@pytest.fixture(scope="module")
def overflowing(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint in which one neuron is about 95,000 at the word `the`; nothing reads that neuron."""
    import torch
    from transformers import AutoTokenizer

    folder = shutil.copytree(trained, tmp_path_factory.mktemp("overflowing") / "checkpoint")
    model = load_reference(trained)
    word = AutoTokenizer.from_pretrained(trained).convert_tokens_to_ids(TRIGGER)
    layer = model.bert.encoder.layer[0]
    with torch.no_grad():
        model.bert.embeddings.word_embeddings.weight[word, 7] += 30  # LayerNorm leaves about 12 of it, others have 4
        layer.intermediate.dense.weight[5] = 0
        layer.intermediate.dense.weight[5, 7] = LARGE
        layer.intermediate.dense.bias[5] = 0
        layer.output.dense.weight[:, 5] = 0
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def halves(text: Dataset) -> ExportSpec:
    calibration = factory_splits()["train"]
    calibration = replace(calibration, sentences=calibration.sentences[:64])
    return ExportSpec((VARIANTS["fp16"],), text, (Budget("churn", 0.01),), calibration=calibration)


def test_an_overflow_of_fp16_is_caught_on_text_and_not_on_random_ids(
    overflowing: Path, halves: ExportSpec, tmp_path: Path
) -> None:
    with pytest.raises(ParityError, match="not finite") as caught:
        export_bundle(overflowing, tmp_path / "out", replace(halves, variants=(planted("fp16", naive_fp16),)))
    assert caught.value.exit_code == 3
    assert list(tmp_path.iterdir()) == []

    fp32, half = tmp_path / "fp32.onnx", tmp_path / "half.onnx"
    export_onnx(overflowing, fp32)
    naive_fp16(fp32, half, None)
    expected, found = on_random_ids(fp32, half, load_reference(overflowing))
    assert np.abs(expected - found).max() < 0.05


def test_the_cpu_provider_alone_would_hide_it(
    overflowing: Path, halves: ExportSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why the gate runs a stand-in; once this no longer holds, the graph itself can be run."""
    monkeypatch.setattr(halves_module, "_fp16_outputs", lambda model: set())
    monkeypatch.setattr(halves_module, "_fp16_constants", lambda model: ())
    passed(overflowing, tmp_path / "out", replace(halves, variants=(planted("fp16", naive_fp16),)))


def test_our_own_fp16_keeps_in_fp32_what_would_overflow(overflowing: Path, halves: ExportSpec, tmp_path: Path) -> None:
    report = passed(overflowing, tmp_path / "out", halves)
    assert report.figures.equal_labels > 0.99 and report.logits.max_difference < 0.05


def test_without_the_overflow_the_naive_conversion_passes(trained: Path, halves: ExportSpec, tmp_path: Path) -> None:
    passed(trained, tmp_path / "out", replace(halves, variants=(planted("fp16", naive_fp16),)))


# --- (e) a tokenizer with do_lower_case flipped


def flip_configuration(checkpoint: Path) -> None:
    """What transformers goes by."""
    file = checkpoint / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"do_lower_case": False}))


def flip_tokenizer(checkpoint: Path) -> None:
    """What the device goes by."""
    file = checkpoint / "tokenizer.json"
    settings = json.loads(file.read_text())
    settings["normalizer"]["lowercase"] = False
    file.write_text(json.dumps(settings))


@pytest.mark.parametrize("flip", [flip_configuration, flip_tokenizer])
def test_where_a_checkpoint_s_files_disagree_the_bundle_splits_as_pytorch_does(
    trained: Path, text: Dataset, tmp_path: Path, flip: Callable[[Path], None]
) -> None:
    checkpoint = shutil.copytree(trained, tmp_path / "checkpoint")
    flip(checkpoint)
    passed(checkpoint, tmp_path / "out", ExportSpec((VARIANTS["fp32"],), text))


def flipped(resolved: Callable[..., str]) -> Callable[..., str]:
    """A tokenizer that is written in another way than it was resolved."""

    def flip(*arguments: Any) -> str:
        settings = json.loads(resolved(*arguments))
        settings["normalizer"]["lowercase"] = False
        return json.dumps(settings)

    return flip


def test_a_tokenizer_that_changes_on_its_way_is_caught_before_anything_is_built(
    trained: Path, text: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizer, "_resolved", flipped(tokenizer._resolved))
    monkeypatch.setattr("edgener.pipeline._build_variants", None)
    with pytest.raises(ParityError, match="in another way than transformers"):
        export_bundle(trained, tmp_path / "out", ExportSpec((VARIANTS["fp32"],), in_lower_case(text)))
    assert not list(tmp_path.iterdir())


def test_where_the_samples_miss_it_it_is_caught_on_text_and_not_on_lower_case_text_nor_ids(
    trained: Path, text: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizer, "_resolved", flipped(tokenizer._resolved))
    monkeypatch.setattr(tokenizer, "unicode_samples", lambda: iter(("oil leak",)))
    monkeypatch.setattr(tokenizer, "_with_added_tokens", lambda tokenizer: iter(()))
    spec = ExportSpec((VARIANTS["fp32"],), text)
    with pytest.raises(ParityError, match="other subwords") as caught:
        export_bundle(trained, tmp_path / "out", spec)  # its graph is right on random ids: that was checked before
    assert caught.value.exit_code == 3
    assert not list(tmp_path.iterdir())
    passed(trained, tmp_path / "out", replace(spec, dataset=in_lower_case(text)))


def in_lower_case(text: Dataset) -> Dataset:
    return replace(text, sentences=tuple(map(_lowered, text.sentences)))


def _lowered(sentence: Sentence) -> Sentence:
    return replace(sentence, text="".join(_plain(character) for character in sentence.text))


def _plain(character: str) -> str:
    """Lower case, and without an accent: the same flag strips those."""
    return character.lower() if character.isascii() else "-"
