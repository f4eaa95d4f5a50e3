"""The PyTorch row: the checkpoint answers as the FP32 variant that was exported from it, and is measured like one."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgener.bench.pytorch import Trained, pytorch_places
from edgener.bench.texts import labelled_texts
from edgener.data.types import Dataset
from edgener_runtime import TokenClassifier
from edgener_runtime.bundle.manifest import read_manifest
from edgener_runtime.commissioning.bench.job import Job
from edgener_runtime.commissioning.bench.run import run
from edgener_runtime.commissioning.bench.spec import Spec
from edgener_runtime.errors import UserInputError
from edgener_runtime.inference.words import Words
from edgener_runtime.machine.cpu import usable_cores

pytestmark = pytest.mark.compat


@pytest.fixture(scope="module")
def model(trained: Path) -> Trained:
    return Trained(Job(str(trained), "pytorch", "cpu", 1, "", "builtin", 0, ()))


def test_it_answers_as_the_fp32_variant(model: Trained, exported: Path, small_factory: dict[str, Dataset]) -> None:
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
    (place,) = pytorch_places(trained, spec.threads)
    variant, pytorch = run(spec, more=(place,)).rows
    assert (pytorch.case.variant, pytorch.case.device, pytorch.case.threads) == ("pytorch", "cpu", 1)
    assert (pytorch.status, pytorch.provider, pytorch.precision) == ("measured", "PyTorch", "fp32"), pytorch.reason
    assert pytorch.energy == variant.energy
    assert pytorch.size_bytes > 1e6 and len(pytorch.sha256) == 64
    parity = read_manifest(exported).variant("fp32").parity
    # the judge also goes on with a label where two words share a subword
    assert parity and variant.f1 == pytorch.f1 == pytest.approx(parity.f1_pytorch, abs=0.005)


def test_each_count_of_threads_is_a_place_and_the_cores_are_the_default(trained: Path) -> None:
    assert [place.threads for place in pytorch_places(trained, (1, 2))] == [1, 2]
    assert [place.threads for place in pytorch_places(trained, ())] == [usable_cores()]


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="is no checkpoint"):
        pytorch_places(tmp_path, ())
