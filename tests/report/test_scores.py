"""Scores of checkpoints and bundles, and the files they are written to."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edgener.confidence.stored import write_scores
from edgener.data.types import Dataset, Sentence, Span
from edgener.report.scores import Evaluation, evaluate, rows, to_json, write_evaluation
from edgener_runtime.decoding.entity import ScoreSettings
from edgener_runtime.errors import BundleError, EdgenerError, UserInputError


@pytest.fixture(scope="module")
def evaluation(trained: Path, small_factory: dict[str, Dataset]) -> Evaluation:
    return evaluate(trained, small_factory["test"])


def test_a_checkpoint_runs_in_pytorch_and_says_on_what(
    evaluation: Evaluation, small_factory: dict[str, Dataset]
) -> None:
    assert evaluation.runs == "PyTorch"
    assert (evaluation.data.source, evaluation.data.split) == ("builtin:factory", "test")
    assert evaluation.data.sha256 == small_factory["test"].sha256


def test_supports_are_those_of_the_data(evaluation: Evaluation, small_factory: dict[str, Dataset]) -> None:
    counts = small_factory["test"].entity_counts
    assert {label: score.support for label, score in evaluation.entities.labels.items()} == counts
    tags = [tag for sentence in small_factory["test"].sentences for tag in sentence.tags()]
    assert {tag: score.support for tag, score in evaluation.tokens.tags.items()} == {
        tag: tags.count(tag) for tag in evaluation.tokens.tags
    }


def test_the_confusion_matrix_adds_up_to_the_table(evaluation: Evaluation) -> None:
    tags = list(evaluation.tokens.tags)
    for i, tag in enumerate(tags):
        score, hits = evaluation.tokens.tags[tag], evaluation.confusion[i][i]
        assert sum(evaluation.confusion[i]) == score.support
        assert hits == pytest.approx(score.recall * score.support)
        assert hits == pytest.approx(score.precision * sum(row[i] for row in evaluation.confusion))


def test_the_fp32_bundle_scores_what_the_checkpoint_scores(
    evaluation: Evaluation, exported: Path, small_factory: dict[str, Dataset]
) -> None:
    bundle = evaluate(exported, small_factory["test"], variant="fp32")
    assert bundle.runs == "fp32 on CPUExecutionProvider"
    assert (bundle.entities, bundle.tokens) == (evaluation.entities, evaluation.tokens)


def test_the_temperature_is_that_of_the_valid_split_and_lowers_the_error_there(
    trained: Path, small_factory: dict[str, Dataset]
) -> None:
    on_test = evaluate(trained, small_factory["test"], valid=small_factory["valid"]).reliability
    on_valid = evaluate(trained, small_factory["valid"], valid=small_factory["valid"]).reliability
    assert on_test.temperature == on_valid.temperature and on_test.temperature != 1
    assert on_test.origin == "fitted on builtin:factory (valid)"
    for found in (on_test.tokens, on_test.entities, on_valid.tokens):
        assert found.after and found.after.count == found.before.count
        assert found.after.error != found.before.error
    tokens = sum(len(each.offsets) for each in small_factory["test"].sentences)
    assert 0.9 * tokens < on_test.tokens.before.count <= tokens  # some have no subword


def test_a_bundle_with_a_temperature_is_scored_at_it(
    exported: Path, small_factory: dict[str, Dataset], tmp_path: Path
) -> None:
    write_scores(exported, ScoreSettings(3.0), {}, tmp_path / "hot")
    before, after = (
        evaluate(path, small_factory["test"], "fp32", valid=small_factory["valid"])
        for path in (exported, tmp_path / "hot")
    )
    assert (after.reliability.temperature, after.reliability.origin) == (3.0, "of the bundle")
    assert after.reliability.tokens.before == before.reliability.tokens.before
    assert (after.entities, after.tokens, after.confusion) == (before.entities, before.tokens, before.confusion)


def test_the_rows_are_the_tags_then_the_averages(evaluation: Evaluation) -> None:
    names = [name for name, _ in rows(evaluation)]
    assert names[-5:] == ["O", "micro", "micro without O", "macro", "weighted"]


def test_steps_are_counted(trained: Path, small_factory: dict[str, Dataset]) -> None:
    data = replace(small_factory["test"], sentences=small_factory["test"].sentences[:5])
    steps: list[int] = []
    evaluate(trained, data, step=lambda: steps.append(1))
    assert len(steps) == 5


def test_text_without_gold_entities_is_scored(trained: Path) -> None:
    data = Dataset("empty.jsonl", "test", (Sentence("", (), ()), Sentence("so", ((0, 2),), ())), "json")
    evaluation = evaluate(trained, data)
    assert evaluation.entities.micro.support == 0
    assert "NaN" not in to_json(evaluation)


def test_the_files_are_json_and_real_pictures(evaluation: Evaluation, trained: Path, tmp_path: Path) -> None:
    files = write_evaluation(evaluation, trained, tmp_path / "new" / "folder")
    assert [file.name for file in files] == [
        "evaluation.json", "confusion.png", "reliability.png", "reliability.svg", "training.png",
    ]  # fmt: skip
    written = json.loads(files[0].read_text(encoding="utf-8"))
    assert written == json.loads(to_json(evaluation))
    assert written["schema_version"] == 1
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files[1:] if file.suffix == ".png")
    assert "at temperature" not in (tmp_path / "new" / "folder" / "reliability.svg").read_text(encoding="utf-8")


def test_a_bundle_has_no_training_curve(evaluation: Evaluation, exported: Path, tmp_path: Path) -> None:
    assert [file.name for file in write_evaluation(evaluation, exported, tmp_path)] == [
        "evaluation.json", "confusion.png", "reliability.png", "reliability.svg",
    ]  # fmt: skip


# --- bad input


def test_what_is_neither_checkpoint_nor_bundle_is_refused(tmp_path: Path, small_factory: dict[str, Dataset]) -> None:
    with pytest.raises(UserInputError, match="neither a checkpoint"):
        evaluate(tmp_path, small_factory["test"])


def test_labels_that_training_never_saw_are_named(trained: Path) -> None:
    data = Dataset("mine", "test", (Sentence("Mars", ((0, 4),), (Span("PLANET", 0, 1),)),), "json")
    with pytest.raises(UserInputError, match="does not know: PLANET"):
        evaluate(trained, data)


def test_a_variant_that_is_not_in_the_bundle_is_refused(exported: Path, small_factory: dict[str, Dataset]) -> None:
    with pytest.raises(EdgenerError, match="no variant 'int4'"):
        evaluate(exported, small_factory["test"], variant="int4")


def test_a_changed_bundle_is_refused(exported: Path, small_factory: dict[str, Dataset], tmp_path: Path) -> None:
    copy = shutil.copytree(exported, tmp_path / "copy")
    (copy / "tokenizer.json").write_bytes(b"{}")
    with pytest.raises(BundleError, match=r"tokenizer\.json has 2 bytes"):
        evaluate(copy, small_factory["test"])
