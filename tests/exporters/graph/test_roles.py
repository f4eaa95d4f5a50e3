"""Products are known by what they do in the graph, whatever they are called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgener_exporters.graph.onnx import export_onnx
from edgener_exporters.graph.roles import find_embeddings, find_products
from edgener_exporters.quantise.int8 import encoder_products
from edgener_runtime.errors import UserInputError

from ..conftest import Encoder

pytestmark = pytest.mark.compat

PARTS = ["query", "key", "value", "attention_output", "feed_forward_1", "feed_forward_2"]
LAYERS = [f"layer.{layer}.{part}" for layer in range(2) for part in PARTS]
# What transformers calls them, where it leaves its names in the graph.
NAMES = {
    "bert-cased": ("query", "key", "value", "attention/output", "intermediate", "output/dense", "classifier"),
    "roberta": ("query", "key", "value", "attention/output", "intermediate", "output/dense", "classifier"),
    "distilbert": ("q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2", "classifier"),
    "electra": ("query", "key", "value", "attention/output", "intermediate", "output/dense", "classifier"),
}


@pytest.mark.parametrize("architecture", NAMES)
def test_the_roles_are_those_that_the_names_say(architecture: str, encoder: Callable[[str], Encoder]) -> None:
    model = onnx.load(encoder(architecture).fp32)
    products = {product.role: product for product in find_products(model)}
    assert set(products) == {*LAYERS, "classifier"} | ({"projection"} if architecture == "electra" else set())
    for role, product in products.items():
        if role != "projection":
            part = (*PARTS, "classifier").index(role.split(".")[-1])
            assert NAMES[architecture][part] in product.output
            assert role.startswith("classifier") or role.rsplit(".", 1)[0][-1] in product.output
    assert products["classifier"].is_head and not products["layer.0.query"].is_head


def test_names_do_not_matter(cased: Encoder) -> None:
    model = onnx.load(cased.fp32)
    before = [(product.role, product.weight) for product in find_products(model)]
    inner = {output for node in model.graph.node for output in node.output} - {"logits"}
    new = {name: f"t{number}" for number, name in enumerate(sorted(inner))}
    for node in model.graph.node:
        node.name = ""
        for names in (node.input, node.output):
            names[:] = [new.get(name, name) for name in names]
    onnx.checker.check_model(model)
    assert [(product.role, product.weight) for product in find_products(model)] == before


@pytest.mark.parametrize(("architecture", "count"), [("bert-cased", 3), ("roberta", 3), ("distilbert", 2)])
def test_embeddings_are_the_lookups_in_tables(architecture: str, count: int, encoder: Callable[[str], Encoder]) -> None:
    found = find_embeddings(onnx.load(encoder(architecture).fp32))
    assert len(found) == count
    assert found[0].ids == "input_ids" and found[0].shape == (400, 32)


def test_the_classifier_and_what_is_to_be_kept_are_not_quantised(cased: Encoder) -> None:
    model = onnx.load(cased.fp32)
    assert [product.role for product in encoder_products(model)] == LAYERS
    kept = encoder_products(model, {"layer.0.feed_forward_2", "classifier"})
    assert [product.role for product in kept] == [role for role in LAYERS if role != "layer.0.feed_forward_2"]


def test_a_role_that_there_is_not_is_refused(cased: Encoder) -> None:
    with pytest.raises(UserInputError, match=r"no product layer\.7\.query"):
        encoder_products(onnx.load(cased.fp32), {"layer.7.query"})


# --- layers that are not BERT's


@pytest.fixture(scope="module")
def roles_of(
    make_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., list[str]]:
    """The roles in the graph of an architecture with random weights."""

    def find(architecture: str, **settings: object) -> list[str]:
        file = tmp_path_factory.mktemp("roles") / "fp32.onnx"
        export_onnx(make_checkpoint(architecture, **settings), file)
        return [product.role for product in find_products(onnx.load(file))]

    return find


def test_shared_layers_have_roles_of_their_own(roles_of: Callable[..., list[str]]) -> None:
    assert roles_of("albert", num_hidden_layers=3) == [
        "projection", *(f"layer.{layer}.{part}" for layer in range(3) for part in PARTS), "classifier",
    ]  # fmt: skip


def test_one_product_may_be_query_key_and_value(roles_of: Callable[..., list[str]]) -> None:
    parts = ["query_key_value", *PARTS[3:]]
    layers = [f"layer.{layer}.{part}" for layer in range(2) for part in parts]
    assert roles_of("deberta") == [*layers, "classifier"]
    assert roles_of("modernbert", num_hidden_layers=2) == [*layers, "head.1", "classifier"]


@pytest.mark.parametrize("shared", [True, False])
def test_products_of_constants_have_no_role(roles_of: Callable[..., list[str]], shared: bool) -> None:
    """DeBERTa multiplies the table of relative positions by weights, in each layer."""
    assert roles_of("deberta-v2", share_att_key=shared) == [*LAYERS, "classifier"]


@pytest.mark.parametrize(("architecture", "count"), [("mobilebert", 23), ("convbert", 17)])
def test_products_of_other_layers_are_numbered(
    architecture: str, count: int, roles_of: Callable[..., list[str]]
) -> None:
    assert roles_of(architecture) == [*(f"product.{number}" for number in range(count)), "classifier"]


# --- graphs that are not encoders


def graph_of(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    value = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 4]) for name in ("x", "logits")]
    weights = [numpy_helper.from_array(np.ones((4, 4), np.float32), name) for name in "abc"]
    model = helper.make_model(helper.make_graph(list(nodes), "g", value[:1], value[1:], weights))
    onnx.checker.check_model(model)
    return model


def test_a_network_without_attention_is_not_an_encoder() -> None:
    layer = [helper.make_node("MatMul", ["x", "a"], ["h"]), helper.make_node("MatMul", ["h", "b"], ["logits"])]
    with pytest.raises(UserInputError, match="no attention"):
        find_products(graph_of(*layer))


def test_a_classifier_with_a_softmax_is_not_an_encoder() -> None:
    nodes = [helper.make_node("MatMul", ["x", "a"], ["h"]), helper.make_node("Softmax", ["h"], ["logits"])]
    with pytest.raises(UserInputError, match="no attention"):
        find_products(graph_of(*nodes))


def test_attention_without_a_feed_forward_layer_is_numbered() -> None:
    nodes = [
        *(helper.make_node("MatMul", ["x", weight], [name]) for weight, name in zip("abc", "qkv", strict=True)),
        helper.make_node("Transpose", ["k"], ["kt"], perm=[1, 0]),
        helper.make_node("MatMul", ["q", "kt"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["shares"]),
        helper.make_node("MatMul", ["shares", "v"], ["context"]),
        helper.make_node("MatMul", ["context", "a"], ["logits"]),
    ]
    roles = [product.role for product in find_products(graph_of(*nodes))]
    assert roles == ["product.0", "product.1", "product.2", "classifier"]
