"""`edgener thresholds`: what it chooses, writes and reports, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgener.cli.main import main
from edgener.data.factory import factory_splits
from edgener_runtime import Decoding, Entity, TokenClassifier
from edgener_runtime.bundle.manifest import MANIFEST, read_manifest
from edgener_runtime.bundle.verify import verify_bundle

COMMITTED = Path(__file__).resolve().parents[2] / "runtime" / "tests" / "bundle"
WORDS = Decoding("first")
Answers = list[tuple[str, list[Entity]]]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["thresholds", *map(str, arguments)])


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(COMMITTED, tmp_path / "bundle"))


@pytest.fixture(scope="module")
def answered() -> Answers:
    """Texts with the entities that the bundle finds."""
    texts = [sentence.text for sentence in factory_splits()["valid"].sentences[:150]]
    with TokenClassifier.load(COMMITTED, "cpu", "fp32") as classifier:
        return list(zip(texts, classifier.predict_batch(texts, WORDS), strict=True))


@pytest.fixture
def data(answered: Answers, tmp_path: Path) -> Callable[..., Path]:
    """`data(is_right)` is labelled with the entities for which that is true, so all others are planted faults."""

    def write(is_right: Callable[[Entity], bool], *splits: str) -> Path:
        folder = tmp_path / "data"
        folder.mkdir()
        lines = [
            json.dumps({
                "text": text,
                "entities": [{"start": e.start, "end": e.end, "label": e.label} for e in found if is_right(e)],
            })
            for text, found in answered
        ]  # fmt: skip
        for split in splits or ("valid", "test"):
            (folder / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
        return folder

    return write


def count(answered: Answers, label: str) -> int:
    return sum(entity.label == label for _, found in answered for entity in found)


def test_unsure_entities_that_are_wrong_get_a_threshold_that_every_device_then_has(
    bundle: Path, data: Callable[..., Path], answered: Answers, tmp_path: Path
) -> None:
    scores = sorted(entity.score for _, found in answered for entity in found if entity.label == "EQUIPMENT")
    middle = scores[len(scores) // 2]
    source = data(lambda entity: entity.label != "EQUIPMENT" or entity.score > middle)
    arguments = ("--data", source, "--precision", 0.8, "--aggregation", "first", "--variant", "fp32")
    done = run(bundle, *arguments, "--out", tmp_path / "new", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    found = report["labels"]["EQUIPMENT"]
    assert 0 < found["choice"]["threshold"] < 1
    assert found["after"]["valid"]["found"] < found["before"]["valid"]["found"] == len(scores)
    assert found["after"]["valid"]["correct"] / found["after"]["valid"]["found"] >= 0.8
    assert found["after"]["test"] == found["after"]["valid"]  # the same texts
    manifest = read_manifest(tmp_path / "new")
    assert manifest.scores
    assert manifest.scores.thresholds == report["settings"]["thresholds"]
    assert manifest.provenance["scores"]["data"]["split"] == "valid"
    assert verify_bundle(bundle).scores is None
    with TokenClassifier.load(tmp_path / "new", "cpu", "fp32") as classifier:
        kept = [each for found in classifier.predict_batch(text for text, _ in answered) for each in found]
    assert sum(each.label == "EQUIPMENT" for each in kept) == found["after"]["valid"]["found"]


def test_the_tables_show_both_splits_with_what_was_asked_and_what_is_lost(
    bundle: Path, data: Callable[..., Path], answered: Answers
) -> None:
    done = run(
        bundle, "--data", data(lambda entity: True), "--precision", 0.95, "--aggregation", "first", "--variant", "fp32"
    )
    assert done.exit_code == 0, done.output
    for words in (
        "(valid): precision 0.95 is asked",
        "(test): precision 0.95 is asked",
        "recall lost",
        "1.0000 → 1.0000",
    ):
        assert words in done.stdout
    assert "temperature" in done.stdout and "aggregation first" in done.stdout
    counts = {label: count(answered, label) for label in read_manifest(bundle).label_set.types}
    few = {label: number for label, number in counts.items() if number < 40}
    assert few and max(counts.values()) > 100
    for label, number in few.items():
        assert f"note: {label} has no threshold: {number} entities are found, and 59 are needed" in done.stdout
    most = max(counts, key=lambda label: counts[label])
    assert f"note: {most} needs no threshold: all its entities have the precision" in done.stdout
    assert f"bundle: {bundle}" in done.stdout
    assert read_manifest(bundle).scores


@pytest.mark.parametrize(
    ("is_right", "precision", "code", "message"),
    [
        (lambda entity: len(entity.text) % 2 == 0, 0.95, 3, "entities are right, which shows a precision of"),
        (lambda entity: True, 0.9999, 4, "29956 are needed even if all are right"),
    ],
)
def test_a_precision_that_no_label_reaches_writes_nothing(
    is_right: Callable[[Any], bool], precision: float, code: int, message: str, bundle: Path, data: Callable[..., Path]
) -> None:
    before = (bundle / MANIFEST).read_bytes()
    done = run(bundle, "--data", data(is_right), "--precision", precision, "--aggregation", "first")
    assert done.exit_code == code, done.output
    assert f"no label is shown to reach a precision of {precision:g}" in done.stderr and message in done.stderr
    assert "Nothing was written" in done.stderr and done.stdout == ""
    assert (bundle / MANIFEST).read_bytes() == before


@pytest.mark.parametrize(
    ("splits", "arguments", "message"),
    [
        (("test",), (), "has no valid split"),
        ((), ("--precision", 1), "--precision"),
        ((), ("--precision", "much"), "--precision"),
        ((), ("--variant", "int4"), "has no variant 'int4'"),
        ((), ("--map-labels", "EQUIPMENT=PUMP"), "the model does not know: PUMP"),
    ],
)
def test_wrong_calls_are_exit_2(
    splits: tuple[str, ...], arguments: tuple[object, ...], message: str, bundle: Path, data: Callable[..., Path]
) -> None:
    done = run(bundle, "--data", data(lambda entity: True, *splits), "--precision", 0.9, *arguments)
    assert done.exit_code == 2, done.output
    assert message in done.stderr and "Traceback" not in done.output and done.stdout == ""


def test_a_damaged_bundle_is_exit_5(bundle: Path, data: Callable[..., Path]) -> None:
    (bundle / "tokenizer.json").write_bytes(b"{}")
    done = run(bundle, "--data", data(lambda entity: True), "--precision", 0.9)
    assert done.exit_code == 5 and "tokenizer.json has 2 bytes" in done.stderr


def test_a_signed_bundle_stays_and_another_is_to_be_signed(
    bundle: Path, data: Callable[..., Path], tmp_path: Path
) -> None:
    (bundle / "manifest.json.sig").write_text("{}", encoding="utf-8")
    arguments = (bundle, "--data", data(lambda entity: True), "--precision", 0.8, "--aggregation", "first")
    done = run(*arguments)
    assert done.exit_code == 2 and "is signed" in done.stderr and "edgener sign NEW --key KEY" in done.stderr
    done = run(*arguments, "--out", tmp_path / "new")
    assert done.exit_code == 0, done.output
    assert f"is not signed; sign it with: edgener sign {tmp_path / 'new'} --key KEY" in done.stderr
