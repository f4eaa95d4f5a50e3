"""Products and the attention behind them as one operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from edgener_exporters.graph.graph import open_graph, save_graph
from edgener_exporters.graph.onnx import export_onnx
from edgener_exporters.quantise.int8 import quantize_products
from edgener_exporters.quantise.int8_dynamic import dynamic_product, quantize_dynamic
from edgener_exporters.structure.attentions import find_attentions

from ..running import logits_of

ARCHITECTURES = ("bert", "roberta", "distilbert", "electra", "albert", "big_bird", "megatron-bert")
LAYERS = 2


@pytest.fixture(scope="module", params=ARCHITECTURES)
def fp32(
    request: pytest.FixtureRequest, make_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    file = tmp_path_factory.mktemp(request.param) / "fp32.onnx"
    export_onnx(make_checkpoint(request.param), file)
    return file


def padded(file: Path) -> dict[str, NDArray[np.int64]]:
    """Texts of random ids: whole, padded on the right, on the left, and with holes."""
    chance = np.random.default_rng(2)
    mask = np.ones((4, 17), dtype=np.int64)
    mask[1, 9:] = mask[2, :6] = mask[3, 1::3] = 0
    arrays = {
        "input_ids": chance.integers(5, 120, mask.shape),
        "attention_mask": mask,
        "token_type_ids": chance.integers(0, 2, mask.shape),
    }
    return {value.name: arrays[value.name] for value in onnx.load(file).graph.input}


def operators(file: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(file).graph.node)


def test_every_layer_is_fused_and_says_what_it_said(fp32: Path, tmp_path: Path) -> None:
    quantize_dynamic(fp32, tmp_path / "fused.onnx")
    quantize_products(open_graph(fp32), tmp_path / "plain.onnx", dynamic_product)
    assert operators(tmp_path / "fused.onnx")["QAttention"] == LAYERS
    assert operators(tmp_path / "plain.onnx")["Softmax"] == LAYERS
    assert not {"Softmax", "Transpose"} & set(operators(tmp_path / "fused.onnx"))
    fed = padded(fp32)
    seen = fed["attention_mask"] > 0
    found, expected = (logits_of(tmp_path / name, fed)[seen] for name in ("fused.onnx", "plain.onnx"))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_nothing_that_was_fused_is_carried_along(fp32: Path, tmp_path: Path) -> None:
    quantize_dynamic(fp32, tmp_path / "fused.onnx")
    graph = onnx.load(tmp_path / "fused.onnx").graph
    read = {name for node in graph.node for name in node.input}
    assert {tensor.name for tensor in graph.initializer} <= read
    assert all(read & set(node.output) or "logits" in node.output for node in graph.node)


def without_bias(model: Any) -> None:
    """Take the first query's bias away: the Add goes, who read the sum reads the product."""
    attention = next(iter(find_attentions(model)))
    add = next(node for node in model.graph.node if node.op_type == "Add" and attention.biases[0] in node.input)
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name == add.output[0]:
                node.input[place] = attention.products[0].output
    model.graph.node.remove(add)


def with_computed_heads(model: Any) -> None:
    """Let the first layer's heads be worked out as the graph runs."""
    heads = [node for node in model.graph.node if node.op_type == "Reshape"][:3]
    for node in heads:
        computed = f"{node.output[0]}/computed"
        model.graph.node.insert(0, onnx.helper.make_node("Identity", [node.input[1]], [computed]))
        node.input[1] = computed


@pytest.mark.parametrize("change", [without_bias, with_computed_heads])
def test_a_layer_of_another_kind_stays_plain(change: Callable[[Any], None], bert_onnx: Path, tmp_path: Path) -> None:
    model = open_graph(bert_onnx)
    change(model)
    save_graph(model, tmp_path / "fp32.onnx")
    quantize_dynamic(tmp_path / "fp32.onnx", tmp_path / "int8.onnx")
    assert operators(tmp_path / "int8.onnx")["QAttention"] == LAYERS - 1
    assert operators(tmp_path / "int8.onnx")["Softmax"] == 1
    found, expected = (logits_of(tmp_path / name, padded(bert_onnx)) for name in ("int8.onnx", "fp32.onnx"))
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99


def with_relative_positions(model: Any) -> None:
    """Add to the first layer's scores a product of its queries and keys, as relative positions do."""
    softmax = next(node for node in model.graph.node if node.op_type == "Softmax")
    nodes = {name: node for node in model.graph.node for name in node.output}
    scores = next(
        node
        for node in model.graph.node
        if node.op_type == "MatMul" and nodes.get(node.input[0]) and nodes.get(node.input[1]) and "layer.0" in node.name
    )
    at = list(model.graph.node).index(softmax)
    more, total = f"{scores.output[0]}/more", f"{scores.output[0]}/total"
    model.graph.node.insert(at, onnx.helper.make_node("Einsum", scores.input, [more], equation="bhqd,bhdk->bhqk"))
    model.graph.node.insert(at + 1, onnx.helper.make_node("Add", [softmax.input[0], more], [total]))
    softmax.input[0] = total


def test_a_layer_whose_attention_is_more_than_scores_stays_plain(bert_onnx: Path, tmp_path: Path) -> None:
    model = open_graph(bert_onnx)
    with_relative_positions(model)
    save_graph(model, tmp_path / "fp32.onnx")
    quantize_dynamic(tmp_path / "fp32.onnx", tmp_path / "int8.onnx")
    quantize_products(open_graph(tmp_path / "fp32.onnx"), tmp_path / "plain.onnx", dynamic_product)
    assert operators(tmp_path / "int8.onnx")["QAttention"] == LAYERS - 1
    fed = padded(bert_onnx)
    seen = fed["attention_mask"] > 0
    found, expected = (logits_of(tmp_path / name, fed)[seen] for name in ("int8.onnx", "plain.onnx"))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(found - logits_of(bert_onnx, fed)[seen]).max() > 0.5  # the planted positions matter


@pytest.mark.parametrize(
    "architecture", ["mpnet", "roformer", "deberta-v2", "deberta", "modernbert", "mobilebert", "convbert"]
)
def test_positions_and_other_parts_of_an_attention_are_not_lost(
    architecture: str, make_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    """Biases by distance, rotation, windows, values from elsewhere: QAttention has none of them."""
    export_onnx(make_checkpoint(architecture), tmp_path / "fp32.onnx")
    assert list(find_attentions(open_graph(tmp_path / "fp32.onnx"))) == []


def with_another_scale(model: Any) -> None:
    """Let the scores be twice as large."""
    softmax = next(node for node in model.graph.node if node.op_type == "Softmax")
    at = list(model.graph.node).index(softmax)
    name = softmax.input[0]
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(2, np.float32), "two"))
    scores = next(node for node in model.graph.node if name in node.output).input[0]
    model.graph.node.insert(at - 1, onnx.helper.make_node("Mul", [scores, "two"], ["doubled"]))
    masked = next(node for node in model.graph.node if name in node.output)
    masked.input[0] = "doubled"


def with_a_window(model: Any) -> None:
    """Let a query see its own position and those before it."""
    softmax = next(node for node in model.graph.node if node.op_type == "Softmax")
    at = list(model.graph.node).index(softmax)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(0, np.int64), "upper"))
    nodes = [
        onnx.helper.make_node("Mul", [softmax.input[0], softmax.input[0]], ["positive"]),
        onnx.helper.make_node("Trilu", ["positive", "upper"], ["triangle"], upper=1),
        onnx.helper.make_node("Sub", [softmax.input[0], "triangle"], ["windowed"]),
    ]
    for node in reversed(nodes):
        model.graph.node.insert(at, node)
    softmax.input[0] = "windowed"


@pytest.mark.parametrize("change", [with_another_scale, with_a_window])
def test_a_planted_difference_to_plain_attention_is_kept(
    change: Callable[[Any], None], bert_onnx: Path, tmp_path: Path
) -> None:
    model = open_graph(bert_onnx)
    change(model)
    save_graph(model, tmp_path / "fp32.onnx")
    quantize_dynamic(tmp_path / "fp32.onnx", tmp_path / "int8.onnx")
    assert operators(tmp_path / "int8.onnx")["QAttention"] == LAYERS - 1


def test_shared_layers_share_the_quantised_weights(make_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    sizes = []
    for layers in (1, 4):
        export_onnx(make_checkpoint("albert", num_hidden_layers=layers), tmp_path / "fp32.onnx")
        quantize_dynamic(tmp_path / "fp32.onnx", tmp_path / "int8.onnx")
        tensors = onnx.load(tmp_path / "int8.onnx").graph.initializer
        sizes.append(sum(len(tensor.raw_data) for tensor in tensors if len(tensor.dims) == 2))
    assert sizes[0] == sizes[1]
