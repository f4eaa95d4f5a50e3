"""Each row of the table of architectures: from a checkpoint to a bundle that answers as PyTorch does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgener.checkpoint import open_checkpoint
from edgener.parity.budgets import Budget
from edgener.parity.reference import PyTorchModel
from edgener.pipeline import ExportSpec, export_bundle
from edgener_exporters.architectures import ARCHITECTURES
from edgener_exporters.checkpoint.load import load_reference
from edgener_exporters.distance import relative_distance
from edgener_exporters.graph.checks import TOLERANCE, cases
from edgener_exporters.graph.onnx import export_onnx, input_names
from edgener_exporters.quantise.int8_dynamic import quantize_dynamic
from edgener_exporters.variants import VARIANTS
from edgener_runtime import TokenClassifier
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import UserInputError
from edgener_runtime.machine.operators import missing_operators

from .encoders import ENCODERS, dataset, save_taught
from .running import logits_of

pytestmark = pytest.mark.compat

FIRST = 10  # rows that must support FP32 and dynamic INT8
NOTHING_LOST = tuple(Budget(figure, 0.0) for figure in ("f1_drop", "churn", "batch_effect"))
LONGEST = 66  # positions: a text of 200 words has several windows
POSITIONS_BEHIND_PADDING = {"data2vec-text", "roberta-prelayernorm"}


def test_every_row_is_tested() -> None:
    assert list(ARCHITECTURES) == list(ENCODERS)
    assert all(set(row.refused) <= set(VARIANTS) for row in ARCHITECTURES.values())
    first = list(ARCHITECTURES.values())[:FIRST]
    assert not any({"fp32", "int8-dynamic"} & set(row.refused) for row in first)


@pytest.fixture(scope="module", params=ENCODERS)
def architecture(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def taught(architecture: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkpoint that gets every entity right, so that no variant may lose one."""
    folder = tmp_path_factory.mktemp("checkpoints") / architecture
    save_taught(architecture, folder, max_position_embeddings=LONGEST)
    return folder


@pytest.fixture(scope="module")
def bundle(architecture: str, taught: Path) -> Path:
    """Its bundle with FP32 and, unless the row refuses it, dynamic INT8."""
    variants = tuple(
        VARIANTS[name] for name in ("int8-dynamic", "fp32") if name not in ARCHITECTURES[architecture].refused
    )
    long = () if architecture in POSITIONS_BEHIND_PADDING else (200, 150)
    spec = ExportSpec(variants, dataset([*range(1, LONGEST - 4, 4), *long]), NOTHING_LOST)
    result = export_bundle(taught, taught.parent / "bundle", spec)
    assert {report.figures.f1_pytorch for report in result.reports} == {1.0}
    return taught.parent / "bundle"


def test_nothing_is_lost_in_fp32_nor_in_dynamic_int8(architecture: str, bundle: Path) -> None:
    manifest = verify_bundle(bundle)
    assert (manifest.architecture, manifest.untested) == (architecture, False)
    refused = ARCHITECTURES[architecture].refused
    assert {entry.name for entry in manifest.variants} == {"fp32", "int8-dynamic"} - set(refused)
    for entry in manifest.variants:
        assert entry.parity is not None and entry.parity.verdict == "pass"


def test_the_runtime_gives_pytorchs_logits_at_every_length_and_mask(taught: Path, bundle: Path) -> None:
    checkpoint = open_checkpoint(taught)
    with PyTorchModel.open(checkpoint) as model, TokenClassifier.load(bundle, variant="fp32") as classifier:
        names = classifier.manifest.tokenizer.inputs
        for inputs in every_length(min(checkpoint.max_length, LONGEST - 2)):
            fed = {name: inputs[name] for name in names}
            real = inputs["attention_mask"] == 1
            np.testing.assert_allclose(classifier.run(fed)[real], model.run(fed)[real], atol=TOLERANCE, rtol=0)


def every_length(longest: int) -> Iterator[dict[str, Any]]:
    """Rows of random ids of each length: whole, padded on the right, on the left, and with holes at random."""
    chance = np.random.default_rng(3)
    for length in range(1, longest + 1):
        position = np.arange(length)
        part = chance.integers(1, length + 1)
        holes = chance.random(length) < 0.7
        holes[chance.integers(length)] = True
        mask = np.stack([position >= 0, position < part, position >= length - part, holes]).astype(np.int64)
        ids = np.where(mask == 1, chance.integers(5, 40, mask.shape), 1)
        yield {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if i < FIRST else pytest.mark.slow) for i, name in enumerate(ENCODERS)]
)
def test_random_weights_keep_their_labels_in_dynamic_int8(
    name: str, make_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    """FP32 is compared with PyTorch at the export; here all layers matter, and none was taught to be sure."""
    checkpoint = make_checkpoint(name)
    export_onnx(checkpoint, tmp_path / "fp32.onnx")
    if "int8-dynamic" in ARCHITECTURES[name].refused:
        with pytest.raises(UserInputError, match="no products"):
            quantize_dynamic(tmp_path / "fp32.onnx", tmp_path / "int8.onnx")
        return
    quantize_dynamic(tmp_path / "fp32.onnx", tmp_path / "int8.onnx")
    model = load_reference(checkpoint)
    equal, found, expected = [], [], []
    for _, inputs in cases(model):
        fed, real = {each: inputs[each] for each in input_names(model)}, inputs["attention_mask"] == 1
        found.append(logits_of(tmp_path / "int8.onnx", fed)[real])
        expected.append(logits_of(tmp_path / "fp32.onnx", fed)[real])
        equal.append(found[-1].argmax(-1) == expected[-1].argmax(-1))
    assert np.concatenate(equal).mean() > 0.9
    assert 0 < relative_distance(np.concatenate(found), np.concatenate(expected)) < 0.1


@pytest.mark.slow
def test_nothing_is_lost_in_any_other_variant(architecture: str, taught: Path, tmp_path: Path) -> None:
    """All but mixed, which needs a search; those for GPUs are rounded to FP16 as there, native ones need operators."""
    here = [row for row in VARIANTS.values() if missing_operators(row.requirements.operators) is None]
    variants = tuple(variant for variant in here if not variant.planned)
    text = dataset([*range(1, LONGEST - 4, 4)])
    spec = ExportSpec(variants, text, NOTHING_LOST[:2], calibration=dataset([9] * 40, 7, "train"), keep_passing=True)
    refused = ARCHITECTURES[architecture].refused
    result = export_bundle(taught, tmp_path / "bundle", spec)
    assert set(result.not_built) == {variant.name for variant in variants} & set(refused)
    assert {report.variant: report.verdict for report in result.reports} == {
        variant.name: "pass" for variant in variants if variant.name not in refused
    }
