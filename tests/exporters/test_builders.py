"""Every builder on every architecture: the declaration, the answers, the format, the same bytes twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgener_exporters.calibrate.calibration import METHODS, Calibration
from edgener_exporters.checkpoint.load import load_reference
from edgener_exporters.graph.checks import NEWEST_IR, cases, check_declaration
from edgener_exporters.graph.graph import weights_of
from edgener_exporters.graph.onnx import OPSET, input_names
from edgener_exporters.graph.roles import find_products
from edgener_exporters.quantise.int8_static import quantize_static
from edgener_exporters.variants import VARIANTS
from edgener_runtime.errors import UserInputError

from .conftest import Encoder
from .pairs import pairs
from .running import logits_of

pytestmark = pytest.mark.compat

EVERY = [name for name, variant in VARIANTS.items() if variant.build]
BUILT = [name for name in EVERY if not VARIANTS[name].requirements.operators]  # test_int8_native.py has the others
INT8 = [name for name in BUILT if VARIANTS[name].precision == "int8"]
ARCHITECTURES = ["bert-cased", "roberta", "distilbert", "electra"]


def build(name: str, encoder: Encoder, out: Path) -> Path:
    builder = VARIANTS[name].build
    assert builder is not None
    builder(encoder.fp32, out, encoder.calibration)
    return out


@pytest.mark.parametrize(("name", "architecture"), pairs(BUILT, ARCHITECTURES, shift=0))
def test_a_variant_declares_answers_and_loads_as_fp32_does(
    name: str, architecture: str, encoder: Callable[[str], Encoder], tmp_path: Path
) -> None:
    made = encoder(architecture)
    file = build(name, made, tmp_path / "variant.onnx")
    model = load_reference(made.checkpoint)
    names = input_names(model)
    check_declaration(file, names, len(model.config.id2label))
    graph = onnx.load(file)
    assert graph.ir_version <= NEWEST_IR
    assert {entry.domain: entry.version for entry in graph.opset_import}[""] == OPSET

    equal, differences = [], []
    for case, inputs in cases(model):
        feeds = {name: inputs[name] for name in names}
        expected, found = logits_of(made.fp32, feeds), logits_of(file, feeds)
        assert np.isfinite(found).all(), case  # of padding too
        real = inputs["attention_mask"] == 1
        equal.append((found.argmax(-1) == expected.argmax(-1))[real])
        differences.append(np.abs(found - expected)[real].ravel())
    assert np.concatenate(equal).mean() > (0.995 if name == "fp16" else 0.9)
    assert np.concatenate(differences).max() > 0  # it is another form, not FP32 under another name


@pytest.mark.parametrize(("name", "architecture"), pairs(INT8, ARCHITECTURES, shift=1))
def test_the_classifier_stays_a_plain_product(
    name: str, architecture: str, encoder: Callable[[str], Encoder], tmp_path: Path
) -> None:
    """It is small and speaks last; FP16 is all that may become of it."""
    made = encoder(architecture)
    graph = onnx.load(build(name, made, tmp_path / "variant.onnx")).graph
    (classifier,) = [product for product in find_products(onnx.load(made.fp32)) if product.is_head]
    (node,) = [node for node in graph.node if node.op_type == "MatMul" and node.input[1].startswith(classifier.weight)]
    found = numpy_helper.to_array(next(tensor for tensor in graph.initializer if tensor.name == node.input[1]))
    expected = numpy_helper.to_array(weights_of(onnx.load(made.fp32))[classifier.weight])
    assert found.dtype in (np.float32, np.float16) and np.array_equal(found, expected.astype(found.dtype))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", [name for name in BUILT if VARIANTS[name].calibrated])
def test_ranges_of_every_method_give_a_model_that_answers_nearly_as_fp32(
    name: str, method: str, cased: Encoder, tmp_path: Path
) -> None:
    builder = VARIANTS[name].build
    assert builder is not None
    builder(cased.fp32, tmp_path / "variant.onnx", Calibration(cased.calibration.texts, cased.tokenizer, method))
    equal, total = 0, 0
    for feeds in cased.calibration.feeds():
        real = feeds["attention_mask"] == 1
        found, expected = (logits_of(file, feeds).argmax(-1) for file in (tmp_path / "variant.onnx", cased.fp32))
        equal, total = equal + int((found == expected)[real].sum()), total + int(real.sum())
    assert equal / total > 0.95


def test_each_method_gives_another_graph(cased: Encoder, tmp_path: Path) -> None:
    graphs = set()
    for method in METHODS:
        calibration = Calibration(cased.calibration.texts, cased.tokenizer, method)
        quantize_static(cased.fp32, tmp_path / "variant.onnx", calibration)
        graphs.add((tmp_path / "variant.onnx").read_bytes())
    assert len(graphs) == len(METHODS)


@pytest.mark.parametrize("name", EVERY)
def test_twice_is_the_same_bytes(name: str, cased: Encoder, tmp_path: Path) -> None:
    first = build(name, cased, tmp_path / "first.onnx").read_bytes()
    assert build(name, cased, tmp_path / "second.onnx").read_bytes() == first


@pytest.mark.parametrize("name", [name for name in BUILT if VARIANTS[name].calibrated])
def test_one_sentence_is_no_calibration_text(name: str, cased: Encoder, tmp_path: Path) -> None:
    builder = VARIANTS[name].build
    assert builder is not None
    with pytest.raises(UserInputError, match="1 different sentences") as caught:
        builder(cased.fp32, tmp_path / "out.onnx", cased.calibration.with_texts(["one sentence", "one sentence"]))
    assert "--calibration" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", EVERY)
def test_a_damaged_graph_leaves_nothing(name: str, cased: Encoder, tmp_path: Path) -> None:
    half = tmp_path / "half.onnx"
    half.write_bytes(cased.fp32.read_bytes()[:20_000])
    builder = VARIANTS[name].build
    assert builder is not None
    with pytest.raises(UserInputError, match=r"half\.onnx is damaged"):
        builder(half, tmp_path / "out.onnx", cased.calibration)
    assert list(tmp_path.iterdir()) == [half]
