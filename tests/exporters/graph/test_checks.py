"""Faults are planted in a good graph, and the checks must find each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgener_exporters.checkpoint.load import load_reference
from edgener_exporters.graph.checks import cases, check_declaration, check_graph
from edgener_runtime.errors import ExportError

LABELS = 5
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


@pytest.fixture(scope="module")
def model(bert: Path) -> Any:
    return load_reference(bert)


@pytest.fixture
def graph(bert_onnx: Path) -> onnx.ModelProto:
    return onnx.load(bert_onnx)


def saved(graph: onnx.ModelProto, folder: Path) -> Path:
    onnx.save(graph, folder / "changed.onnx")
    return folder / "changed.onnx"


def weight(graph: onnx.ModelProto, name: str) -> onnx.TensorProto:
    return next(tensor for tensor in graph.graph.initializer if tensor.name.endswith(name))


def change(graph: onnx.ModelProto, name: str, edit: Callable[[Any], None]) -> None:
    tensor = weight(graph, name)
    values = numpy_helper.to_array(tensor).copy()
    edit(values)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def rewire(graph: onnx.ModelProto, old: str, new: str) -> None:
    for node in graph.graph.node:
        for position, name in enumerate(node.input):
            if name == old:
                node.input[position] = new


def test_the_graph_as_exported_passes(bert_onnx: Path, model: Any) -> None:
    check_graph(bert_onnx, model, INPUTS)


def test_a_perturbed_weight_is_found(graph: onnx.ModelProto, model: Any, tmp_path: Path) -> None:
    change(graph, "classifier.bias", lambda values: np.add(values, [0.01, 0, 0, 0, 0], out=values))
    with pytest.raises(ExportError, match=r"off by 0\.01"):
        check_graph(saved(graph, tmp_path), model, INPUTS)


def test_a_changed_last_position_is_found(graph: onnx.ModelProto, model: Any, tmp_path: Path) -> None:
    def edit(values: Any) -> None:
        values[-1, ::2] += 1

    change(graph, "position_embeddings.weight", edit)
    with pytest.raises(ExportError, match="off by"):
        check_graph(saved(graph, tmp_path), model, INPUTS)


def test_a_logit_that_is_not_finite_is_found(graph: onnx.ModelProto, model: Any, tmp_path: Path) -> None:
    change(graph, "classifier.bias", lambda values: values.fill(np.nan))
    with pytest.raises(ExportError, match="not finite"):
        check_graph(saved(graph, tmp_path), model, INPUTS)


def test_a_mask_that_is_not_used_is_found(graph: onnx.ModelProto, model: Any, tmp_path: Path) -> None:
    """All ones in the mask's place: right for whole texts, wrong for padded ones."""
    ones = [
        onnx.helper.make_node("Mul", ["attention_mask", "zero64"], ["zeros"]),
        onnx.helper.make_node("Add", ["zeros", "one64"], ["ones"]),
    ]
    rewire(graph, "attention_mask", "ones")
    for name, value in (("zero64", 0), ("one64", 1)):
        graph.graph.initializer.append(numpy_helper.from_array(np.array(value, dtype=np.int64), name))
    for node in reversed(ones):
        graph.graph.node.insert(0, node)
    with pytest.raises(ExportError, match="padded"):
        check_graph(saved(graph, tmp_path), model, INPUTS)


@pytest.mark.parametrize("name", ["attention_mask", "token_type_ids"])
def test_an_input_that_got_lost_is_found(name: str, graph: onnx.ModelProto, model: Any, tmp_path: Path) -> None:
    """A tracer that saw an input unused bakes its example in; such a graph agrees on the example and nowhere else."""
    shape = onnx.helper.make_node("Shape", ["input_ids"], ["shape_of_ids"])
    fill = onnx.helper.make_node(
        "ConstantOfShape",
        ["shape_of_ids"],
        ["baked_in"],
        value=numpy_helper.from_array(np.array([int(name == "attention_mask")], dtype=np.int64)),
    )
    rewire(graph, name, "baked_in")
    for node in (fill, shape):
        graph.graph.node.insert(0, node)
    graph.graph.input.remove(next(value for value in graph.graph.input if value.name == name))
    with pytest.raises(ExportError, match=name):
        check_graph(saved(graph, tmp_path), model, INPUTS)


def test_a_fixed_dimension_is_found(graph: onnx.ModelProto, tmp_path: Path) -> None:
    graph.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 128
    with pytest.raises(ExportError, match=r"input_ids is \('INT64', 'batch', '128'\)"):
        check_declaration(saved(graph, tmp_path), INPUTS, LABELS)


def test_another_number_of_labels_is_found(bert_onnx: Path) -> None:
    with pytest.raises(ExportError, match="logits is"):
        check_declaration(bert_onnx, INPUTS, LABELS + 1)


def test_an_input_of_another_type_is_found(graph: onnx.ModelProto, tmp_path: Path) -> None:
    graph.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT32
    with pytest.raises(ExportError, match=r"input_ids is \('INT32'"):
        check_declaration(saved(graph, tmp_path), INPUTS, LABELS)


def test_a_format_that_older_runtimes_cannot_read_is_found(graph: onnx.ModelProto, tmp_path: Path) -> None:
    graph.ir_version = 12
    with pytest.raises(ExportError, match="IR version 12"):
        check_declaration(saved(graph, tmp_path), INPUTS, LABELS)


def test_a_graph_that_onnxruntime_refuses_is_an_export_error(
    graph: onnx.ModelProto, model: Any, tmp_path: Path
) -> None:
    graph.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(ExportError, match="NoSuchOperator"):
        check_graph(saved(graph, tmp_path), model, INPUTS)


def test_the_cases_have_every_kind_of_mask_and_the_longest_text(model: Any) -> None:
    seen = dict(cases(model))
    assert {name.split()[-1] for name in seen} == {"whole", "right-padded", "left-padded", "holed"}
    assert max(inputs["input_ids"].shape[1] for inputs in seen.values()) == model.config.max_position_embeddings
    for name, inputs in seen.items():
        masks = inputs["attention_mask"]
        assert masks.any(axis=1).all(), name
        if name.endswith("right-padded"):
            assert (np.diff(masks, axis=1) <= 0).all() and masks[:, 0].all() and not masks.all()
        if name.endswith("left-padded"):
            assert (np.diff(masks, axis=1) >= 0).all() and masks[:, -1].all() and not masks.all()
