"""The PyTorch side: the model itself on short texts, windows on long ones, and what the runtime makes of the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgener.checkpoint import open_checkpoint
from edgener.data.types import Dataset
from edgener.parity import reference
from edgener.parity.measures.tagging import tag
from edgener.parity.reference import PyTorchModel
from edgener_runtime import TokenClassifier
from edgener_runtime.errors import UserInputError

pytestmark = pytest.mark.compat

STRANGE = ("", " ", "\t\n", "Größe 42 µm", "泵 P-101 漏油", "🙂🙂", "a" * 300, "e\u0301t\u00e9", "x\u200by")


@pytest.fixture(scope="module")
def long_text(small_factory: dict[str, Dataset]) -> str:
    """Some 1,200 subwords, more than two windows of 512."""
    return " ".join(sentence.text for sentence in small_factory["test"].sentences[:80])


@pytest.fixture(scope="module")
def model(trained: Path) -> Iterator[PyTorchModel]:
    with PyTorchModel.open(open_checkpoint(trained)) as opened:
        yield opened


def test_a_short_text_gets_the_models_own_logits(make_model: Callable[[str], Path]) -> None:
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    folder = make_model("bert-uncased")
    text = "Pump P-101 leaks at the seal"
    inputs = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt", truncation=False)
    with torch.no_grad():
        expected = AutoModelForTokenClassification.from_pretrained(folder).eval()(**inputs).logits[0, 1:-1]
    with PyTorchModel.open(open_checkpoint(folder)) as model:
        (answer,) = model.logits([text])
    assert answer.input_ids.tolist() == inputs["input_ids"][0, 1:-1].tolist()
    np.testing.assert_allclose(answer.logits, expected, atol=1e-5)


def test_dropout_is_off(model: PyTorchModel) -> None:
    first, second = (next(model.logits(["Pump P-101 leaks"])) for _ in range(2))
    np.testing.assert_array_equal(first.logits, second.logits)


def test_every_subword_of_a_long_text_is_scored(model: PyTorchModel, long_text: str) -> None:
    (answer,) = model.logits([long_text])
    assert len(answer.logits) > 1000
    assert np.isfinite(answer.logits).all()
    assert answer.offsets[-1, 1] == len(long_text)


def test_a_subword_of_a_long_text_is_scored_in_the_window_where_it_has_most_context(
    trained: Path, model: PyTorchModel, long_text: str
) -> None:
    """By hand: the first window alone scores what it keeps."""
    checkpoint = open_checkpoint(trained)
    (whole,) = model.logits([long_text])
    size = checkpoint.max_length - 2
    first_window = long_text[: int(whole.offsets[size - 1, 1])]
    (alone,) = model.logits([first_window])
    kept = size - checkpoint.stride // 2
    np.testing.assert_array_equal(alone.input_ids, whole.input_ids[:size])
    np.testing.assert_allclose(alone.logits[:kept], whole.logits[:kept], atol=1e-4)
    assert np.abs(alone.logits[kept:] - whole.logits[kept:size]).max() > 1e-3


def test_texts_keep_their_order_over_batches_and_chunks(
    model: PyTorchModel, small_factory: dict[str, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [sentence.text for sentence in small_factory["test"].sentences[:20]]
    expected = list(model.logits(texts))
    monkeypatch.setattr(reference, "_TEXTS_AT_ONCE", 7)
    monkeypatch.setattr(reference, "_WINDOWS_AT_ONCE", 3)
    for ours, theirs in zip(model.logits(texts), expected, strict=True):
        np.testing.assert_array_equal(ours.input_ids, theirs.input_ids)
        np.testing.assert_allclose(ours.logits, theirs.logits, atol=1e-4)


def test_pytorch_and_the_fp32_runtime_agree_on_ordinary_strange_and_long_texts(
    model: PyTorchModel, exported: Path, small_factory: dict[str, Dataset], long_text: str
) -> None:
    texts = [*(sentence.text for sentence in small_factory["test"].sentences), *STRANGE, long_text]
    with TokenClassifier.load(exported, variant="fp32") as classifier:
        for text, ours, theirs in zip(texts, classifier.logits(texts), model.logits(texts), strict=True):
            np.testing.assert_array_equal(ours.input_ids, theirs.input_ids, err_msg=text)
            np.testing.assert_array_equal(ours.offsets, theirs.offsets, err_msg=text)
            np.testing.assert_allclose(ours.logits, theirs.logits, atol=1e-4, err_msg=text)


def test_pytorch_and_the_fp32_runtime_give_the_same_tags(
    model: PyTorchModel, exported: Path, small_factory: dict[str, Dataset]
) -> None:
    sentences = small_factory["valid"].sentences
    with TokenClassifier.load(exported, variant="fp32") as classifier:
        assert tag(classifier, sentences) == tag(model, sentences)


def test_weights_that_cannot_be_loaded_are_bad_input(trained: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(trained, tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"half")
    with pytest.raises(UserInputError, match="cannot be loaded"):
        PyTorchModel.open(open_checkpoint(damaged))
