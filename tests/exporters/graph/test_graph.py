"""Graphs are read with care and rewritten without leftovers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgener_exporters.graph.graph import Rewriting, open_graph, rewrite, save_graph, weights_of
from edgener_exporters.quantise.int8_dynamic import quantize_dynamic
from edgener_exporters.quantise.weight_only import quantize_weights
from edgener_runtime.errors import UserInputError

from ..conftest import Encoder


@pytest.fixture
def model(cased: Encoder) -> onnx.ModelProto:
    return onnx.load(cased.fp32)


def test_a_plain_graph_is_opened(cased: Encoder, model: onnx.ModelProto) -> None:
    assert open_graph(cased.fp32) == model


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x00" * 100])
def test_what_is_not_a_graph_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(UserInputError, match=r"x\.onnx is damaged or not ONNX"):
        open_graph(tmp_path / "x.onnx")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
def test_a_truncated_graph_is_refused(share: float, cased: Encoder, tmp_path: Path) -> None:
    whole = cased.fp32.read_bytes()
    (tmp_path / "x.onnx").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UserInputError, match=r"x\.onnx is damaged"):
        open_graph(tmp_path / "x.onnx")


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_graph(tmp_path / "x.onnx")


def test_weights_in_another_file_are_refused_with_the_way_out(model: onnx.ModelProto, tmp_path: Path) -> None:
    onnx.save(model, tmp_path / "x.onnx", save_as_external_data=True, location="x.data", size_threshold=0)
    with pytest.raises(UserInputError, match="in other files") as caught:
        open_graph(tmp_path / "x.onnx")
    assert "onnx.save" in str(caught.value.hint)


def test_a_quantised_graph_is_refused(cased: Encoder, tmp_path: Path) -> None:
    quantize_dynamic(cased.fp32, tmp_path / "x.onnx")
    with pytest.raises(UserInputError, match="quantised already: it has DynamicQuantizeLinear, MatMulInteger"):
        open_graph(tmp_path / "x.onnx")


def test_a_graph_with_onnxruntimes_own_operators_is_refused(cased: Encoder, tmp_path: Path) -> None:
    quantize_weights(cased.fp32, tmp_path / "x.onnx")
    with pytest.raises(UserInputError, match=r"not ONNX's own: com\.microsoft\.MatMulNBits"):
        open_graph(tmp_path / "x.onnx")


def test_an_unknown_operator_is_refused(model: onnx.ModelProto, tmp_path: Path) -> None:
    model.graph.node[0].op_type = "Flux"
    onnx.save(model, tmp_path / "x.onnx")
    with pytest.raises(UserInputError, match="Flux"):
        open_graph(tmp_path / "x.onnx")


# --- rewriting


def tiny() -> onnx.ModelProto:
    """y = -(x + a), and b that nobody reads but the second node."""
    a, b = (numpy_helper.from_array(np.float32([1, 2]), name) for name in "ab")
    nodes = [helper.make_node("Add", ["x", "a"], ["s"], "s"), helper.make_node("Mul", ["s", "b"], ["y"], "y")]
    value = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2]) for name in "xy"]
    return helper.make_model(helper.make_graph(nodes, "tiny", value[:1], value[1:], [a, b]))


def test_a_node_is_replaced_where_it_stood_and_its_weight_goes() -> None:
    model = tiny()

    def emit(changed: Rewriting, node: Any) -> None:
        twice = changed.weight("two", lambda: np.float32(2))
        changed.node("Mul", [changed.node("Neg", [node.input[0]], "n"), twice], node.output[0])

    rewrite(model, {"s": emit})
    assert [node.op_type for node in model.graph.node] == ["Neg", "Mul", "Mul"]
    assert set(weights_of(model)) == {"b", "two"}
    onnx.checker.check_model(model)


def test_what_two_nodes_share_is_made_once() -> None:
    model = tiny()

    def emit(changed: Rewriting, node: Any) -> None:
        shared = changed.node("Abs", ["x"], "shared")
        changed.node("Neg", [shared], node.output[0])

    rewrite(model, {"s": emit, "y": emit})
    assert [node.op_type for node in model.graph.node] == ["Abs", "Neg", "Neg"]


def test_another_domain_is_declared() -> None:
    model = tiny()
    rewrite(model, {"s": lambda changed, node: changed.node("Gelu", ["x"], "s", "com.microsoft") and None})
    assert {entry.domain for entry in model.opset_import} == {"", "com.microsoft"}


def test_a_plan_for_a_node_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError, match="elsewhere"):
        rewrite(tiny(), {"elsewhere": lambda changed, node: None})


def test_a_saved_graph_is_the_graph(tmp_path: Path) -> None:
    save_graph(tiny(), tmp_path / "x.onnx")
    assert onnx.load(tmp_path / "x.onnx") == tiny()
    assert [path.name for path in tmp_path.iterdir()] == ["x.onnx"]
