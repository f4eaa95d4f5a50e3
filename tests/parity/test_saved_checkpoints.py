"""Checkpoints that transformers 4.57 and 5 saved, with SentencePiece's tokenizers: exported, equal to the pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edgener.checkpoint import open_checkpoint
from edgener.data.sentences import sentence_of_text
from edgener.data.types import Dataset
from edgener.pipeline import ExportSpec, export_bundle
from edgener_exporters.variants import VARIANTS
from edgener_runtime import TokenClassifier
from edgener_runtime.decoding.entity import AGGREGATIONS

pytestmark = pytest.mark.compat

SAVED = Path(__file__).parents[1] / "saved"
STRANGE = (
    "Größe 42 µm,Ø 8",
    "泵 P-101 漏油",
    " leading",
    "trailing  ",
    "two  spaces",
    "tab\tand\nline",
    "x\u00a0y",
    "",
)


@pytest.fixture(scope="module")
def equality(benchmark_script: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_script("pipeline_equality")


@pytest.fixture(scope="module")
def texts(small_factory: dict[str, Dataset]) -> list[str]:
    return [*(sentence.text for sentence in small_factory["test"].sentences[:40]), *STRANGE]


@pytest.fixture(
    scope="module",
    params=[f"{version}/{name}" for version in ("transformers-4", "transformers-5")
            for name in ("xlm-roberta", "camembert", "albert")],
)  # fmt: skip
def pair(
    request: pytest.FixtureRequest, texts: list[str], equality: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Any, TokenClassifier]]:
    """transformers' pipeline and the FP32 bundle of one saved checkpoint."""
    bundle = tmp_path_factory.mktemp("saved") / "bundle"
    data = Dataset("plain", "test", tuple(sentence_of_text(text, [], 1, Counter()) for text in texts), "json")
    export_bundle(SAVED / request.param, bundle, ExportSpec((VARIANTS["fp32"],), data))
    with TokenClassifier.load(bundle, variant="fp32") as classifier:
        yield equality.open_pipeline(open_checkpoint(SAVED / request.param)), classifier


@pytest.mark.filterwarnings("ignore:Tokenizer does not support real words")
@pytest.mark.parametrize("strategy", AGGREGATIONS)
def test_entities_are_those_of_transformers_pipeline(
    equality: ModuleType, pair: tuple[Any, TokenClassifier], texts: list[str], strategy: str
) -> None:
    fitting = equality.fitting(pair[0], texts)
    row = equality.compare(*pair, fitting, strategy)
    assert len(fitting) > 20 and row.entities > 20
    assert row.differing == ()
