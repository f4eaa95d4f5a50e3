"""Mixed precision: every product with the kernel that the plan names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgener_exporters.graph.graph import open_graph
from edgener_exporters.quantise.int8 import encoder_products
from edgener_exporters.quantise.smooth import smoothable
from edgener_exporters.search.mixed import Plan, build_mixed
from edgener_exporters.variants import FP32, KERNELS
from edgener_runtime.base.serde import from_json, to_json
from edgener_runtime.errors import UserInputError

from ..conftest import Encoder
from ..running import logits_of, operators_run

OPERATORS = {
    "int8-dynamic": "DynamicQuantizeMatMul",
    "int8-static": "MatMulIntegerToFloat",
    "int8-rowwise": "MatMulIntegerToFloat",
    "int8-weight-only": "MatMulNBits",
}


def plan_of(cased: Encoder, kernel: str, role: str | None = None) -> dict[str, str]:
    """All products in FP32 but one, or all with a kernel."""
    roles = [product.role for product in encoder_products(open_graph(cased.fp32))]
    return {name: kernel if role in (None, name) else FP32 for name in roles}


@pytest.mark.parametrize("kernel", KERNELS)
def test_one_product_takes_its_kernel_and_the_others_stay(kernel: str, cased: Encoder, tmp_path: Path) -> None:
    plan = Plan(plan_of(cased, kernel, "layer.1.feed_forward_2"))
    build_mixed(cased.fp32, tmp_path / "mixed.onnx", cased.calibration, plan)
    assert operators_run(tmp_path / "mixed.onnx", tmp_path)[OPERATORS[kernel]] == 1


def test_products_of_one_activation_may_take_different_kernels(cased: Encoder, tmp_path: Path) -> None:
    kernels = dict(zip(("layer.0.query", "layer.0.key", "layer.0.value"), KERNELS, strict=False))
    build_mixed(cased.fp32, tmp_path / "mixed.onnx", cased.calibration, Plan(plan_of(cased, FP32) | kernels))
    assert operators_run(tmp_path / "mixed.onnx", tmp_path)["MatMulIntegerToFloat"] == 2


def test_all_in_fp32_says_what_fp32_says(cased: Encoder, tmp_path: Path) -> None:
    plan = Plan(plan_of(cased, FP32), tuple(smoothable(open_graph(cased.fp32))))
    build_mixed(cased.fp32, tmp_path / "mixed.onnx", cased.calibration, plan)
    feeds = next(cased.calibration.feeds())
    seen = feeds["attention_mask"] == 1
    found, expected = (logits_of(file, feeds)[seen] for file in (tmp_path / "mixed.onnx", cased.fp32))
    assert np.linalg.norm(found - expected) < 0.05 * np.linalg.norm(expected)  # its embeddings are INT8


def test_twice_is_the_same_bytes(cased: Encoder, tmp_path: Path) -> None:
    plan = Plan(plan_of(cased, "int8-static"), tuple(smoothable(open_graph(cased.fp32))))
    for name in ("one", "two"):
        build_mixed(cased.fp32, tmp_path / name, cased.calibration, plan)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"layer.0.query": "int4"}, "the unknown kernel 'int4'"),
        ({"layer.7.query": FP32}, r"no product layer\.7\.query"),
        ({"layer.0.query": None}, r"says nothing of layer\.0\.query"),
    ],
)
def test_a_plan_for_another_graph_is_refused(
    changed: dict[str, str | None], message: str, cased: Encoder, tmp_path: Path
) -> None:
    kernels = {role: kernel for role, kernel in (plan_of(cased, FP32) | changed).items() if kernel}
    with pytest.raises(UserInputError, match=message):
        build_mixed(cased.fp32, tmp_path / "mixed.onnx", cased.calibration, Plan(kernels))
    assert list(tmp_path.iterdir()) == []


def test_a_plan_that_smooths_what_is_not_there_is_refused(cased: Encoder, tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="smooths /elsewhere"):
        build_mixed(cased.fp32, tmp_path / "out", cased.calibration, Plan(plan_of(cased, FP32), ("/elsewhere",)))


def test_a_plan_keeps_its_keys_in_json() -> None:
    plan = Plan({"layer.0.query": FP32}, ("/input",))
    assert json.loads(to_json(plan)) == {"forms": {"layer.0.query": FP32}, "smoothed": ["/input"]}
    assert from_json(Plan, to_json(plan), "plan") == plan


def test_a_product_left_in_fp32_keeps_its_weight(cased: Encoder, tmp_path: Path) -> None:
    build_mixed(cased.fp32, tmp_path / "mixed.onnx", cased.calibration, Plan(plan_of(cased, "int8-static", "none")))
    before, after = (
        {tensor.name: tensor for tensor in onnx.load(file).graph.initializer}
        for file in (cased.fp32, tmp_path / "mixed.onnx")
    )
    for product in encoder_products(open_graph(cased.fp32)):
        assert after[product.weight].SerializeToString() == before[product.weight].SerializeToString()
