"""The PyTorch row: the checkpoint answers as the FP32 variant that was exported from it, and is measured like one."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from edgener.bench.pytorch import MODES, PyTorchSystem, pytorch_targets
from edgener.bench.texts import labelled_texts
from edgener.data.types import Dataset
from edgener_runtime import TokenClassifier
from edgener_runtime.base.serde import from_json
from edgener_runtime.bundle.manifest import read_manifest
from edgener_runtime.commissioning.bench.f1 import entities_of
from edgener_runtime.commissioning.bench.job import WorkerJob
from edgener_runtime.commissioning.bench.run import run
from edgener_runtime.commissioning.bench.spec import Gold, Spec
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.errors import UserInputError
from edgener_runtime.inference.words import Words
from edgener_runtime.machine.cpu import usable_cores

from ..lookup import edit_config, lookup_checkpoint

pytestmark = pytest.mark.compat


@pytest.fixture(scope="module")
def model(trained: Path) -> PyTorchSystem:
    return PyTorchSystem(WorkerJob(str(trained), "pytorch", "cpu", 1, "", "builtin", 0, ()))


def test_it_answers_as_the_fp32_variant(
    model: PyTorchSystem, exported: Path, small_factory: dict[str, Dataset]
) -> None:
    texts = labelled_texts(small_factory["test"])["texts"]
    words = [Words(text.text, [start for start, _ in text.words]) for text in texts]
    with TokenClassifier.load(exported, "cpu", "fp32") as classifier:
        assert model.label(words) == classifier.label_words(words)
        expected = classifier.predict_batch([text.text for text in texts])
    found = model.answer([text.text for text in texts])
    assert [[(one.label, one.start, one.end) for one in text] for text in found] == [
        [(one.label, one.start, one.end) for one in text] for text in expected
    ]
    assert model.provider == "PyTorch" and model.library.startswith("torch ")


def test_its_row_stands_beside_those_of_the_variants(
    trained: Path, exported: Path, small_factory: dict[str, Dataset]
) -> None:
    spec = Spec(
        str(exported), ("single-stream",), ("fp32",), ("cpu",), (1,), seconds=1, driver="builtin",
        **labelled_texts(small_factory["test"]),
    )  # fmt: skip
    (place,) = pytorch_targets(trained, spec.threads)
    variant, pytorch = run(spec, more=(place,)).rows
    assert (pytorch.case.variant, pytorch.case.device, pytorch.case.threads) == ("pytorch", "cpu", 1)
    assert (pytorch.status, pytorch.provider, pytorch.precision) == ("measured", "PyTorch", "fp32"), pytorch.reason
    assert pytorch.energy == variant.energy
    assert pytorch.size_bytes > 1e6 and len(pytorch.sha256) == 64
    parity = read_manifest(exported).variant("fp32").parity
    # the judge also goes on with a label where two words share a subword
    assert parity and variant.f1 == pytorch.f1 == pytest.approx(parity.f1_pytorch, abs=0.005)


def test_each_count_of_threads_is_a_place_and_the_cores_are_the_default(trained: Path) -> None:
    assert [place.threads for place in pytorch_targets(trained, (1, 2))] == [1, 2]
    assert [place.threads for place in pytorch_targets(trained, ())] == [usable_cores()]


def test_the_process_that_measures_does_not_load_pytorch(trained: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from edgener.bench.pytorch import pytorch_targets; "
        "pytorch_targets(Path(sys.argv[1]), (1,)); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(trained)], capture_output=True, text=True, check=True)
    assert {"torch", "transformers", "onnx", "onnxruntime"}.isdisjoint(done.stdout.split())


def test_a_folder_that_is_not_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="is not a checkpoint"):
        pytorch_targets(tmp_path, ())


def test_each_mode_is_a_row_of_its_own(trained: Path) -> None:
    places = pytorch_targets(trained, (1,), "cuda", list(MODES))
    assert [(place.variant, place.device, place.precision) for place in places] == [
        ("pytorch", "cuda", "fp32"), ("pytorch-compile", "cuda", "fp32"), ("pytorch-fp16", "cuda", "fp16"),
        ("pytorch-bf16", "cuda", "bf16"), ("pytorch-fp16-compile", "cuda", "fp16"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["pytorch-compile", "pytorch-bf16"])
def test_other_modes_find_about_the_same(
    name: str, model: PyTorchSystem, trained: Path, small_factory: dict[str, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = []

    def compile_eagerly(model: Any, dynamic: bool) -> Any:
        """torch.compile without a C++ compiler."""
        compiled.append(dynamic)
        return original(model, dynamic=dynamic, backend="eager")

    original = torch.compile
    monkeypatch.setattr(torch, "compile", compile_eagerly)
    texts = [sentence.text for sentence in small_factory["test"].sentences[:40]]
    other = PyTorchSystem(WorkerJob(str(trained), name, "cpu", 1, "", "builtin", 0, ()))
    found = [entity for answer in other.answer(texts) for entity in answer]
    expected = [entity for answer in model.answer(texts) for entity in answer]
    same = {(one.label, one.start, one.end) for one in found} & {(one.label, one.start, one.end) for one in expected}
    assert len(expected) > 20 and len(same) > 0.9 * len({(one.label, one.start, one.end) for one in expected})
    assert compiled == ([True] if MODES[name].compiled else [])
    assert other._model._model.dtype == getattr(torch, "bfloat16" if name == "pytorch-bf16" else "float32")


def test_a_checkpoint_is_read_with_the_labels_of_the_bundle(tmp_path: Path) -> None:
    labels = LabelSet(("_", "B-X", "L-X", "U-X"), "BILOU", "_")
    said = {"red": "B-X", "mill": "L-X", "oslo": "U-X", "in": "_"}
    model = edit_config(
        lookup_checkpoint(tmp_path / "model", labels.names, said),
        id2label={number: f"LABEL_{number}" for number in range(4)},
    )
    with pytest.raises(UserInputError, match="does not name them"):
        pytorch_targets(model, ())
    (target,) = pytorch_targets(model, (), label_set=labels)
    job = WorkerJob(target.model, "pytorch", "cpu", 1, "", "builtin", 0, (), label_set=target.label_set)
    system = PyTorchSystem(from_json(WorkerJob, json.dumps(asdict(job)), "a job"))
    assert system.label_set == labels
    found = system.label([Words("red mill in oslo", [0, 4, 9, 12])])
    assert list(entities_of(found[0], [(0, 3), (4, 8), (9, 11), (12, 16)], system.label_set)) == [
        Gold("X", 0, 8), Gold("X", 12, 16),
    ]  # fmt: skip
