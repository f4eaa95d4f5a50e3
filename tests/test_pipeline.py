"""From checkpoint to bundle: what stands there afterwards, and what does not when something goes wrong."""

from __future__ import annotations

import errno
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edgener.cli.main import main
from edgener.data.sentences import sentence_of_text
from edgener.data.types import Dataset, Span
from edgener.parity.budgets import Budget
from edgener.pipeline import ExportSpec, RefusedVariantsError, export_bundle
from edgener_exporters.variants import VARIANTS, Builder, Variant
from edgener_runtime import TokenClassifier
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import EdgenerError, ParityError, StorageError, UserInputError

BOTH = (VARIANTS["int8-dynamic"], VARIANTS["fp32"])
FP32 = (VARIANTS["fp32"],)


@pytest.fixture(scope="module")
def spec(small_factory: dict[str, Dataset]) -> ExportSpec:
    return ExportSpec(BOTH, small_factory["test"], (Budget("f1_drop", 0.05),))


@pytest.fixture(scope="module")
def bundle(trained: Path, spec: ExportSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pipeline") / "bundle"
    export_bundle(trained, out, spec)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_bundle_is_whole_and_says_what_was_measured(bundle: Path, spec: ExportSpec) -> None:
    manifest = verify_bundle(bundle)
    assert [variant.name for variant in manifest.variants] == ["int8-dynamic", "fp32"]
    for variant in manifest.variants:
        assert variant.parity is not None and variant.parity.sentences == len(spec.dataset.sentences)
        assert variant.parity.f1_pytorch is not None and variant.parity.f1_pytorch > 0.3
        assert variant.proven[0].provider == "CPUExecutionProvider" and "onnxruntime" in variant.proven[0].versions
    assert manifest.variant("fp32").parity.equal_labels == 1  # type: ignore[union-attr]
    assert manifest.variant("fp32").parity.max_logit_difference < 1e-3  # type: ignore[union-attr]
    assert manifest.variant("int8-dynamic").file.size < 0.3 * manifest.variant("fp32").file.size


def test_two_exports_of_a_checkpoint_are_the_same_bytes(
    trained: Path, bundle: Path, spec: ExportSpec, tmp_path: Path
) -> None:
    copy = shutil.copytree(trained, tmp_path / "elsewhere" / trained.name)
    export_bundle(copy, tmp_path / "again", spec)
    assert contents(tmp_path / "again") == contents(bundle)


def test_fp32_is_made_but_not_kept_where_it_was_not_asked_for(
    trained: Path, bundle: Path, spec: ExportSpec, tmp_path: Path
) -> None:
    export_bundle(trained, tmp_path / "out", replace(spec, variants=(VARIANTS["int8-dynamic"],)))
    assert {path.name for path in (tmp_path / "out" / "variants").iterdir()} == {
        "int8-dynamic.json",
        "int8-dynamic.onnx",
    }
    assert contents(tmp_path / "out")["variants/int8-dynamic.onnx"] == contents(bundle)["variants/int8-dynamic.onnx"]


def test_no_folder_of_this_machine_stands_in_the_bundle(trained: Path, spec: ExportSpec, tmp_path: Path) -> None:
    moved = replace(spec.dataset, source=str(tmp_path / "mine" / "test.txt"))
    export_bundle(trained, tmp_path / "out", replace(spec, dataset=moved, variants=FP32))
    assert [name for name, content in contents(tmp_path / "out").items() if str(tmp_path).encode() in content] == []


# --- the gate


def forgetful(fp32: Path, out: Path, calibration: object) -> None:
    """A broken quantiser: the classifier's weights are lost."""
    import numpy as np
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(fp32)
    bias = next(tensor for tensor in graph.graph.initializer if tensor.name.endswith("classifier.bias"))
    values = numpy_helper.to_array(bias).copy()
    values[0] += 100  # everything is O
    bias.CopyFrom(numpy_helper.from_array(np.asarray(values), bias.name))
    onnx.save(graph, out)


def nudged(fp32: Path, out: Path, calibration: object) -> None:
    """A quantiser whose labels stay the same."""
    out.write_bytes(fp32.read_bytes())


def not_finite(fp32: Path, out: Path, calibration: object) -> None:
    import numpy as np
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(fp32)
    for tensor in graph.graph.initializer:
        if tensor.name.endswith("classifier.bias"):
            values = numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array(np.full_like(values, np.nan), tensor.name))
    onnx.save(graph, out)


def broken(build: Builder, **changes: Any) -> Variant:
    return replace(VARIANTS["int8-dynamic"], name="broken", build=build, **changes)


def test_a_variant_that_loses_f1_is_refused_with_the_figures_of_all(
    trained: Path, spec: ExportSpec, tmp_path: Path
) -> None:
    with pytest.raises(RefusedVariantsError, match="broken lost 0") as caught:
        export_bundle(trained, tmp_path / "out", replace(spec, variants=(broken(forgetful), *FP32)))
    assert caught.value.exit_code == 3
    assert [report.variant for report in caught.value.result.reports] == ["broken", "fp32"]
    assert caught.value.result.reports[0].figures.f1 == 0
    assert list(tmp_path.iterdir()) == []


def test_the_command_ends_with_3_and_prints_the_figures_of_a_refused_variant(
    trained: Path, small_data: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = shutil.copytree(bundle, tmp_path / "bundle")
    monkeypatch.setitem(VARIANTS, "broken", broken(forgetful))
    arguments = ["export", trained, "--out", old, "--data", small_data, "--variant", "broken", "--json"]
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 3
    assert "broken lost 0" in done.stderr and "Traceback" not in done.stderr
    report = json.loads(done.stdout)
    assert report["bundle"] is None and report["parity"][0]["figures"]["f1"] == 0
    assert contents(old) == contents(bundle)


def test_of_a_set_what_does_not_pass_is_left_out_and_reported(trained: Path, spec: ExportSpec, tmp_path: Path) -> None:
    variants = (broken(forgetful), *FP32)
    result = export_bundle(trained, tmp_path / "out", replace(spec, variants=variants, keep_passing=True))
    assert [entry.name for entry in verify_bundle(tmp_path / "out").variants] == ["fp32"]
    assert {path.name for path in (tmp_path / "out" / "variants").iterdir()} == {"fp32.json", "fp32.onnx"}
    assert [report.verdict.value for report in result.reports] == ["fail", "pass"]
    assert [record["variant"] for record in json.loads((tmp_path / "out" / "parity.json").read_text())] == [
        "broken",
        "fp32",
    ]


@pytest.mark.parametrize(
    "variants", [(broken(forgetful),), (VARIANTS["int8-dynamic"], broken(forgetful, exact=True))], ids=["all", "exact"]
)
def test_a_set_of_which_none_passes_or_whose_exact_form_is_wrong_is_refused(
    variants: tuple[Variant, ...], trained: Path, spec: ExportSpec, tmp_path: Path
) -> None:
    with pytest.raises(RefusedVariantsError, match="broken"):
        export_bundle(trained, tmp_path / "out", replace(spec, variants=variants, keep_passing=True))
    assert list(tmp_path.iterdir()) == []


def test_timed_variants_stand_fastest_first_and_a_second_bundle_takes_their_times(
    trained: Path, spec: ExportSpec, tmp_path: Path
) -> None:
    first = export_bundle(trained, tmp_path / "first", replace(spec, timed=True)).manifest
    latencies = [entry.speed.latency_ms.median for entry in first.variants if entry.speed]
    assert len(latencies) == 2 and latencies == sorted(latencies)
    export_bundle(trained, tmp_path / "second", replace(spec, timed=True, timings=tmp_path / "first"))
    assert contents(tmp_path / "second") == contents(tmp_path / "first")


def test_an_exact_variant_may_not_change_one_label(trained: Path, spec: ExportSpec, tmp_path: Path) -> None:
    with pytest.raises(RefusedVariantsError, match="broken changed"):
        export_bundle(trained, tmp_path / "out", replace(spec, variants=(broken(forgetful, exact=True),)))
    assert list(tmp_path.iterdir()) == []


def test_a_variant_that_loses_nothing_passes_a_budget_of_nothing(
    trained: Path, spec: ExportSpec, tmp_path: Path
) -> None:
    export_bundle(
        trained, tmp_path / "out", replace(spec, variants=(broken(nudged),), budgets=(Budget("f1_drop", 0.0),))
    )
    assert verify_bundle(tmp_path / "out").variant("broken")


def test_a_variant_that_is_not_finite_is_refused(trained: Path, spec: ExportSpec, tmp_path: Path) -> None:
    with pytest.raises(EdgenerError, match="not finite"):
        export_bundle(trained, tmp_path / "out", replace(spec, variants=(broken(not_finite),)))
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_leaves_the_old_bundle(trained: Path, spec: ExportSpec, bundle: Path, tmp_path: Path) -> None:
    old = shutil.copytree(bundle, tmp_path / "bundle")
    with pytest.raises(RefusedVariantsError):
        export_bundle(trained, old, replace(spec, variants=(broken(forgetful),)))
    assert contents(old) == contents(bundle)
    assert list(tmp_path.iterdir()) == [old]


def test_a_tokenizer_that_drifted_is_found(
    trained: Path, spec: ExportSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgener import pipeline

    def write(checkpoint: Any, folder: Path) -> None:
        text = (checkpoint.path / "tokenizer.json").read_text(encoding="utf-8")
        (folder / "tokenizer.json").write_text(text.replace('"lowercase":true', '"lowercase":false').replace(
            '"lowercase": true', '"lowercase": false'), encoding="utf-8")  # fmt: skip

    monkeypatch.setattr(pipeline, "write_tokenizer", write)
    with pytest.raises(ParityError, match="other subwords"):
        export_bundle(trained, tmp_path / "out", spec)


# --- bad input


def dataset(*spans: tuple[str, int, int]) -> Dataset:
    sentence = sentence_of_text("Pump P-101 leaks at the seal", list(map(Span, *zip(*spans, strict=True))) if spans
                                else [], 1, Counter())  # fmt: skip
    return Dataset("mine.jsonl", "test", (sentence,), "json")


def test_labels_that_training_never_saw_are_named(trained: Path, spec: ExportSpec, tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="does not know: PLANET"):
        export_bundle(trained, tmp_path / "out", replace(spec, dataset=dataset(("PLANET", 0, 4))))
    assert list(tmp_path.iterdir()) == []


def test_without_entities_a_quantised_variant_cannot_be_judged(trained: Path, spec: ExportSpec, tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="no entities"):
        export_bundle(trained, tmp_path / "out", replace(spec, dataset=dataset()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("drop", [-0.1, 1.1, float("nan")])
def test_a_budget_that_is_not_a_share_is_refused(trained: Path, spec: ExportSpec, tmp_path: Path, drop: float) -> None:
    with pytest.raises(UserInputError, match="expected a share from 0 to 1"):
        export_bundle(trained, tmp_path / "out", replace(spec, budgets=(Budget("f1_drop", drop),)))


def test_a_folder_that_is_not_a_bundle_is_not_replaced(trained: Path, spec: ExportSpec, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserInputError, match="so it is not replaced"):
        export_bundle(trained, tmp_path, spec)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_half_written_weights_are_refused(trained: Path, spec: ExportSpec, tmp_path: Path) -> None:
    damaged = shutil.copytree(trained, tmp_path / "damaged")
    weights = (damaged / "model.safetensors").read_bytes()
    (damaged / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(UserInputError, match="cannot be loaded"):
        export_bundle(damaged, tmp_path / "out", spec)
    assert list(tmp_path.iterdir()) == [damaged]


FULL = (OSError(errno.ENOSPC, "No space left on device"), StorageError)
INTERRUPT = (KeyboardInterrupt(), KeyboardInterrupt)
STAGES = ["write_tokenizer", "judge_variant", "write_reports", "write_manifest"]


@pytest.mark.parametrize(
    ("stage", "fault", "expected"),
    [pytest.param(stage, *fault, marks=() if place % 2 == number else pytest.mark.slow)
     for place, stage in enumerate(STAGES) for number, fault in enumerate((FULL, INTERRUPT))],
)  # fmt: skip
def test_a_fault_in_the_middle_leaves_nothing_and_loses_nothing(
    trained: Path, spec: ExportSpec, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    stage: str, fault: BaseException, expected: type[BaseException],
) -> None:  # fmt: skip
    from edgener import pipeline

    def fail(*_: object) -> None:
        raise fault

    old = shutil.copytree(bundle, tmp_path / "bundle")
    monkeypatch.setattr(pipeline, stage, fail)
    with pytest.raises(expected):
        export_bundle(trained, old, replace(spec, variants=FP32))
    assert contents(old) == contents(bundle)
    assert list(tmp_path.iterdir()) == [old]


# --- other models


def test_other_architectures_and_tokenizers_go_the_whole_way(
    make_model: Callable[[str], Path], small_factory: dict[str, Dataset], tmp_path: Path, architecture: str
) -> None:
    labelled = small_factory["test"]
    long = " ".join(sentence.text for sentence in labelled.sentences[:60])  # many windows
    texts = [sentence.text for sentence in labelled.sentences[:30]] + ["Ünïcode  Größe  P-101", long]
    sentences = tuple(sentence_of_text(text, [], 1, Counter()) for text in texts)
    spec = ExportSpec(FP32, replace(labelled, sentences=sentences))
    export_bundle(make_model(architecture), tmp_path / "bundle", spec)
    with TokenClassifier.load(tmp_path / "bundle") as classifier:
        assert sum(len(entities) for entities in classifier.predict_batch(texts)) > 0
        assert all(text[e.start : e.end] == e.text for text in texts for e in classifier.predict(text))


@pytest.fixture(params=["bert-cased", "bert-uncased", "roberta", "distilbert", "electra"])
def architecture(request: pytest.FixtureRequest) -> str:
    return str(request.param)
