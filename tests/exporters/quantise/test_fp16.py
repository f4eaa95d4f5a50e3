"""FP16: half precision by the magnitudes on real text, FP32 where those leave no room, and nothing infinite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from edgener_exporters.calibrate.ranges import min_max
from edgener_exporters.graph.graph import weights_of
from edgener_exporters.graph.roles import Product, find_products
from edgener_exporters.quantise.fp16 import LARGEST, convert_fp16
from edgener_exporters.quantise.fp16_emulation import round_to_fp16
from edgener_runtime.errors import ExportError
from edgener_runtime.inference.batches import feeds, rows_of

from ..conftest import Encoder
from ..running import logits_of
from ..test_builders import ARCHITECTURES

Model = onnx.ModelProto


def product(model: Model, role: str) -> Product:
    return next(product for product in find_products(model) if product.role == role)


def scale_weight(model: Model, name: str, factor: float) -> None:
    tensor = weights_of(model)[name]
    array = (numpy_helper.to_array(tensor) * np.float32(factor)).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(array, name))


def overflowing(made: Encoder, folder: Path, factor: float) -> Path:
    """The same model but for a first feed-forward product that is larger by a factor, and divided by it again."""
    model = onnx.load(made.fp32)
    planted = product(model, "layer.0.feed_forward_1")
    scale_weight(model, planted.weight, factor)
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name == planted.output:
                node.input[place] = "planted/back"
    model.graph.initializer.append(numpy_helper.from_array(np.float32(1 / factor), "planted/factor"))
    behind = next(place for place, node in enumerate(model.graph.node) if planted.output in node.output)
    back = onnx.helper.make_node("Mul", [planted.output, "planted/factor"], ["planted/back"], "planted/back")
    model.graph.node.insert(behind + 1, back)
    onnx.save(model, folder / "planted.onnx")
    return folder / "planted.onnx"


def kinds(model: Model) -> dict[str, int]:
    """The type of every tensor that a node writes."""
    values = onnx.shape_inference.infer_shapes(model).graph.value_info
    return {value.name: value.type.tensor_type.elem_type for value in values}


def halves_on_a_gpu(file: Path) -> Model:
    model = onnx.load(file)
    round_to_fp16(model)
    return model


def padded_feeds(made: Encoder) -> dict[str, Any]:
    tokenizer = made.tokenizer
    rows = rows_of(tokenizer, tokenizer.encode(made.calibration.texts))
    return feeds(
        sorted(rows, key=lambda row: len(row.ids))[::7], tokenizer.settings
    )  # from the shortest to the longest


def test_products_run_in_half_precision_and_norms_and_softmax_do_not(cased: Encoder, tmp_path: Path) -> None:
    convert_fp16(cased.fp32, tmp_path / "fp16.onnx", cased.calibration)
    model = onnx.load(tmp_path / "fp16.onnx")
    found = kinds(model)
    for node in model.graph.node:
        if node.op_type == "MatMul":
            assert found[node.output[0]] == TensorProto.FLOAT16, node.name
        if node.op_type in ("LayerNormalization", "Softmax"):
            assert found[node.output[0]] == TensorProto.FLOAT, node.name
    assert sum(node.op_type == "MatMul" for node in model.graph.node) == len(find_products(onnx.load(cased.fp32))) + 4


def test_what_grows_too_large_on_the_text_stays_in_fp32_and_nothing_else(cased: Encoder, tmp_path: Path) -> None:
    planted = overflowing(cased, tmp_path, 5e4)
    large = product(onnx.load(planted), "layer.0.feed_forward_1").output
    convert_fp16(planted, tmp_path / "fp16.onnx", cased.calibration)
    found = kinds(onnx.load(tmp_path / "fp16.onnx"))
    products = {product.output: product.role for product in find_products(onnx.load(planted))}
    full = {role for output, role in products.items() if found.get(output) == TensorProto.FLOAT}
    assert full == {"layer.0.feed_forward_1"}
    assert found["planted/back"] == TensorProto.FLOAT  # it reads the large one
    logits = logits_of(halves_on_a_gpu(tmp_path / "fp16.onnx"), padded_feeds(cased))
    assert np.abs(logits - logits_of(planted, padded_feeds(cased))).max() < 0.01
    assert min_max(onnx.load(planted), [large], cased.calibration.feeds())[large].size > LARGEST


def test_a_weight_that_fp16_has_not_stays_as_it_is(cased: Encoder, tmp_path: Path) -> None:
    """It is not a mask, whose one number may become a smaller one."""
    planted = overflowing(cased, tmp_path, 1e6)
    name = product(onnx.load(planted), "layer.0.feed_forward_1").weight
    convert_fp16(planted, tmp_path / "fp16.onnx", cased.calibration)
    assert weights_of(onnx.load(tmp_path / "fp16.onnx"))[name] == weights_of(onnx.load(planted))[name]
    logits = logits_of(halves_on_a_gpu(tmp_path / "fp16.onnx"), padded_feeds(cased))
    assert np.abs(logits - logits_of(planted, padded_feeds(cased))).max() < 0.01


def test_headroom_is_left_for_other_text(cased: Encoder, tmp_path: Path) -> None:
    """A tensor that reaches a quarter of what FP16 has on this text may reach four times as much on the next."""
    name = product(onnx.load(cased.fp32), "layer.0.feed_forward_1").output
    size = min_max(onnx.load(cased.fp32), [name], cased.calibration.feeds())[name].size
    for share, kind in ((1 / 4, TensorProto.FLOAT), (1 / 16, TensorProto.FLOAT16)):
        convert_fp16(overflowing(cased, tmp_path, share * LARGEST / size), tmp_path / "x.onnx", cased.calibration)
        assert kinds(onnx.load(tmp_path / "x.onnx"))[name] == kind


def test_without_the_magnitudes_the_planted_overflow_is_infinite(
    cased: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a conversion that only looks at operators gives; ours refuses to write it."""
    planted = overflowing(cased, tmp_path, 5e4)
    monkeypatch.setattr("edgener_exporters.quantise.fp16._HEADROOM", 0.0)
    with pytest.raises(ExportError, match="a logit is not finite on the calibration text"):
        convert_fp16(planted, tmp_path / "fp16.onnx", cased.calibration)
    assert [path.name for path in tmp_path.iterdir()] == ["planted.onnx"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_numbers_that_mask_are_ones_that_fp16_has(
    architecture: str, encoder: Callable[[str], Encoder], tmp_path: Path
) -> None:
    made = encoder(architecture)
    assert max(constants(onnx.load(made.fp32))) > LARGEST  # minus infinity, as FP32 has it
    convert_fp16(made.fp32, tmp_path / "fp16.onnx", made.calibration)
    assert max(constants(onnx.load(tmp_path / "fp16.onnx"))) <= 1e4


def constants(model: Model) -> list[float]:
    """The largest absolute value of every floating-point constant."""
    inside = (attribute.t for node in model.graph.node for attribute in node.attribute)
    tensors = (*model.graph.initializer, *inside)
    kinds = (TensorProto.FLOAT, TensorProto.FLOAT16)
    return [float(np.abs(numpy_helper.to_array(tensor)).max()) for tensor in tensors if tensor.data_type in kinds]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_padded_rows_are_finite_and_near_fp32_with_a_gpus_numbers(
    architecture: str, encoder: Callable[[str], Encoder], tmp_path: Path
) -> None:
    made = encoder(architecture)
    convert_fp16(made.fp32, tmp_path / "fp16.onnx", made.calibration)
    fed = padded_feeds(made)
    assert not fed["attention_mask"].all()
    found, expected = logits_of(halves_on_a_gpu(tmp_path / "fp16.onnx"), fed), logits_of(made.fp32, fed)
    assert np.isfinite(found).all()
    assert np.abs(found - expected)[fed["attention_mask"] == 1].max() < 0.02


def test_inputs_and_outputs_keep_their_types(cased: Encoder, tmp_path: Path) -> None:
    convert_fp16(cased.fp32, tmp_path / "fp16.onnx", cased.calibration)
    graph, before = onnx.load(tmp_path / "fp16.onnx").graph, onnx.load(cased.fp32).graph
    assert list(graph.input) == list(before.input) and list(graph.output) == list(before.output)
