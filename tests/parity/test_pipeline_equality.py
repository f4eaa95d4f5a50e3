"""The FP32 runtime says what transformers' own token-classification pipeline says, whatever tokenizer and strategy."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from edgener.checkpoint import open_checkpoint
from edgener.data.sentences import sentence_of_text
from edgener.data.types import Dataset
from edgener.pipeline import ExportSpec, export_bundle
from edgener_exporters.variants import VARIANTS
from edgener_runtime import TokenClassifier
from edgener_runtime.decoding.entity import AGGREGATIONS

pytestmark = pytest.mark.compat

STRANGE = ("Größe 42 µm,Ø 8", "泵 P-101 漏油", "🙂 e\u0301te\u0301", "x\u200by  z", "P-101/4711-2(a)", "A" * 60)


@pytest.fixture(scope="module")
def equality(benchmark_script: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_script("pipeline_equality")


@pytest.fixture(scope="module")
def texts(small_factory: dict[str, Dataset]) -> list[str]:
    return [*(sentence.text for sentence in small_factory["test"].sentences[:40]), *STRANGE]


@pytest.fixture(
    scope="module", params=["bert-uncased", "bert-cased", "roberta", "trained"],
    ids=["uncased WordPiece", "cased WordPiece", "byte-level BPE", "case channel"],
)  # fmt: skip
def pair(request: pytest.FixtureRequest, texts: list[str], equality: ModuleType) -> Iterator[tuple[Any, Any]]:
    """transformers' pipeline and our classifier of one model."""
    if request.param == "trained":
        checkpoint, bundle = request.getfixturevalue("trained"), request.getfixturevalue("exported")
    else:
        make_model: Callable[[str], Path] = request.getfixturevalue("make_model")
        checkpoint = make_model(request.param)
        bundle = checkpoint.with_name(f"{checkpoint.name}-bundle")
        data = Dataset("plain", "test", tuple(sentence_of_text(text, [], 1, Counter()) for text in texts), "json")
        export_bundle(checkpoint, bundle, ExportSpec((VARIANTS["fp32"],), data))
    with TokenClassifier.load(bundle, variant="fp32") as classifier:
        yield equality.open_pipeline(open_checkpoint(checkpoint)), classifier


@pytest.mark.filterwarnings("ignore:Tokenizer does not support real words")
@pytest.mark.parametrize("strategy", AGGREGATIONS)
def test_labels_spans_texts_and_scores_are_equal(
    equality: ModuleType, pair: tuple[Any, Any], texts: list[str], strategy: str
) -> None:
    row = equality.compare(*pair, equality.fitting(pair[0], texts), strategy)
    assert row.differing == ()
    assert row.texts >= 40 and row.entities > 20
    assert row.largest_score_difference <= 1e-4


# --- the command


def run(equality: ModuleType, *arguments: object) -> Any:
    return CliRunner().invoke(equality.main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, small_factory: dict[str, Dataset]) -> Path:
    sentences = small_factory["test"].sentences[:20]
    long = " ".join(sentence.text for sentence in small_factory["test"].sentences[:60])
    file = tmp_path_factory.mktemp("data") / "plain.jsonl"
    records = [{"text": text, "entities": []} for text in (*(sentence.text for sentence in sentences), long)]
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


def test_the_command_writes_its_figures_and_exits_0(
    equality: ModuleType, trained: Path, exported: Path, data: Path, tmp_path: Path
) -> None:
    done = run(equality, trained, exported, "--data", data, "--out", tmp_path / "out.json")
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "out.json").read_text())
    assert [row["strategy"] for row in record["strategies"]] == list(AGGREGATIONS)
    assert {row["texts_that_differ"] for row in record["strategies"]} == {0}
    assert record["texts_left_out"] == 1  # longer than a window
    assert "given to both" in record["token_types"]


def test_a_variant_that_differs_is_reported_and_exits_1(
    equality: ModuleType, trained: Path, exported: Path, data: Path, tmp_path: Path
) -> None:
    done = run(equality, trained, exported, "--data", data, "--variant", "int8-dynamic", "--out", tmp_path / "out.json")
    assert done.exit_code == 1, done.output
    assert "differs: " in done.output
    assert "differs" not in (tmp_path / "out.json").read_text().replace("texts_that_differ", "")
