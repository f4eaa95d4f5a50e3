"""Dynamic INT8: what is quantised, how, and that it stays the same model."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from edgener_exporters.checks import cases, check_declaration
from edgener_exporters.int8_dynamic import quantize_dynamic
from edgener_exporters.onnx import load_reference
from edgener_runtime.errors import ExportError


@pytest.fixture(scope="module")
def int8(bert_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("int8") / "int8.onnx"
    quantize_dynamic(bert_onnx, file)
    return file


def test_its_declaration_is_that_of_fp32(int8: Path) -> None:
    check_declaration(int8, ("input_ids", "attention_mask", "token_type_ids"), 5)


def test_every_matrix_and_embedding_is_int8(int8: Path) -> None:
    floats = {
        tensor.name: list(tensor.dims)
        for tensor in onnx.load(int8).graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) > 1
    }
    assert floats == {}


def test_weights_are_quantised_per_channel(int8: Path) -> None:
    tensors = {tensor.name: tensor for tensor in onnx.load(int8).graph.initializer}
    matrices = [name for name, tensor in tensors.items() if "MatMul" in name and name.endswith("_quantized")]
    assert len(matrices) == 2 * 6 + 1  # six products a layer, and the classifier
    for name in matrices:
        scale = tensors[name.removesuffix("_quantized") + "_scale"]
        assert list(scale.dims) == [tensors[name].dims[1]]
        assert len(set(numpy_helper.to_array(scale).tolist())) > 1


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


def test_twice_is_the_same(int8: Path, bert_onnx: Path, tmp_path: Path) -> None:
    quantize_dynamic(bert_onnx, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == int8.read_bytes()


def test_nothing_is_said_and_logging_is_left_as_it_was(
    bert_onnx: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    filters = list(logging.getLogger().filters)
    quantize_dynamic(bert_onnx, tmp_path / "int8.onnx")
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger().handlers == [] and logging.getLogger().filters == filters


def test_a_damaged_graph_is_an_export_error(tmp_path: Path) -> None:
    (tmp_path / "fp32.onnx").write_bytes(b"not a graph")
    with pytest.raises(ExportError, match=r"fp32\.onnx"):
        quantize_dynamic(tmp_path / "fp32.onnx", tmp_path / "int8.onnx")
