"""Dynamic INT8: what is quantised, how, and that it stays the same model."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from edgener_exporters.checkpoint.load import load_reference
from edgener_exporters.graph.checks import cases, check_declaration
from edgener_exporters.graph.graph import weights_of
from edgener_exporters.graph.onnx import export_onnx
from edgener_exporters.graph.roles import Product, find_embeddings, find_products
from edgener_exporters.graph.weights import safe_column_scales
from edgener_exporters.quantise.int8_dynamic import quantize_dynamic
from edgener_exporters.structure.attentions import find_attentions
from edgener_runtime.errors import UserInputError

Arrays = dict[str, Any]


@pytest.fixture(scope="module")
def bert(make_checkpoint: Callable[..., Path]) -> Path:
    """One whose word embeddings are large enough to be worth INT8."""
    return make_checkpoint("bert", vocab_size=600)


@pytest.fixture(scope="module")
def fp32(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("graph") / "fp32.onnx"
    export_onnx(bert, file)
    return file


@pytest.fixture(scope="module")
def int8(fp32: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("int8") / "int8.onnx"
    quantize_dynamic(fp32, file)
    return file


def arrays_of(file: Path) -> Arrays:
    return {name: numpy_helper.to_array(tensor) for name, tensor in weights_of(onnx.load(file)).items()}


def products_of(fp32: Path) -> dict[str, Product]:
    return {product.role: product for product in find_products(onnx.load(fp32))}


def matrices_of(fp32: Path) -> dict[str, list[str]]:
    """The weights that each INT8 matrix stands for, by its name: query, key and value stand side by side."""
    model = onnx.load(fp32)
    layers = [[product.weight for product in layer.products] for layer in find_attentions(model)]
    merged = {"+".join(weights): weights for weights in layers}
    inside = {weight for weights in merged.values() for weight in weights}
    rest = [product.weight for product in find_products(model) if not product.is_head]
    return merged | {weight: [weight] for weight in rest if weight not in inside}


def test_its_declaration_is_that_of_fp32(int8: Path) -> None:
    check_declaration(int8, ("input_ids", "attention_mask", "token_type_ids"), 5)


def test_every_matrix_of_the_encoder_and_every_large_embedding_is_int8(int8: Path, fp32: Path) -> None:
    """In FP32 stay the classifier, which speaks last, and tables of a few kilobytes."""
    words, *small = sorted(find_embeddings(onnx.load(fp32)), key=lambda embedding: -embedding.shape[0])
    assert words.shape == (600, 32) and len(small) == 2
    floats = {name for name, array in arrays_of(int8).items() if array.dtype == np.float32 and array.ndim > 1}
    scales = {name for name in floats if name.endswith("/scale")}
    assert floats - scales == {products_of(fp32)["classifier"].weight, *(embedding.table for embedding in small)}
    assert scales == {f"{words.table}/scale"}


def test_the_classifier_is_as_it_was(int8: Path, fp32: Path) -> None:
    name = products_of(fp32)["classifier"].weight
    assert np.array_equal(arrays_of(int8)[name], arrays_of(fp32)[name])


def test_weights_are_quantised_per_channel_on_scales_that_no_cpu_overflows(int8: Path, fp32: Path) -> None:
    before, after = arrays_of(fp32), arrays_of(int8)
    matrices = matrices_of(fp32)
    assert len(matrices) == 2 * 4  # of a layer's six products, three are one
    for name, parts in matrices.items():
        weight = np.concatenate([before[part] for part in parts], axis=1)
        steps, scales, zeros = (after.get(f"{name}/{part}") for part in ("int8", "scale", "zero_point"))
        assert steps.dtype == np.int8 and steps.shape == weight.shape and scales.shape == weight.shape[1:]
        assert np.array_equal(scales, safe_column_scales(weight)) and len(set(scales.tolist())) > 1
        assert (np.abs(steps * scales - weight) <= 0.501 * scales).all()
        assert zeros is None or not zeros.any()


def test_word_embeddings_are_rows_with_a_scale_each(int8: Path, fp32: Path) -> None:
    words = max(find_embeddings(onnx.load(fp32)), key=lambda embedding: embedding.shape[0])
    table, after = arrays_of(fp32)[words.table], arrays_of(int8)
    steps, scales = after[f"{words.table}/int8"], after[f"{words.table}/scale"]
    assert steps.dtype == np.int8 and scales.shape == (600, 1)
    assert (np.abs(steps).max(axis=1) == 127).all()
    assert (np.abs(steps * scales - table) <= 0.501 * scales).all()


def test_it_answers_nearly_as_pytorch(int8: Path, bert: Path) -> None:
    model = load_reference(bert)
    session = onnxruntime.InferenceSession(str(int8), providers=["CPUExecutionProvider"])
    import torch

    equal = []
    for _, inputs in cases(model):
        with torch.no_grad():
            expected = model(**{name: torch.from_numpy(value) for name, value in inputs.items()}).logits.numpy()
        found = session.run(["logits"], inputs)[0]
        assert np.isfinite(found).all()
        equal.append((found.argmax(-1) == expected.argmax(-1))[inputs["attention_mask"] == 1])
    assert np.concatenate(equal).mean() > 0.9


def test_twice_is_the_same(int8: Path, fp32: Path, tmp_path: Path) -> None:
    quantize_dynamic(fp32, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == int8.read_bytes()


def test_nothing_is_said_and_logging_is_left_as_it_was(
    fp32: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    filters = list(logging.getLogger().filters)
    quantize_dynamic(fp32, tmp_path / "int8.onnx")
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger().handlers == [] and logging.getLogger().filters == filters


def test_a_damaged_graph_is_bad_input_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "fp32.onnx").write_bytes(b"not a graph")
    with pytest.raises(UserInputError, match=r"fp32\.onnx is damaged"):
        quantize_dynamic(tmp_path / "fp32.onnx", tmp_path / "int8.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["fp32.onnx"]
