"""Native INT8: the graph computes what FP32 computes, and its operators are those that edgener-ops defines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgener_exporters.architectures import ARCHITECTURES
from edgener_exporters.checkpoint.load import load_reference
from edgener_exporters.distance import relative_distance
from edgener_exporters.graph.checks import NEWEST_IR, cases
from edgener_exporters.graph.onnx import OPSET, export_onnx, input_names
from edgener_exporters.graph.weights import quantized
from edgener_exporters.quantise import int8_native
from edgener_exporters.quantise.int8_native import DOMAIN, VERSION, packed, padded, quantize_native
from edgener_runtime.errors import UserInputError

from ..encoders import ENCODERS
from ..native import definition, logits_by_definition, ragged_inputs
from ..running import logits_of

pytestmark = pytest.mark.compat

LIKE_BERT = (
    "bert", "distilbert", "roberta", "xlm-roberta", "camembert", "electra", "ernie", "rembert", "data2vec-text",
)  # fmt: skip
WITH_ERF = {"albert": {"hidden_act": "gelu"}, "big_bird": {"hidden_act": "gelu"}}
OTHER = {
    "albert": "neither GELU by the error function nor ReLU",
    "big_bird": "neither GELU by the error function nor ReLU",
    "megatron-bert": "is not added to",
    "roberta-prelayernorm": "is not added to",
}  # the others have attention of another kind


@pytest.fixture(scope="module")
def graphs(
    make_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[Path, Path]]:
    """`graphs("bert")` is a checkpoint and its FP32 graph."""
    made: dict[str, tuple[Path, Path]] = {}

    def make(architecture: str, **settings: Any) -> tuple[Path, Path]:
        name = f"{architecture}{settings}"
        if name not in made:
            file = tmp_path_factory.mktemp(architecture) / "fp32.onnx"
            checkpoint = make_checkpoint(architecture, **settings)
            export_onnx(checkpoint, file)
            made[name] = checkpoint, file
        return made[name]

    return make


class RandomText:
    """In place of a calibration: batches of random ids."""

    def __init__(self, fp32: Path) -> None:
        self._inputs = {value.name for value in onnx.load(fp32, load_external_data=False).graph.input}

    def feeds(self, stage: str) -> Iterator[dict[str, Any]]:
        chance = np.random.default_rng(4)
        for rows in (8, 3):
            ids = chance.integers(5, 120, (rows, 20))
            mask = np.arange(20)[None, :] < chance.integers(5, 21, (rows, 1))
            every = {"input_ids": ids, "attention_mask": mask.astype(np.int64), "token_type_ids": ids % 2}
            yield {name: every[name] for name in every if name in self._inputs}


def write_native(fp32: Path, out: Path) -> None:
    text: Any = RandomText(fp32)
    quantize_native(fp32, out, text)


@pytest.fixture
def in_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is rounded to few steps: the operators get the weights in FP32, rows and heads as they are."""
    defined = definition()
    monkeypatch.setattr(int8_native, "compensated", lambda weight, scales, moments: weight)
    monkeypatch.setattr(int8_native, "column_scales", lambda weight: np.ones(weight.shape[1], dtype=np.float32))

    def product(x: Any, by: Any) -> Any:
        weight = defined.unpack(by.weight)
        wide = np.pad(x, ((0, 0), (0, weight.shape[1] - x.shape[1])))
        return wide @ weight.T * by.scale + by.bias

    monkeypatch.setattr(defined, "product", product)
    monkeypatch.setattr(defined, "in_steps", lambda x, steps: (x, np.float32(1)))


@pytest.mark.parametrize("architecture", [*LIKE_BERT, *WITH_ERF])
def test_without_rounding_it_is_fp32_under_every_mask(
    architecture: str, graphs: Callable[..., tuple[Path, Path]], in_floats: None, tmp_path: Path
) -> None:
    """The graph is another, the function is the same: padded on the left and with holes too, where positions differ."""
    checkpoint, fp32 = graphs(architecture, **WITH_ERF.get(architecture, {}))
    write_native(fp32, tmp_path / "native.onnx")
    model = load_reference(checkpoint)
    for case, inputs in cases(model):
        feeds = {name: inputs[name] for name in input_names(model)}
        found, expected = logits_by_definition(tmp_path / "native.onnx", feeds), logits_of(fp32, feeds)
        seen = inputs["attention_mask"] == 1
        np.testing.assert_allclose(found[seen], expected[seen], atol=1e-3, err_msg=case)


@pytest.mark.parametrize("architecture", LIKE_BERT)
def test_it_declares_ragged_batches_and_is_near_fp32(
    architecture: str, graphs: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    checkpoint, fp32 = graphs(architecture)
    write_native(fp32, tmp_path / "native.onnx")
    graph = onnx.load(tmp_path / "native.onnx")
    assert graph.ir_version <= NEWEST_IR
    assert {entry.domain: entry.version for entry in graph.opset_import} == {"": OPSET, DOMAIN: VERSION}
    types = ["token_type_ids"] if "token_type_ids" in input_names(load_reference(checkpoint)) else []
    assert [value.name for value in graph.graph.input] == ["input_ids", "position_ids", *types, "offsets"]
    assert [node.op_type for node in graph.graph.node].count("EncoderLayer") == 2
    assert not {"Softmax", "Reshape", "Transpose", "Shape"} & {node.op_type for node in graph.graph.node}
    feeds = batch(fp32)
    seen = feeds["attention_mask"] == 1
    found, expected = logits_by_definition(tmp_path / "native.onnx", feeds), logits_of(fp32, feeds)
    assert relative_distance(found[seen], expected[seen]) < 0.03
    assert (found[seen] != expected[seen]).any()


def batch(fp32: Path) -> dict[str, Any]:
    """Texts of random ids, padded on the right."""
    chance = np.random.default_rng(2)
    mask = np.ones((4, 17), dtype=np.int64)
    mask[1, 9:] = mask[2, 3:] = mask[3, 1:] = 0
    arrays = {
        "input_ids": chance.integers(5, 120, mask.shape),
        "attention_mask": mask,
        "token_type_ids": chance.integers(0, 2, mask.shape),
    }
    return {value.name: arrays[value.name] for value in onnx.load(fp32).graph.input}


def test_a_text_has_the_same_bits_alone_and_in_a_batch(
    graphs: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    _, fp32 = graphs("bert")
    write_native(fp32, tmp_path / "native.onnx")
    feeds = batch(fp32)
    together = logits_by_definition(tmp_path / "native.onnx", feeds)
    for row, length in enumerate(feeds["attention_mask"].sum(axis=1)):
        alone = logits_by_definition(tmp_path / "native.onnx", {k: v[row : row + 1, :length] for k, v in feeds.items()})
        np.testing.assert_allclose(alone[0], together[row, :length], atol=1e-6)  # numpy's own sums may differ


def test_the_table_refuses_what_cannot_be_built() -> None:
    assert list(LIKE_BERT) == [name for name, row in ARCHITECTURES.items() if "int8-native" not in row.refused]


@pytest.mark.parametrize("architecture", [name for name in ENCODERS if name not in LIKE_BERT])
def test_layers_of_another_kind_are_refused_with_the_difference(
    architecture: str, graphs: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    with pytest.raises(UserInputError, match=OTHER.get(architecture, "attentions are plain")) as caught:
        write_native(graphs(architecture)[1], tmp_path / "native.onnx")
    assert "Leave the variant out" in str(caught.value.hint) and not list(tmp_path.iterdir())


def test_weights_and_scales_are_those_that_the_operators_define() -> None:
    random = np.random.default_rng(3)
    weight, bias = random.standard_normal((37, 22)).astype(np.float32), random.standard_normal(22).astype(np.float32)
    weight[:, 4] = 0  # a dead channel
    defined = definition()
    expected = defined.make_product(weight.T.copy(), bias)
    scales = int8_native.column_scales(weight)
    found = packed(quantized(weight, scales).T)
    np.testing.assert_array_equal(found, expected.weight)
    live = np.arange(len(expected.scale)) != 4
    np.testing.assert_allclose(padded(scales)[live], expected.scale[live], rtol=1e-6)
    np.testing.assert_array_equal(padded(bias), expected.bias)
    assert found.shape == (2, 10, 16, 4)


@pytest.mark.parametrize("width", [(24, 3, 40), (36, 3, 52), (128, 4, 256), (48, 4, 384)])
def test_widths_that_fill_no_panel_are_padded_and_those_that_fill_eight_are_rotated(
    width: tuple[int, int, int], graphs: Callable[..., tuple[Path, Path]], in_floats: None, tmp_path: Path
) -> None:
    hidden, heads, between = width
    small = {"max_position_embeddings": 100}  # of which a table is not quantised
    _, fp32 = graphs("bert", hidden_size=hidden, num_attention_heads=heads, intermediate_size=between, **small)
    write_native(fp32, tmp_path / "native.onnx")
    feeds = batch(fp32)
    seen = feeds["attention_mask"] == 1
    found, expected = logits_by_definition(tmp_path / "native.onnx", feeds), logits_of(fp32, feeds)
    np.testing.assert_allclose(found[seen], expected[seen], atol=1e-3)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_the_activation_is_found_by_what_it_computes(
    activation: str, graphs: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    write_native(graphs("bert", hidden_act=activation)[1], tmp_path / "native.onnx")
    node = next(node for node in onnx.load(tmp_path / "native.onnx").graph.node if node.op_type == "EncoderLayer")
    assert {each.name: each.s for each in node.attribute if each.s} == {"activation": activation.encode()}


@pytest.mark.parametrize("activation", ["gelu_new", "gelu_pytorch_tanh", "quick_gelu", "silu", "tanh", "mish"])
def test_an_activation_that_only_looks_like_it_is_refused(
    activation: str, graphs: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    with pytest.raises(UserInputError, match="activation"):
        write_native(graphs("bert", hidden_act=activation)[1], tmp_path / "native.onnx")


def test_large_tables_are_looked_up_in_int8_by_the_rows_own_positions(
    graphs: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    """A table of positions of more than 64 KiB."""
    _, fp32 = graphs("roberta", max_position_embeddings=600, vocab_size=600)
    write_native(fp32, tmp_path / "native.onnx")
    graph = onnx.load(tmp_path / "native.onnx")
    tables = {each.name: numpy_helper.to_array(each) for each in graph.graph.initializer}
    found = [table for name, table in tables.items() if name.endswith("embeddings.weight/int8")]
    assert [(len(table), table.dtype) for table in found] == [(600, np.dtype(np.int8))] * 2
    feeds = batch(fp32)
    seen = feeds["attention_mask"] == 1
    found, expected = logits_by_definition(tmp_path / "native.onnx", feeds), logits_of(fp32, feeds)
    assert relative_distance(found[seen], expected[seen]) < 0.03


def with_other_residual(model: Any) -> None:
    """Add the layer's input a second time in place of the attention's LayerNorm."""
    norms = [node for node in model.graph.node if node.op_type == "LayerNormalization"]
    add = next(node for node in model.graph.node if norms[1].output[0] in node.input and node.op_type == "Add")
    add.input[list(add.input).index(norms[1].output[0])] = norms[0].output[0]


def with_bypassed_layer(model: Any) -> None:
    """Let the classifier read the first layer's output."""
    norms = [node for node in model.graph.node if node.op_type == "LayerNormalization"]
    product = [node for node in model.graph.node if node.op_type == "MatMul"][-1]
    product.input[0] = norms[2].output[0]


def with_mixed_rows(model: Any) -> None:
    """Add to every row of the head's input the mean over the text."""
    product = [node for node in model.graph.node if node.op_type == "MatMul"][-1]
    at, mean, total = product.input[0], "mean over the text", "with the mean"
    place = list(model.graph.node).index(product)
    axes = numpy_helper.from_array(np.array([1], dtype=np.int64), "axes of the mean")
    model.graph.initializer.append(axes)
    model.graph.node.insert(place, onnx.helper.make_node("ReduceMean", [at, axes.name], [mean], keepdims=1))
    model.graph.node.insert(place + 1, onnx.helper.make_node("Add", [at, mean], [total]))
    product.input[0] = total


def with_positions_from_the_end(model: Any) -> None:
    """Count positions from the end of the text."""
    gather = next(node for node in model.graph.node if node.op_type == "Gather" and "position_emb" in node.input[0])
    step = onnx.helper.make_node("Neg", [gather.input[1]], ["negative"])
    model.graph.node.insert(list(model.graph.node).index(gather), step)
    gather.input[1] = "negative"


@pytest.mark.parametrize(
    "change", [with_other_residual, with_bypassed_layer, with_mixed_rows, with_positions_from_the_end]
)
def test_a_graph_that_computes_something_else_is_refused(change: Any, bert_onnx: Path, tmp_path: Path) -> None:
    model = onnx.load(bert_onnx)
    change(model)
    onnx.save(model, tmp_path / "fp32.onnx")
    with pytest.raises(UserInputError):
        write_native(tmp_path / "fp32.onnx", tmp_path / "native.onnx")
    assert not (tmp_path / "native.onnx").exists()


@pytest.mark.parametrize("architecture", ["bert", "roberta"])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_library_computes_what_is_defined(
    architecture: str, threads: int, graphs: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    """The same bits in a batch and alone, with one thread and with two."""
    ops = pytest.importorskip("edgener_ops", reason="edgener-ops is not installed: its library needs a C++ compiler")
    if not ops.instruction_sets():
        pytest.skip("edgener-ops has no kernels for the instruction sets of this CPU")
    import onnxruntime

    _, fp32 = graphs(architecture)
    write_native(fp32, tmp_path / "native.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.register_custom_ops_library(str(ops.library_path()))
    session = onnxruntime.InferenceSession(str(tmp_path / "native.onnx"), options, ["CPUExecutionProvider"])
    feeds = batch(fp32)
    mask = feeds["attention_mask"]
    found = session.run(["logits"], ragged_inputs(onnx.load(tmp_path / "native.onnx"), feeds))[0]
    expected = logits_by_definition(tmp_path / "native.onnx", feeds)[mask == 1]
    assert relative_distance(found, expected) < 0.02
    ends = mask.sum(axis=1).cumsum()
    for row, (end, length) in enumerate(zip(ends, mask.sum(axis=1), strict=True)):
        alone = {name: array[row : row + 1, :length] for name, array in feeds.items()}
        again = session.run(["logits"], ragged_inputs(onnx.load(tmp_path / "native.onnx"), alone))[0]
        np.testing.assert_array_equal(again, found[end - length : end])
